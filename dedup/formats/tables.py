"""Tables: a record for each row, named by the columns."""

from __future__ import annotations

import csv
import io
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

import orjson

from dedup.errors import InputError
from dedup.formats import cells
from dedup.formats.columns import JSON, arrow
from dedup.formats.lines import refusal, refused, too_large
from dedup.formats.spool import Spool

_DELIMITERS = ",;\t|"
_AGAIN = 4  # times as many bytes are read again at most, where quotes do not match
_ROWS = 1000  # of a Parquet file, made into lines at once


def csv_lines(file: io.BufferedReader, most: int, tabs: bool = False) -> Iterator[bytes]:
    """A line for each row of a CSV or TSV file, on the line of the file that it begins on.

    The first row names the columns; which character parts them it tells, too. A row of more or
    fewer cells, or whose quotes do not match, is refused, and the next line taken for a new row.

    Args:
        file: UTF-8.
        most: bytes of a row at most.
        tabs: whether tabs part the cells, whatever the first row says.
    """
    source = _Lines(file, most)
    csv.field_size_limit(most)
    first = source.peek()
    delimiter = "\t" if tabs else max(_DELIMITERS, key=first.count)
    reader = csv.reader(source, delimiter=delimiter, strict=True)
    columns: list[str] = []
    first_row: list[str] = []
    written = 0
    while True:
        source.taken.clear()
        number = source.number + 1
        try:
            cells = next(reader)
        except StopIteration:
            if source.mark:
                yield b"\n" * (source.number - written) + source.mark
            return
        except csv.Error as error:
            wrong = str(error)
            source.give_back()
            cells = []
        else:
            wrong = ""
        if not wrong and not cells:
            continue
        yield b"\n" * (number - 1 - written)
        written = number
        raw = "".join(source.taken).encode(errors="surrogateescape")
        if wrong:
            yield refusal(f"not CSV: {wrong}; look at the quotes", raw) + b"\n"
        elif not columns or source.marked:  # a file may begin where files were joined
            first_row, columns = cells, _named(cells)
            yield b"\n"
        elif cells == first_row:
            yield refusal("the names of the columns once more, as where files are joined", raw)
            yield b"\n"
        elif len(cells) != len(columns):
            yield (
                refusal(f"{len(cells)} cells, but {len(columns)} columns; look at the quotes", raw)
                + b"\n"
            )
        else:
            yield _row(dict(zip(columns, cells, strict=True)), raw, most)


def _row(row: dict[str, Any], raw: bytes, most: int) -> bytes:
    try:
        line = orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)
    except TypeError as error:  # bytes that are no UTF-8
        return refusal(f"not UTF-8: {error}", raw) + b"\n"
    return line if len(line) <= most else too_large("record", len(line), most) + b"\n"


def _named(cells: list[str]) -> list[str]:
    """Names of columns: each its own."""
    names: dict[str, None] = {}
    tried: dict[str, int] = {}  # up to which number the names of a cell are taken
    for cell in map(str.strip, cells):
        name, n = cell or f"column {len(names) + 1}", tried.get(cell, 1)
        while name in names:
            n += 1
            name = f"{cell} {n}"
        names[name], tried[cell] = None, n
    return list(names)


class _Lines:
    """The lines of a file, of which those of a row can be given back, but for the first."""

    def __init__(self, file: io.BufferedReader, most: int) -> None:
        self.marked = False  # whether a byte order mark stands before the row at hand
        self._text = io.TextIOWrapper(file, "utf-8", errors="surrogateescape", newline="")
        self._most = most
        self._back: deque[str] = deque()
        self.taken: list[str] = []  # since it was cleared last
        self.number = 0  # lines taken in all
        self.mark = b""  # the last line, if it tells that the file is cut off
        self._size = 0  # characters of the row at hand
        self._passed = 0  # characters taken in all
        self._again = 0  # of them, how many were given back

    def peek(self) -> str:
        """The first line; it comes once more."""
        self._back.append(self._text.readline(self._most))
        return self._back[0].lstrip("\ufeff")

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._back.popleft() if self._back else self._text.readline(self._most + 1)
        self._size = len(line) + (self._size if self.taken else 0)
        if self._size > self._most:
            rest = line
            while rest and not rest.endswith("\n"):
                rest = self._text.readline(self._most)
            self.taken.append("")
            self.number += 1
            raise csv.Error(f"a row of more than {self._most:,} bytes; try a larger --max-record")
        if not line or refused(line.encode(errors="surrogateescape")):
            self.mark = line.encode(errors="surrogateescape")  # that the file is cut off
            raise StopIteration
        if not self.taken:
            self.marked = line.startswith("\ufeff")
        self.taken.append(line)
        self.number += 1
        self._passed += len(line)
        return line.lstrip("\ufeff") if len(self.taken) == 1 else line

    def give_back(self) -> None:
        """Have all lines that were taken but the first come once more.

        Where that was done too often for what was read, they are refused with it: every line could
        begin with a quote that ends with the file.
        """
        size = sum(map(len, self.taken[1:]))
        if self._again + size > _AGAIN * (self._passed - self._again):
            return
        self._again += size
        self._back.extendleft(reversed(self.taken[1:]))
        self.number -= len(self.taken) - 1
        del self.taken[1:]


def parquet_lines(file: io.BufferedReader, name: str, most: int) -> Iterator[bytes]:
    """A line for each row of a Parquet file; row groups are read one after the other.

    Args:
        file: can be read from anywhere.
        name: of the file, for errors.
        most: bytes of a row at most.

    Raises:
        InputError: it is no Parquet file, or pyarrow is not installed.
    """
    pa, pq = arrow(name, "reading")
    try:
        table = pq.ParquetFile(_seekable(file))
        packed = [field.name for field in table.schema_arrow if field.metadata
                  and JSON.items() <= field.metadata.items()]  # fmt: skip
        for batch in table.iter_batches(batch_size=_ROWS):
            yield _of_batch(pa, batch, packed, most)
    except (pa.ArrowException, OSError) as error:
        raise InputError(
            f"{name}: not a whole Parquet file: {str(error).splitlines()[0]}"
        ) from error


def parquet_schema(file: io.BufferedReader, name: str) -> Any:
    """The columns of a Parquet file and their types, as pyarrow has them.

    Raises:
        InputError: it is no Parquet file, or pyarrow is not installed.
    """
    pa, pq = arrow(name, "reading")
    try:
        return pq.ParquetFile(_seekable(file)).schema_arrow
    except (pa.ArrowException, OSError) as error:
        raise InputError(
            f"{name}: not a whole Parquet file: {str(error).splitlines()[0]}"
        ) from error


def one_schema(schemas: Sequence[Any]) -> Any:
    """The columns of all schemas, None if one of them has different types."""
    first = schemas[0]
    if all(first.equals(other) for other in schemas):
        return first
    pa, _ = arrow("schema", "reading")
    try:
        open_ended = [pa.schema([field.with_nullable(True) for field in one]) for one in schemas]
        return pa.unify_schemas(open_ended)
    except pa.ArrowException:
        return None


def _of_batch(pa: Any, batch: Any, packed: list[str], most: int) -> bytes:
    names = batch.schema.names
    try:
        columns = [cells.told(pa, column) for column in batch.columns]
        for at, name in enumerate(names):
            if name in packed:
                columns[at] = [cell and orjson.loads(cell) for cell in columns[at]]
    except (ValueError, pa.ArrowException) as error:  # a string that is no UTF-8, no JSON
        if batch.num_rows == 1:
            return refusal(f"damaged: {error}") + b"\n"
        alone = (batch.slice(n, 1) for n in range(batch.num_rows))
        return b"".join(_of_batch(pa, row, packed, most) for row in alone)
    rows = zip(*columns, strict=True) if columns else ((),) * batch.num_rows
    return b"".join(_row(dict(zip(names, row, strict=True)), b"", most) for row in rows)


def _seekable(file: io.BufferedReader) -> Any:
    """The file, or a copy, if it can only be read from its start."""
    if file.seekable():
        return file
    spool = Spool()
    spool.fill(iter(lambda: file.read(1 << 20), b""))
    return io.BufferedReader(spool.open())
