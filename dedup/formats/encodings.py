"""Encodings: what is not UTF-8 becomes UTF-8; text that was read in the wrong one is told."""

from __future__ import annotations

import codecs
import io
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import numpy as np
import orjson

from dedup.errors import InputError
from dedup.formats import kernels
from dedup.formats.lines import MARK, refused
from dedup.formats.packed import SAMPLE

PIECE = 1 << 20
_HELD = 200  # bytes at the end that may be a refusal, which is ASCII in any encoding
_UNICODE = ((codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
            (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))  # fmt: skip
_HIGH = re.compile(rb"[\x80-\xff]")
_CHARACTER = re.compile(
    rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}"
)
_ARABIC = re.compile("[\u0600-\u06ff\u0750-\u077f\ufb50-\ufdff\ufe70-\ufefc]")
_SHOWN = re.compile(r"\S")
MOST_WRONG = 0.1  # of the characters beyond ASCII, in text that is UTF-8 with damaged places
VOTES = 5  # parts of a sample that vote on its encoding
LEAST = 10  # accented letters, or ends of words, that are no chance
ZEROS, ZERO_SHARE = 8, 0.02  # zero bytes of a sample, and their share, that are no chance
LOOKED = 1 << 20  # characters of a record that show whether it was read in the wrong encoding
GAIN = 0.1  # in the share of Arabic letters that a repair must bring


def in_utf8(
    file: io.BufferedReader, name: str, encoding: str, say: Callable[[str], None]
) -> io.BufferedReader:
    """The bytes of a file in UTF-8.

    Args:
        file: at its start; its buffer holds `SAMPLE` bytes.
        name: of the file, for what is said.
        encoding: what it is in, "" to find out.
        say: told an encoding that is not UTF-8.

    Bytes that mean nothing in their encoding stay as they are: a reader refuses their line.
    """
    if encoding:
        return _decoded(file, encoding)
    sample = file.peek(SAMPLE)[:SAMPLE]
    for mark, unicode in _UNICODE:
        if sample.startswith(mark):
            say(f"{name}: {unicode.upper()}, by its byte order mark")
            return _decoded(file, unicode)
    if wide := _utf16(sample):
        say(f"{name}: UTF-16, by its zero bytes")
        return _decoded(file, wide)
    if _is_utf8(sample):
        return file
    try:
        import chardet  # noqa: PLC0415 - optional
    except ImportError:
        say(f"{name}: not UTF-8; name it with --encoding, or have it found out: "
            "pip install 'newsdedup[encodings]'")  # fmt: skip
        return file
    votes: Counter[str] = Counter()  # a place that is damaged has one
    lines = sample[: sample.rfind(b"\n") + 1].splitlines(keepends=True) or [sample]
    for first in range(min(len(lines), VOTES)):
        found: Any = chardet.detect(b"".join(lines[first::VOTES]))
        with suppress(LookupError):
            votes[codecs.lookup(found["encoding"] or "").name] += found["confidence"]
    votes.pop("ascii", None)
    if not votes:
        say(f"{name}: not UTF-8, and no other encoding fits; name it with --encoding")
        return file
    codec = max(votes, key=lambda name: votes[name])
    say(f"{name}: {codec}, by its letters; --encoding overrides")
    return _decoded(file, codec)


def _utf16(sample: bytes) -> str:
    """The codec of UTF-16 without a byte order mark, "" for what is something else.

    What is ASCII in it, quotes and line ends at least, has zeros, and all of them on one side.
    """
    first, zeros = sample[::2].count(0), sample.count(0)
    if zeros < max(ZEROS, ZERO_SHARE * len(sample)) or first not in (0, zeros):
        return ""
    return "utf-16-be" if first else "utf-16-le"


def _is_utf8(sample: bytes) -> bool:
    """Whether bytes are UTF-8, but for a few damaged places and the end."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample)
    except UnicodeDecodeError:
        high = len(_HIGH.findall(sample))
        good = sum(map(len, _CHARACTER.findall(sample)))
        return high - good <= MOST_WRONG * high
    return True


def _decoded(file: io.BufferedReader, encoding: str) -> io.BufferedReader:
    return io.BufferedReader(_Decoded(file, encoding), SAMPLE)


class _Decoded(io.RawIOBase):
    """The bytes of a file, out of one encoding into UTF-8."""

    def __init__(self, file: io.BufferedReader, encoding: str) -> None:
        wide = codecs.lookup(encoding).name.startswith(("utf-16", "utf-32"))
        self._errors = "surrogatepass" if wide else "surrogateescape"
        self._file = file
        self._decoder = codecs.getincrementaldecoder(encoding)(self._errors)
        self._held = b""
        self._ready = memoryview(b"")

    def readable(self) -> bool:
        """It can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer as far as there is something."""
        while not self._ready and not self._file.closed:
            data = self._file.read1(PIECE)
            held = self._held + data
            self._held = held[-_HELD:] if data else b""
            if not data:
                self._ready = memoryview(self._last(held))
                if not self._ready:
                    return 0
                self._file.close()
            else:
                self._ready = memoryview(self._utf8(held[:-_HELD], False))
        n = min(len(buffer), len(self._ready))
        buffer[:n] = self._ready[:n]
        self._ready = self._ready[n:]
        return n

    def _utf8(self, data: bytes, final: bool) -> bytes:
        try:
            text = self._decoder.decode(data, final)
        except UnicodeDecodeError as wrong:  # the last character is not whole
            text = wrong.object[: wrong.start].decode(wrong.encoding, self._errors) + "\ufffd"
        return text.encode("utf-8", self._errors)

    def _last(self, data: bytes) -> bytes:
        text, mark, rest = data.partition(MARK)
        if mark and refused(mark + rest):
            return self._utf8(text.removesuffix(b"\n"), True) + b"\n" + mark + rest
        return self._utf8(data, True)

    def close(self) -> None:
        """Close what is within."""
        self._file.close()
        super().close()


class Mender:
    """Finds lines whose text was read in the wrong encoding, and mends them if asked to.

    Args:
        repair: whether to mend them.

    Attributes:
        found: how many lines there are of each kind of damage.

    Raises:
        InputError: to mend, ftfy and python-bidi are needed and not installed.
    """

    def __init__(self, repair: bool) -> None:
        self.found: Counter[str] = Counter()
        self._fix: Callable[[str], str] | None = None
        if repair:
            try:
                import bidi  # noqa: F401, PLC0415 - optional
                import ftfy  # noqa: PLC0415
            except ImportError as error:
                raise InputError(
                    "--repair needs ftfy and python-bidi; try: pip install 'newsdedup[encodings]'"
                ) from error
            self._fix = ftfy.fix_encoding

    def mended(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """The chunks; lines stay lines."""
        for chunk in chunks:
            doubtful = _doubtful(chunk, min(64, len(chunk) / 25), len(chunk) / 100)
            yield b"\n".join(map(self._line, chunk.split(b"\n"))) if doubtful else chunk

    def _line(self, line: bytes) -> bytes:
        if not _doubtful(line, len(line) / 25, len(line) / 50):
            return line
        try:
            text = line.decode()
            row = orjson.loads(line) if line.lstrip()[:1] == b"{" else None
        except ValueError:
            return line
        told = "\n".join(_strings(row)) if isinstance(row, dict) else text
        damage = damage_of(told[:LOOKED])
        if not damage:
            return line
        self.found[damage] += 1
        if self._fix is None:
            return line
        if not isinstance(row, dict):
            return mend(text, self._fix).encode()
        return _mended(line, self._fix)


def _doubtful(data: bytes, most: float, most_c2: float) -> bool:
    """Whether there are more bytes of the kind that such text is full of."""
    if data.isascii():
        forms = data.count(b"\\ufe") + data.count(b"\\uFE")
        return data.count(b"\\u00") > most / 4 or forms > len(data) / 24
    buf = np.frombuffer(data, dtype=np.uint8)
    c3, c2, forms = kernels.count_bytes(buf, 0xC3, 0xC2, 0xEF)
    return bool(c3 > most or c2 > most_c2 or forms > len(data) / 6)  # presentation forms


_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"(\s*:)?')


def _strings(value: Any) -> Iterator[str]:
    left = [value]  # not by recursion: it may go deep
    while left:
        value = left.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, (dict, list)):
            left.extend(reversed(value.values() if isinstance(value, dict) else value))


def _mended(line: bytes, fix: Callable[[str], str]) -> bytes:
    """A line of JSON with its strings mended, but for names; all else stays as it was written."""

    def mended(found: re.Match[bytes]) -> bytes:
        if found[1]:
            return found[0]
        text = orjson.loads(found[0])
        after = mend(text, fix)
        return found[0] if after == text else orjson.dumps(after)

    return _STRING.sub(mended, line)


def _bytes(text: str) -> bytes:
    """As windows-1252, and as ISO-8859-1 what that does not have; ASCII '?' for the rest."""
    return text.translate(_AS_LATIN).encode("latin-1", "replace")


_BYTE = {chr(b): bytes([b]) for b in range(256)} | {
    bytes([b]).decode("cp1252"): bytes([b])
    for b in range(0x80, 0xA0)
    if b not in (0x81, 0x8D, 0x8F, 0x90, 0x9D)
}
_AS_LATIN = {ord(c): byte[0] for c, byte in _BYTE.items()}
_UTF8_AS_1252 = "UTF-8 read as windows-1252"
_1256_AS_1252 = "windows-1256 read as windows-1252"
_UTF8_AS_1256 = "UTF-8 read as windows-1256"
_BACKWARDS = "Arabic stored in visual order"
_FORMS = re.compile("[\ufb50-\ufdff\ufe70-\ufefc]{2,}")
_JOINED = {
    join: frozenset(
        chr(point)
        for low, high in ((0xFB50, 0xFDFF), (0xFE70, 0xFEFC))
        for point in range(low, high + 1)
        if unicodedata.decomposition(chr(point)).startswith(join)
    )
    for join in ("<initial>", "<final>")
}


def damage_of(text: str) -> str:
    """In which wrong encoding a text was read, "" if it looks right.

    A reading is believed when it makes Arabic of most of what is no ASCII, and more than there was.
    Text in visual order is no such reading, but as bad: see `backwards`.
    """
    if backwards(text) >= LEAST:
        return _BACKWARDS
    if _share(_bytes(text).decode("utf-8", "ignore"), text) > GAIN:
        return _UTF8_AS_1252
    twice = _bytes(_bytes(text).decode("utf-8", "ignore")).decode("utf-8", "ignore")
    if _share(twice, text) > GAIN:
        return f"{_UTF8_AS_1252}, twice"
    if _share(_bytes(text).decode("cp1256"), text) > GAIN and _foreign(text):
        return _1256_AS_1252
    if _share(text.encode("cp1256", "replace").decode("utf-8", "ignore"), text) > GAIN:
        return _UTF8_AS_1256
    return ""


def backwards(text: str) -> int:
    """By how much more of a text in presentation forms runs backwards than forwards.

    A word's first letter joins to the left only, and its last one to the right only; where words
    begin with the latter, a program that knew no other way laid them out for display.
    """
    words = _FORMS.findall(text)
    initial, final = _JOINED["<initial>"], _JOINED["<final>"]
    against = sum((word[0] in final) + (word[-1] in initial) for word in words)
    return against - sum((word[0] in initial) + (word[-1] in final) for word in words)


def _forwards(text: str) -> str:
    """The text in the order that it is read in: the layout for display undoes itself."""
    from bidi import get_display  # noqa: PLC0415 - optional

    return "\n".join(str(get_display(line, base_dir="R")) for line in text.split("\n"))


def mend(text: str, fix: Callable[[str], str]) -> str:
    """The text as it was before it was read in the wrong encoding; as it is if that gains no
    Arabic letters. One in visual order is turned.

    Args:
        text: any text.
        fix: undoes readings of UTF-8 (`ftfy.fix_encoding`).
    """
    best = text
    for candidate in _candidates(text, fix):
        if _share(candidate, best) > GAIN:
            best = candidate
    if backwards(best) > 0:
        turned = _forwards(best)
        best = turned if backwards(turned) < 0 else best
    return best


def _candidates(text: str, fix: Callable[[str], str]) -> Iterator[str]:
    yield fix(text)
    plain = all(c in _BYTE for c in text)
    if plain and _foreign(text):
        yield _bytes(text).decode("cp1256")
    with suppress(UnicodeError):
        yield text.encode("cp1256").decode("utf-8")
    with suppress(UnicodeError):
        while plain:
            text = _bytes(text).decode("utf-8")
            yield text
            plain = not text.isascii() and all(c in _BYTE for c in text)


def _share(after: str, before: str) -> float:
    """What is gained in the share of Arabic letters among the characters that show."""
    return _arabic(after) - _arabic(before)


def _arabic(text: str) -> float:
    return len(_ARABIC.findall(text)) / max(1, len(_SHOWN.findall(text)))


def _foreign(text: str) -> bool:
    """Whether most letters of a text are accented: in no language that windows-1252 serves."""
    high = sum("\xc0" <= c <= "\xff" for c in text)
    return high >= LEAST and high > sum(c.isascii() and c.isalpha() for c in text)
