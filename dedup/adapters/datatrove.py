"""A block for datatrove's pipelines that cleans the text of their documents.

pipeline = [JsonlReader("scraped/"), Clean("news.db", removed="removed/"), JsonlWriter("clean/")]
LocalPipelineExecutor(pipeline).run()
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dedup.adapters.fields import record_of
from dedup.config import Config
from dedup.errors import ConfigError
from dedup.index.address import Hidden, is_shared
from dedup.result import Result
from dedup.stream import Cleaner

try:
    from datatrove.io import get_datafolder
    from datatrove.pipeline.base import PipelineStep
    from datatrove.utils.batching import batched
    from datatrove.utils.typeshelper import StatHints
except ImportError as error:
    raise ImportError(
        f"{__name__} needs datatrove; try: pip install 'newsdedup[datatrove]'"
    ) from error

if TYPE_CHECKING:
    from datatrove.data import Document, DocumentsPipeline
    from datatrove.io import DataFolderLike
    from datatrove.pipeline.writers.disk_base import DiskWriter

TOGETHER = 256  # documents cleaned at a time

logger = logging.getLogger(__name__)


class Clean(PipelineStep):  # type: ignore[misc]  # datatrove has no types
    """Cleans documents, and drops those with nothing left.

    A document's metadata tell its headline, address, date and outlet by any of their usual names,
    and get what `dedup clean` adds to a record as "dedup". A task that is run again is not a
    duplicate of itself, as long as its documents have the same ids. Tasks that run at the same time
    may share an index: one waits for the other for the time that some documents take.

    Args:
        index: a file that remembers what was seen; without it a task knows only its own documents.
        config: all settings; or give single ones by name.
        removed: a folder for the removals, one file a task.
        exclusion_writer: takes what is dropped.

    Raises:
        ConfigError: a setting cannot be.
        IndexFileError: the index cannot be used.
    """

    name = "dedup"
    type = "🧹 - CLEAN"

    def __init__(
        self,
        index: str | os.PathLike[str] | None = None,
        config: Config | None = None,
        *,
        removed: DataFolderLike | None = None,
        exclusion_writer: DiskWriter | None = None,
        **settings: Any,
    ) -> None:
        super().__init__()
        if config is not None and settings:
            raise ConfigError("give settings by name or a config, not both")
        config = config or Config.of(settings)
        self.config = replace(config, id_field="id", text_field="text")
        # datatrove writes down what its steps hold.
        self.index = Hidden(os.fspath(index)) if index and is_shared(index) else index
        self.removed = None if removed is None else get_datafolder(removed)
        self.exclusion_writer = exclusion_writer

    def run(
        self, data: DocumentsPipeline, rank: int = 0, world_size: int = 1
    ) -> Iterator[Document]:
        """Called by datatrove."""
        with ExitStack() as stack:
            cleaner = stack.enter_context(Cleaner(self.index, self.config))
            writer = self.exclusion_writer and stack.enter_context(self.exclusion_writer)
            removed = self.removed and stack.enter_context(
                self.removed.open(f"{rank:05d}.jsonl", "wb")
            )
            before = 0
            for documents in batched(data, TOGETHER):
                with self.track_time("batch"):
                    result = cleaner.clean([self._record(document) for document in documents])
                    cleaner.commit()  # nobody waits for what comes behind this block
                self._tell(result)
                if removed:
                    removed.writelines(result.lines("removed"))
                yield from self._left(documents, before, result, writer, rank)
                before += len(documents)

    def _record(self, document: Document) -> dict[str, Any]:
        known = {**document.metadata, "id": document.id, "text": document.text}
        return record_of(known, self.config)

    def _left(
        self, documents: list[Document], before: int, result: Result, writer: Any, rank: int
    ) -> Iterator[Document]:
        cleaned = iter(result)
        rejected = {row["line"] - 1 - before: row["reason"] for row in result.rejected}
        dropped = {row["dedup"]["position"]: row for row in result.dropped}
        place = -1
        for number, document in enumerate(documents):
            self.stat_update(StatHints.total)
            if number in rejected:  # it passes as it came
                logger.error("document %s passes as it came: %s", document.id, rejected[number])
                self.stat_update("rejected")
                self.stat_update(StatHints.forwarded)
                yield document
                continue
            place += 1
            row = dropped.get(place) or next(cleaned)
            document.metadata["dedup"] = row["dedup"]
            if place not in dropped:
                document.text = row["text"]
                self.stat_update(StatHints.forwarded)
                self.update_doc_stats(document)
                yield document
                continue
            self.stat_update(StatHints.dropped)
            if writer:  # as it came
                writer.write(document, rank)

    def _tell(self, result: Result) -> None:
        counts = result.counts
        for kind, blocks in counts.kinds.items():
            if blocks:
                self.stat_update(f"removed_{kind}", value=blocks, unit="batch")
                chars = counts.removed_chars[kind]
                self.stat_update(f"removed_chars_{kind}", value=chars, unit="batch")
