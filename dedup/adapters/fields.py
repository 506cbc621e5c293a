"""Of what a crawler or a pipeline carries along, that which makes a record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dedup.config import Config
from dedup.formats.given import is_sayable, simple
from dedup.records import ALIASES, names_of


def record_of(fields: Mapping[str, Any], config: Config, source: str = "") -> dict[str, Any]:
    """The fields that cleaning looks at, as far as they are text, numbers or dates.

    Text that JSON cannot hold is left out, but where there is no other: it is told then. What has
    no id goes by its address, so that it is known when it is seen again.

    Args:
        fields: of an item.
        config: names of fields.
        source: the outlet of what names none, nor an address.
    """
    record: dict[str, Any] = {}
    unsayable: dict[str, Any] = {}
    for meaning in ALIASES:
        for name in names_of(meaning, config):
            value = simple(fields.get(name))
            if value is not None:
                (record if is_sayable(value) else unsayable)[name] = value
    names = names_of("text", config)
    if not any(isinstance(record.get(name), str) for name in names):
        record |= {name: unsayable[name] for name in names if name in unsayable}
    if not _first("id", record, config) and (url := _first("url", record, config)):
        record[names_of("id", config)[0]] = url
    if source and not _first("source", record, config) and not _first("url", record, config):
        record[names_of("source", config)[0]] = source
    return record


def _first(meaning: str, record: Mapping[str, Any], config: Config) -> Any:
    return next(filter(None, (record.get(name) for name in names_of(meaning, config))), None)
