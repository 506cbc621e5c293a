"""A file of settings: what a site of one's own needs, kept in TOML instead of flags."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from dedup.config import Config
from dedup.errors import ConfigError

if sys.version_info >= (3, 11):
    import tomllib
else:  # the same parser, from before it came with Python
    import tomli as tomllib

MOST = 1 << 20  # bytes of a file


def config_of(path: str | os.PathLike[str], **overriding: Any) -> Config:
    """The config that a TOML file and some settings by name, which come first, make.

    Settings have the names of the flags, with - or _. A table `markers` holds lists of words by
    role, a table `sources` the other names of an outlet.

    Raises:
        ConfigError: the file cannot be read, or holds what is no setting; names the file.
    """
    name = os.fspath(path)
    Config.of(overriding)  # what is wrong there is not the file's fault
    try:
        with Path(path).open("rb") as file:
            written = file.read(MOST + 1)
        if len(written) > MOST:
            raise ConfigError(f"{name}: more than {MOST:,} bytes; a file of settings is short")
        tables = tomllib.loads(written.decode("utf-8-sig").replace("\r\n", "\n"))
    except OSError as error:
        raise ConfigError(f"{name}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{name}: not UTF-8; save it as UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{name}: not TOML: {error}") from error
    except RecursionError as error:
        raise ConfigError(f"{name}: lists or tables too deep in each other") from error
    except ValueError as error:
        raise ConfigError(f"{name}: a number has too many digits: {error}") from error
    try:
        return Config.of({**_settings(tables), **overriding})
    except ConfigError as error:
        raise ConfigError(f"{name}: {error}") from error


def _settings(tables: dict[str, Any]) -> dict[str, Any]:
    found = {key.replace("-", "_"): value for key, value in tables.items()}
    for table, setting, example in (
        ("markers", "marker", 'header = ["تابعونا على"]'),
        ("sources", "same_source", '"bbc.com" = ["bbc.co.uk"]'),
    ):
        if table not in found:
            continue
        groups = found.pop(table)
        if not isinstance(groups, dict) or not all(map(_are_words, groups.values())):
            raise ConfigError(f"[{table}]: a line is NAME = [WORDS, ...]; such as {example}")
        pairs = [f"{name}={words}" for name, group in groups.items() for words in group]
        before = found.get(setting, [])
        found[setting] = [*before, *pairs] if isinstance(before, list) else before
    return found


def _are_words(group: Any) -> bool:
    return isinstance(group, list) and all(isinstance(words, str) for words in group)
