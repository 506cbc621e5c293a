"""An index that a fleet shares through a Redis server.

The server keeps a lock and the list of all that was ever written, commit after commit. Each member
has a copy of the whole in a temporary file and catches up before it looks, so that looking costs no
round trips. What two members write at once is written one after the other: the second looks
again at what the first wrote. A member that gives no sign of life loses the lock after `HELD`
seconds, and what it had not committed is not there.

A run is published in two steps. `prepare` hands the server what was seen, and confirms that the
lock is still this member's, for a full `HELD` seconds more; only then are outputs renamed or handed
out; `commit` has the server add what it holds already. A member that lost the lock while it paused
learns so in the first step and publishes nothing. Between the two steps a member may still die, or
pause for longer than the lock: then its output is there and what it saw is not remembered, so that
another may say the same again. The other order would lose text instead, seen and in no output, and
a repetition does less harm than a loss.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from dedup.config import Config
from dedup.errors import IndexFileError, UncertainCommit
from dedup.index.address import parsed
from dedup.index.entries import LARGEST, Following, packed, unpacked
from dedup.index.store import WAIT, Store, fingerprint

HELD = 30.0  # seconds without a sign of life after which a lock is free again
PATIENCE = 30.0  # seconds that an answer is waited for
TRIES = 3
PART, BYTES = 100, 1 << 25  # commits fetched at once, and about how much of them

# All of these may be asked again when an answer got lost: the second time changes nothing.
_TAKE = """
local holder = redis.call('get', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('set', KEYS[1], ARGV[1], 'px', ARGV[2])
return 1
"""
_RENEW = """
if redis.call('get', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('pexpire', KEYS[2], ARGV[2])
return redis.call('pexpire', KEYS[1], ARGV[2])
"""
# Entries from the one numbered KEYS[2] on; an empty one where one is larger than any may be.
_READ = """
local found, size, at = {redis.call('llen', KEYS[1])}, 0, tonumber(ARGV[1])
for i = at, math.min(at + tonumber(ARGV[2]), found[1]) - 1 do
    local entry = redis.call('lindex', KEYS[1], i)
    size = size + #entry
    if i > at and size > tonumber(ARGV[3]) then break end
    found[#found + 1] = #entry <= tonumber(ARGV[4]) and entry or ''
end
return found
"""
# Confirm that the lock is ours and nobody else has appended anything; take an entry that is due.
_PREPARE = """
if redis.call('get', KEYS[1]) ~= ARGV[1] then return 0 end
if redis.call('llen', KEYS[2]) ~= tonumber(ARGV[3]) then return 0 end
if ARGV[5] ~= '' and redis.call('llen', KEYS[3]) == tonumber(ARGV[4]) then
    redis.call('rpush', KEYS[3], ARGV[5])
end
redis.call('pexpire', KEYS[3], ARGV[2])
return redis.call('pexpire', KEYS[1], ARGV[2])
"""
# Append what was prepared if the lock is still ours; give it up.
_COMMIT = """
if redis.call('exists', KEYS[4]) == 1 then return 1 end
if redis.call('get', KEYS[1]) ~= ARGV[1] then return 0 end
if redis.call('llen', KEYS[2]) ~= tonumber(ARGV[3]) then return 0 end
if redis.call('llen', KEYS[3]) ~= tonumber(ARGV[4]) then return 0 end
for _ = 1, tonumber(ARGV[4]) do
    redis.call('rpush', KEYS[2], redis.call('lpop', KEYS[3]))
end
redis.call('set', KEYS[4], '', 'px', ARGV[2])
redis.call('del', KEYS[1])
return 1
"""
_RELEASE = """
if redis.call('get', KEYS[1]) == ARGV[1] then redis.call('del', KEYS[1]) end
return redis.call('del', KEYS[2])
"""


class _NoAnswer(IndexFileError):
    """The server may have done what it was asked."""


class _Hold:
    """A lock while it is held.

    Attributes:
        token: what tells it from those of others.
        confirmed: when the server was last asked and said that it is ours, on this machine's clock.
        lost: whether the server has said that it is not.
        done: set when nothing shall be renewed any more.
        sent: how many changes the server was handed, and in how many entries.
    """

    def __init__(self) -> None:
        self.token = uuid.uuid4().hex
        self.confirmed = time.monotonic()
        self.lost = False
        self.done = threading.Event()
        self.sent = (0, 0)

    def is_over(self) -> bool:
        """Whether somebody else may have the lock by now."""
        return self.lost or time.monotonic() - self.confirmed >= HELD


class SharedStore(Store):
    """A copy of an index on a Redis server.

    Args:
        url: "redis://HOST:PORT/DB?basename=NAME" (see `dedup.index.address`); NAME tells indexes on
            one server apart.
        config: whose fingerprint the index must have.

    Attributes:
        path: the address, without user name and password.

    Raises:
        IndexFileError: the server cannot be reached, no basename is given, or the index was made
            with other settings.
    """

    def __init__(self, url: str, config: Config) -> None:
        address = parsed(url)
        try:
            import redis  # noqa: PLC0415
            from redis.backoff import ExponentialBackoff  # noqa: PLC0415
            from redis.retry import Retry  # noqa: PLC0415
        except ImportError as missing:
            raise IndexFileError(
                f"{address.shown}: a shared index needs redis; pip install 'newsdedup[redis]'"
            ) from missing
        super().__init__("", config)
        self.path = address.shown
        self._error: type[Exception] = redis.RedisError
        self._silence = (redis.ConnectionError, redis.TimeoutError)
        secret = address.options.get("password", address.options.get("username", ""))
        self._is_open: Callable[[str], bool] = lambda said: not secret or secret not in said
        self._server: Any = redis.Redis(
            **address.options,
            socket_timeout=PATIENCE,
            socket_connect_timeout=PATIENCE,
            retry=Retry(ExponentialBackoff(cap=1.0, base=0.1), TRIES),
        )
        self._key = f"dedup:{address.basename}:"
        self._lock, self._log = f"{self._key}lock", f"{self._key}log"
        self._applied = 0
        self._changes: list[tuple[str, list[tuple[Any, ...]]]] = []
        self._marked = 0
        self._hold: _Hold | None = None
        self._compare(config)

    def _compare(self, config: Config) -> None:
        mine = fingerprint(config)
        meta = f"{self._key}meta"
        for name, value in mine.items():
            self._ask("hsetnx", meta, name, value)
        found = {
            name.decode(errors="replace"): value.decode(errors="replace")
            for name, value in self._ask("hgetall", meta).items()
        }
        for name, value in mine.items():
            if found.get(name) != value:
                raise IndexFileError(
                    f"{self.path}: made with {name} {found.get(name)}, not {value}; "
                    "use the settings it was made with, or another basename"
                )

    def _ask(self, command: str, *arguments: Any) -> Any:
        try:
            return getattr(self._server, command)(*arguments)
        except self._error as error:
            # The cause is not told along: it may show how the server was spoken to.
            raise IndexFileError(f"{self.path}: {self._without_secrets(error)}") from None

    def _without_secrets(self, error: Exception) -> str:
        """What the server says, if it does not repeat what it was told."""
        said = str(error).partition(", with args beginning with")[0][:300]
        return said if said and self._is_open(said) else type(error).__name__

    def _script(self, script: str, keys: list[str], *arguments: Any) -> Any:
        return self._ask("eval", script, len(keys), *keys, *arguments)

    def _keys(self, hold: _Hold) -> list[str]:
        own = (f"{self._key}{what}:{hold.token}" for what in ("pending", "done"))
        return [self._lock, self._log, *own]

    def begin(self, waiting: Any = None) -> None:
        """Take the lock, and catch up with what others have written.

        Raises:
            IndexFileError: the server cannot be reached, or what it holds is damaged.
        """
        hold = _Hold()
        told = False
        while not self._script(_TAKE, [self._lock], hold.token, int(1000 * HELD)):
            if waiting is not None and not told:
                waiting()
                told = True
            time.sleep(WAIT / 10)
            hold.confirmed = time.monotonic()
        self._hold = hold
        threading.Thread(target=self._renew, args=(hold,), daemon=True).start()
        try:
            self._catch_up()
            super().begin()
        except BaseException:
            self.rollback()
            raise

    def _renew(self, hold: _Hold) -> None:
        """Give signs of life until the lock is given up; where that fails, `prepare` and `commit`
        see for how long it did.
        """
        lock, _, pending, _ = self._keys(hold)
        wait = HELD / 3
        while not hold.done.wait(wait) and not hold.is_over():
            asked = time.monotonic()
            wait = HELD / 30  # not for long, where it fails
            with suppress(Exception):
                if not self._script(_RENEW, [lock, pending], hold.token, int(1000 * HELD)):
                    hold.lost = True
                    return
                hold.confirmed = asked
                wait = HELD / 3

    def _catch_up(self) -> None:
        super().begin()
        following = Following(self)
        at = self._applied
        while True:
            length, *entries = self._script(_READ, [self._log], at, PART, BYTES, LARGEST)
            if length < at:
                raise IndexFileError(
                    f"{self.path}: holds less than was read from it before: it was emptied or "
                    "restored; open it anew"
                )
            if not entries:
                break
            for entry in entries:
                with self._reading(at):
                    for name, rows in unpacked(entry):
                        following.look(name, rows)
                        super().write(name, rows)
                at += 1
            self.merge_small()
        with self._reading(max(at - 1, 0)):
            following.end()
        super().commit()
        self._applied = at

    @contextmanager
    def _reading(self, number: int) -> Iterator[None]:
        try:
            yield
        except ValueError as error:
            raise IndexFileError(
                f"{self.path}: entry {number:,} on the server is damaged ({error}); "
                "use another basename, or a copy of the server's data"
            ) from None

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

    def prepare(self) -> None:
        """Hand the server what was seen, and confirm that the lock is ours, for its full time from
        now; nothing may be renamed or handed out before.

        Raises:
            IndexFileError: the lock was lost, so that others may have written, or the server is
                out of reach; nothing was written, and what was seen is forgotten.
        """
        hold = self._hold
        if hold is None:
            raise self._lost()
        try:
            self.flush()
            self._send(hold)
        except IndexFileError as error:
            self.rollback()
            raise IndexFileError(f"{error}; nothing was written, run it again") from None

    def _send(self, hold: _Hold) -> None:
        number = 0
        try:
            for number, entry in enumerate(packed(self._changes), 1):
                self._confirm(hold, number - 1, entry)
        except ValueError as error:
            raise IndexFileError(f"{self.path}: {error}") from None
        self._confirm(hold, number)
        hold.sent = (len(self._changes), number)

    def _confirm(self, hold: _Hold, number: int, entry: bytes = b"") -> None:
        asked = time.monotonic()
        if hold.is_over() or not self._script(
            _PREPARE, self._keys(hold), hold.token, int(1000 * HELD), self._applied, number, entry
        ):
            raise self._lost()
        hold.confirmed = max(hold.confirmed, asked)

    def _lost(self) -> IndexFileError:
        return IndexFileError(
            f"{self.path}: the lock was lost, by a pause of {HELD:.0f} seconds or on the server; "
            "others may have written since"
        )

    def commit(self, *, soon: bool = False) -> None:
        """Have the server add what was seen, all of it at once, and give the lock up.

        Raises:
            IndexFileError: the lock was lost, or the server gave no answer. What was prepared may
                be written by now; the message says what is known.
        """
        hold = self._hold
        if hold is None:
            raise self._lost()
        try:
            self.flush()
            if hold.sent[0] != len(self._changes):
                self._send(hold)
            if self._changes:
                self._add(hold)
        except IndexFileError as error:
            self.rollback()
            unsure = isinstance(error, _NoAnswer)
            known = "may be, or not" if unsure else "is not"
            raise (UncertainCommit if unsure else IndexFileError)(
                f"{error}; outputs may be written, but what was seen {known} remembered, and "
                "others may say it again"
            ) from None
        super().commit()
        self._applied += hold.sent[1]
        if not self._changes:
            self._release(hold)
        self._end()

    def _add(self, hold: _Hold) -> None:
        """Add what was sent."""
        asked = (hold.token, int(1000 * HELD), self._applied, hold.sent[1])
        for left in reversed(range(TRIES)):
            if hold.is_over():
                raise self._lost()
            try:
                if self._server.eval(_COMMIT, 4, *self._keys(hold), *asked):
                    return
            except self._silence as error:
                if not left:
                    raise _NoAnswer(f"{self.path}: {self._without_secrets(error)}") from None
                time.sleep(WAIT)
            except self._error as error:
                raise IndexFileError(f"{self.path}: {self._without_secrets(error)}") from None
            else:
                raise self._lost()

    def rollback(self) -> None:
        """Forget what was written since `begin`, and give the lock up."""
        super().rollback()
        if self._hold is not None:
            self._release(self._hold)
        self._end()

    def _release(self, hold: _Hold) -> None:
        """Give the lock up; where that fails, it will be free before long."""
        lock, _, pending, _ = self._keys(hold)
        hold.done.set()
        with suppress(IndexFileError):
            self._script(_RELEASE, [lock, pending], hold.token)

    def _end(self) -> None:
        if self._hold is not None:
            self._hold.done.set()
            self._hold = None
        self._changes, self._marked = [], 0

    def close(self) -> None:
        """Give the lock up and forget the copy."""
        if self._hold is not None:
            self.rollback()
        super().close()
        self._server.close()
