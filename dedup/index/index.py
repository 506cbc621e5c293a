"""An index while a run uses it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

from dedup.config import Config
from dedup.engines.memory import Memory
from dedup.errors import ConfigError
from dedup.index.address import is_shared
from dedup.index.remember import remember
from dedup.index.seen import Known, Seen
from dedup.index.shared import SharedStore
from dedup.index.store import Store
from dedup.judge.evidence import Evidence
from dedup.match.groups import Groups
from dedup.records import I64, Bool
from dedup.text.corpus import Corpus

Waiting: TypeAlias = Callable[[], None]
"""Called once when somebody else is writing to the index."""


class Index:
    """What earlier runs have seen, and what this one adds.

    A run looks and remembers between `begin` and `commit`; until then nobody else writes, whoever
    reads is not disturbed, and nothing of the run is in the file. Close it to forget the run.

    Args:
        path: the file; made if it is not there; None for a temporary one. Or the address of a
            Redis server: "redis://HOST:PORT/DB?basename=NAME".
        config: whose fingerprint the file must have.
        prompt: whether commits that are due soon do not wait for the disk.

    Raises:
        ConfigError: the name is empty.
        IndexFileError: the file is no index, or one made with other settings, or damaged.
    """

    def __init__(
        self, path: str | os.PathLike[str] | None, config: Config, *, prompt: bool = False
    ) -> None:
        name = "" if path is None else os.fspath(path)
        if path is not None and not name:
            raise ConfigError("--index: the name is empty; name a file, such as news.db")
        self.shared = is_shared(name)
        self._store = (
            SharedStore(name, config) if self.shared else Store(name, config, prompt=prompt)
        )
        self._seen = Seen(self._store, config)

    def begin(self, waiting: Waiting | None = None) -> None:
        """Wait until nobody else writes, and begin."""
        self._store.begin(waiting)

    def look(self, corpus: Corpus, memory: Memory) -> Known:
        """What is known of some records; what was remembered before counts."""
        self._seen.catch_up()
        return self._seen.look(corpus, memory)

    def remember(
        self,
        known: Known,
        groups: Groups,
        stories: I64,
        evidence: Evidence,
        residue: Bool,
        habits: I64,
    ) -> None:
        """Add the run's records; see `dedup.index.remember`."""
        remember(self._store, known, groups, stories, evidence, residue, habits, time.time())

    def prepare(self) -> None:
        """Do all of `commit` that may fail for want of room, and make room for the rest, so that
        what a run writes elsewhere can be published between the two; see `Store.prepare`.

        It may be left out: `commit` does the same, but for the room.

        Raises:
            IndexFileError: what the run adds cannot be written; roll back, or close the index.
        """
        self._store.prepare()

    def commit(self, *, soon: bool = False) -> None:
        """Make the run part of the index; see `Store.commit`."""
        self._store.commit(soon=soon)

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Forget what is remembered in this context if it fails."""
        self._store.mark()
        try:
            yield
        except BaseException:
            self._store.back()
            raise
        self._store.unmark()

    def rollback(self) -> None:
        """Forget the run."""
        self._store.rollback()

    def close(self) -> None:
        """Close the file; what was not committed is forgotten."""
        self._store.close()
