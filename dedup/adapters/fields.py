"""Of what a crawler or a pipeline carries along, that which makes a record."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from dedup.config import Config
from dedup.records import ALIASES, names_of


def record_of(fields: Mapping[str, Any], config: Config, source: str = "") -> dict[str, Any]:
    """The fields that cleaning looks at, as far as they are text, numbers or dates.

    What has no id goes by its address, so that it is known when it is seen again.

    Args:
        fields: of an item.
        config: names of fields.
        source: the outlet of what names none, nor an address.
    """
    record: dict[str, Any] = {}
    for meaning in ALIASES:
        for name in names_of(meaning, config):
            value = fields.get(name)
            if isinstance(value, date):
                value = value.isoformat()
            if isinstance(value, (str, int, float)):
                record[name] = value
    if not _first("id", record, config) and (url := _first("url", record, config)):
        record[names_of("id", config)[0]] = url
    if source and not _first("source", record, config) and not _first("url", record, config):
        record[names_of("source", config)[0]] = source
    return record


def _first(meaning: str, record: Mapping[str, Any], config: Config) -> Any:
    return next(filter(None, (record.get(name) for name in names_of(meaning, config))), None)
