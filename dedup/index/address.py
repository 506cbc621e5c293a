"""The address of an index on a Redis server, and what of it may be shown: never a password."""

from __future__ import annotations

import ipaddress
import os
import re
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, quote, unquote

from dedup.errors import IndexFileError

_ADDRESS = re.compile(r"[\s'\"<(]*((redis|rediss|unix):|[a-z][a-z0-9+.-]*://)", re.IGNORECASE)
_PARTS = re.compile(
    r"(?P<scheme>redis|rediss|unix)://(?:(?P<user>[^/?#]*)@)?(?P<host>[^/?#@]*)"
    r"(?P<path>/[^?#]*)?(?:\?(?P<query>[^#]*))?",
    re.IGNORECASE,
)
_HOST = re.compile(r"(?P<name>\[[^\[\]]*\]|[^\[\]:]*)(?::(?P<port>.*))?")
_NAME = re.compile(r"[\w.-]*")
OPTIONS = ("basename", "db", "username", "password")
EXAMPLE = "redis://HOST:PORT/0?basename=NAME"
WRITTEN = "in a user name or password write % @ : / ? # & as %25 %40 %3A %2F %3F %23 %26"


class Address(NamedTuple):
    """Where an index is.

    Attributes:
        shown: the address without what tells who one is.
        basename: what the index is called there.
        options: for `redis.Redis`.
    """

    shown: str
    basename: str
    options: dict[str, Any]


class Hidden:
    """The name of an index that is a path to those who open it, and shows no password to others."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __fspath__(self) -> str:
        return self._path

    def __str__(self) -> str:
        return shown(self._path)

    __repr__ = __str__


def is_shared(path: str | os.PathLike[str]) -> bool:
    """Whether an index is named by an address, and not by a path."""
    return bool(_ADDRESS.match(os.fsdecode(path)))


def shown(path: str) -> str:
    """The name of an index as it may be shown."""
    if not is_shared(path):
        return path
    try:
        return parsed(path).shown
    except IndexFileError:
        return _hidden(path)


def parsed(url: str) -> Address:
    """Take an address apart.

    Args:
        url: "redis://USER:PASSWORD@HOST:PORT/DB?basename=NAME", "rediss://" for TLS, or
            "unix://USER:PASSWORD@/PATH?db=DB&basename=NAME". All but the host or path and the
            basename may be left out; `db`, `username` and `password` may be options, too.

    Raises:
        IndexFileError: it is no such address. What it says tells nothing of what may be a part of
            a password.
    """
    found = _PARTS.fullmatch(url)
    if found is None or not url.isprintable() or " " in url:
        raise _wrong(url, f"is no address of an index; try {EXAMPLE}")
    scheme = found["scheme"].lower()
    options = _options(url, found["query"] or "")
    host, path = found["host"], found["path"] or ""
    if scheme == "unix":
        if host or len(path) < 2:
            raise _wrong(url, "a socket is named by its whole path: unix:///PATH?basename=NAME")
        place: dict[str, Any] = {"unix_socket_path": unquote(path)}
    else:
        place = _place(url, host)
        path = path[1:].removesuffix("/")
        if path:
            if "db" in options:
                raise _wrong(url, "the database is named twice, in the path and as an option")
            options["db"] = path
        path = ""
    if "db" in options:
        database = options["db"]
        if not (database.isascii() and database.isdigit() and len(database) < 7):
            raise _wrong(url, f"a database is a number from 0: {EXAMPLE}")
        path += f"?db={int(database)}&" if scheme == "unix" else f"/{int(database)}"
    if found["user"]:
        if options.keys() & {"username", "password"}:
            raise _wrong(
                url, "user name and password stand before the host or in options, not both"
            )
        for name, value in zip(OPTIONS[2:], found["user"].partition(":")[::2], strict=True):
            if value:
                options[name] = unquote(value)
    options = {name: value for name, value in options.items() if value}
    base = f"{scheme}://{host}{path}{'' if path.endswith('&') else '?'}basename="
    if not options.get("basename"):
        raise IndexFileError(f"{base[:-10]}: say which index is meant: {base}news")
    basename = options.pop("basename")
    if "db" in options:
        options["db"] = int(options["db"])
    if scheme == "rediss":
        place["ssl"] = True
    return Address(base + quote(basename), basename, options | place)


def _options(url: str, query: str) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in OPTIONS:
            told = f"'{name}'" if re.fullmatch("[a-z_]{1,40}", name) and "@" not in query else "one"
            raise _wrong(url, f"of its options {told} is unknown; there are {', '.join(OPTIONS)}")
        if name in options:
            raise _wrong(url, f"the option '{name}' is given twice")
        options[name] = value
    return options


def _place(url: str, host: str) -> dict[str, Any]:
    """Host and port, where they are given."""
    found = _HOST.fullmatch(host)
    if found is None:
        raise _wrong(url, "the host is none; an address of IPv6 stands in [ ]")
    name, port = found["name"], found["port"]
    place: dict[str, Any] = {}
    if name.startswith("["):
        try:
            place["host"] = str(ipaddress.IPv6Address(unquote(name[1:-1])))
        except ValueError:
            raise _wrong(url, "what stands in [ ] is no address of IPv6") from None
    elif not _NAME.fullmatch(name):
        raise _wrong(url, "the host is none")
    elif name:
        place["host"] = name
    if port:
        if not (port.isascii() and port.isdigit()):
            raise _wrong(url, "the port is no number")
        if len(port) > 5 or not 0 < int(port) < 1 << 16:
            raise _wrong(url, "port out of range 1-65535")
        place["port"] = int(port)
    return place


def _wrong(url: str, rule: str) -> IndexFileError:
    return IndexFileError(f"{_hidden(url)}: {rule}{f'; {WRITTEN}' if '@' in url else ''}")


def _hidden(url: str) -> str:
    """What may be shown of an address that cannot be taken apart."""
    return f"{url.partition(':')[0].strip().lower()}://..."
