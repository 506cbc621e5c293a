"""Articles whose text is in sections of paragraphs, as fundus writes them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import orjson

from dedup.formats.row import Object, fields_of


def with_text(line: bytes) -> bytes | None:
    """The record with its paragraphs as a `text`, None if it has no sections.

    `body` holds `sections` of a `headline` and `paragraphs`, and a `summary`; these are lists of
    strings, or objects that hold them. Paragraphs are parted by an empty line. All fields stay.
    """
    try:
        fields = fields_of(line)
        body = orjson.loads(memoryview(fields["body"]))
        sections = body["sections"]
        paragraphs = [text for part in sections for name in ("headline", "paragraphs")
                      for text in _texts(part[name])]  # fmt: skip
        summary = list(_texts(body.get("summary")))
    except (msgspec.DecodeError, UnicodeDecodeError, orjson.JSONDecodeError, RecursionError):
        return None
    except (KeyError, TypeError, AttributeError):
        return None
    if not paragraphs:
        return None
    fields.pop("text", None)
    added = {"text": orjson.dumps("\n\n".join(paragraphs))}
    if summary and "abstract" not in fields:
        added["abstract"] = orjson.dumps("\n\n".join(summary))
    return Object.of({**fields, **added}, "text").data


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from _texts(value.get("texts", value.get("paragraphs", value.get("text"))))
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
