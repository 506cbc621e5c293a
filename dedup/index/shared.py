"""An index that a fleet shares through a Redis server.

The server keeps a lock and the list of all that was ever written, commit after commit. Each member
has a copy of the whole in a temporary file and catches up before it looks, so that looking costs no
round trips. What two members write at once is written one after the other: the second looks
again at what the first wrote. A member that dies gives the lock up after `HELD` seconds, and what
it had not committed is not there.
"""

from __future__ import annotations

import threading
import time
import uuid
import zlib
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qs, urlsplit, urlunsplit

import msgspec

from dedup.config import Config
from dedup.errors import IndexFileError
from dedup.index.store import WAIT, Store, fingerprint

SCHEMES = ("redis", "rediss", "unix")
HELD = 30.0  # seconds without a sign of life after which a lock is free again
PART = 100  # commits fetched at once

# Append a commit if the lock is still ours and nobody else has appended one; give the lock up.
_COMMIT = """
if redis.call('get', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[2] ~= '' then
    if redis.call('llen', KEYS[2]) ~= tonumber(ARGV[3]) then return 0 end
    redis.call('rpush', KEYS[2], ARGV[2])
end
redis.call('del', KEYS[1])
return 1
"""
_RENEW = """
if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('pexpire', KEYS[1], ARGV[2]) end
return 0
"""


def is_shared(path: str) -> bool:
    """Whether an index is named by the address of a server."""
    return urlsplit(path).scheme in SCHEMES


class SharedStore(Store):
    """A copy of an index on a Redis server.

    Args:
        url: "redis://HOST:PORT/DB?basename=NAME"; NAME tells indexes on one server apart.
        config: whose fingerprint the index must have.

    Raises:
        IndexFileError: the server cannot be reached, no basename is given, or the index was made
            with other settings.
    """

    def __init__(self, url: str, config: Config) -> None:
        try:
            import redis  # noqa: PLC0415
        except ImportError as missing:
            raise IndexFileError(
                f"{url}: a shared index needs redis; pip install 'newsdedup[redis]'"
            ) from missing
        parts = urlsplit(url)
        names = parse_qs(parts.query).get("basename", [])
        if len(names) != 1:
            raise IndexFileError(
                f"{url}: say which index is meant: {urlunsplit(parts._replace(query=''))}"
                "?basename=news"
            )
        super().__init__("", config)
        self.path = url
        self._error: type[Exception] = redis.RedisError
        try:
            self._server: Any = redis.Redis.from_url(urlunsplit(parts._replace(query="")))
        except ValueError as error:
            raise IndexFileError(f"{url}: {error}") from error
        self._lock, self._log, self._meta = (
            f"dedup:{names[0]}:{key}" for key in ("lock", "log", "meta")
        )
        self._token = uuid.uuid4().hex
        self._applied = 0
        self._changes: list[tuple[str, list[tuple[Any, ...]]]] = []
        self._marked = 0
        self._alive: threading.Event | None = None
        self._compare(config)

    def _compare(self, config: Config) -> None:
        mine = fingerprint(config)
        for name, value in mine.items():
            self._ask("hsetnx", self._meta, name, value)
        found = {k.decode(): v.decode() for k, v in self._ask("hgetall", self._meta).items()}
        for name, value in mine.items():
            if found.get(name) != value:
                raise IndexFileError(
                    f"{self.path}: made with {name} {found.get(name)}, not {value}; "
                    "use the settings it was made with, or another basename"
                )

    def _ask(self, command: str, *arguments: Any, **options: Any) -> Any:
        try:
            return getattr(self._server, command)(*arguments, **options)
        except self._error as error:
            raise IndexFileError(f"{self.path}: {error}") from error

    def begin(self, waiting: Any = None) -> None:
        """Take the lock, and catch up with what others have written."""
        told = False
        while not self._ask("set", self._lock, self._token, nx=True, px=int(1000 * HELD)):
            if waiting is not None and not told:
                waiting()
                told = True
            time.sleep(WAIT / 10)
        self._alive = threading.Event()
        threading.Thread(target=self._renew, args=(self._alive,), daemon=True).start()
        self._catch_up()
        super().begin()

    def _renew(self, done: threading.Event) -> None:
        while not done.wait(HELD / 3):
            self._ask("eval", _RENEW, 1, self._lock, self._token, int(1000 * HELD))

    def _catch_up(self) -> None:
        while entries := self._ask("lrange", self._log, self._applied, self._applied + PART - 1):
            super().begin()
            for entry in entries:
                for name, rows in msgspec.msgpack.decode(zlib.decompress(entry)):
                    super().write(name, rows)
            self.merge_small()
            super().commit()
            self._applied += len(entries)

    def write(self, name: str, rows: Iterable[tuple[Any, ...]]) -> None:
        """Write rows here, to be told to the others."""
        told = list(rows)
        if told:
            self._changes.append((name, told))
            super().write(name, told)

    def mark(self) -> None:
        """Note how far a run has come."""
        super().mark()
        self._marked = len(self._changes)

    def back(self) -> None:
        """Forget what was written since `mark`."""
        super().back()
        del self._changes[self._marked :]

    def commit(self, *, soon: bool = False) -> None:
        """Tell the server, and give the lock up.

        Raises:
            IndexFileError: the lock was lost, so that others may have written; nothing is written.
        """
        self.flush()
        entry = zlib.compress(msgspec.msgpack.encode(self._changes), 1) if self._changes else b""
        keys = (self._lock, self._log)
        done = self._ask("eval", _COMMIT, 2, *keys, self._token, entry, self._applied)
        if not done:
            self.rollback()
            raise IndexFileError(
                f"{self.path}: the lock was lost for more than {HELD:.0f} seconds; nothing was "
                "written, run it again"
            )
        super().commit()
        self._applied += bool(self._changes)
        self._end()

    def rollback(self) -> None:
        """Forget what was written since `begin`, and give the lock up."""
        super().rollback()
        if self._alive is not None:
            self._ask("eval", _COMMIT, 2, self._lock, self._log, self._token, b"", 0)
        self._end()

    def _end(self) -> None:
        if self._alive is not None:
            self._alive.set()
            self._alive = None
        self._changes, self._marked = [], 0

    def close(self) -> None:
        """Give the lock up and forget the copy."""
        if self._alive is not None:
            self.rollback()
        super().close()
        self._server.close()
