"""A record as a line of JSON, for the second reading: copied where nothing changes."""

from __future__ import annotations

from functools import cached_property

import msgspec
import orjson

_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])


class Row:
    """One record.

    Args:
        file: the input it came from, as named by the user.
        line: 1-based line in it (of the headline, in a raw dump).
        raw: the JSON object it came as; for a raw dump, the one it goes out as, its text empty.
        text_field: where `raw` holds the text.
        has_struct: whether `raw` holds a "dedup" field of an earlier run.
        lines: for an article cut out of a raw dump, the line of the file that each line of its
            text stands on; empty for others.
        text: of an article cut out of a raw dump.
    """

    def __init__(
        self,
        file: str,
        line: int,
        raw: bytes,
        text_field: str,
        has_struct: bool = False,
        lines: tuple[int, ...] = (),
        text: str | None = None,
    ) -> None:
        self.file = file
        self.line = line
        self.raw = raw
        self.text_field = text_field
        self.has_struct = has_struct
        self.lines = lines
        self._given = text

    @cached_property
    def _fields(self) -> dict[str, msgspec.Raw]:
        return _FIELDS.decode(self.raw)

    @cached_property
    def text(self) -> str:
        """The text whose characters all offsets count."""
        if self._given is not None:
            return self._given
        text: str = orjson.loads(memoryview(self._fields[self.text_field]))
        return text

    def with_struct(self, struct: bytes) -> bytes:
        """The line with the added struct; nothing else in it changes."""
        if self.has_struct:
            return self._rebuilt(None, struct)
        return self.raw[:-1] + b',"dedup":' + struct + b"}\n"

    def without_struct(self) -> bytes:
        """The line as it was before `with_struct`."""
        return self._rebuilt(None, b"")

    def with_text(self, text: str, struct: bytes) -> bytes:
        """The line with another text; the other fields stay as they were written."""
        return self._rebuilt(text, struct)

    def _rebuilt(self, text: str | None, struct: bytes) -> bytes:
        parts = []
        for key, raw in self._fields.items():
            if key == "dedup":
                continue
            value = raw if key != self.text_field or text is None else orjson.dumps(text)
            parts.append(b"%b:%b" % (orjson.dumps(key), value))
        if struct:
            parts.append(b'"dedup":' + struct)
        return b"{" + b",".join(parts) + b"}\n"
