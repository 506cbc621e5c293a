"""The whole pipeline: read -> cut -> key -> sketch -> match -> judge -> write."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from dedup.config import Config
from dedup.engines import compiled
from dedup.engines.memory import Memory
from dedup.errors import ConfigError, InputError, NothingRead
from dedup.formats import Inputs, Outputs, jsonl, open_inputs
from dedup.formats.annotations import (
    attribute_files,
    prodigy_rows,
    write_attributes,
)
from dedup.formats.cuts import Judged, named
from dedup.formats.inputs import listed
from dedup.formats.row import Rows
from dedup.formats.write import write
from dedup.judge.evidence import Evidence, Prior, gather, stand
from dedup.judge.glued import glued
from dedup.judge.habits import counted
from dedup.judge.judge import doubtful, foremost_leads, judge_repeats, judge_residue, shared_parts
from dedup.judge.kept import suspicious
from dedup.judge.overrides import Overrides, read
from dedup.judge.verdicts import Verdicts
from dedup.match.groups import Groups, group, without
from dedup.match.order import keeping_order, rank_of
from dedup.match.sentences import Sentences, needed, sentences
from dedup.match.stories import find_stories
from dedup.records import I64, Batch, Bool, Buffer, Counts, names_of
from dedup.report import summary
from dedup.result import Result
from dedup.text import lexicon
from dedup.text.corpus import Corpus, build

if TYPE_CHECKING:
    from dedup.index.index import Index
    from dedup.index.seen import Known

COPY_SHARE = 0.8  # records that share this much are copies of one, and count once as evidence
WAITING = "waiting for the index"  # a stage
LOGS = ("", "-wal", "-shm", "-journal")  # what the names of an index's files end in
STORY_SHARE = 0.4  # records that share this much tell one story

Source: TypeAlias = "str | os.PathLike[str] | Mapping[str, Any]"
Progress: TypeAlias = Callable[[str, int, int], None]
"""Told a stage's name, how far it is, and how far it goes (bytes)."""


def clean(
    sources: Source | Iterable[Source],
    out: str | os.PathLike[str] | None = None,
    *,
    removed: str | os.PathLike[str] | None = None,
    stats: str | os.PathLike[str] | None = None,
    explain_kept: str | os.PathLike[str] | None = None,
    report: str | os.PathLike[str] | None = None,
    spans: str | os.PathLike[str] | None = None,
    attributes: str | os.PathLike[str] | None = None,
    index: str | os.PathLike[str] | None = None,
    discard: bool = False,
    force: bool = False,
    spared: Iterable[str | os.PathLike[str]] = (),
    config: Config | None = None,
    progress: Progress | None = None,
    **settings: Any,
) -> Result:
    """Clean dumps of news: say each thing once, take page residue out, record every removal.

    Args:
        sources: paths of files or folders, globs, or records as dicts. What of a record JSON has no
            word for is told as what is plainly meant (a date, a Decimal, a number of NumPy), or the
            record is set aside as a line is that cannot be read.
        out: where the cleaned records go (JSON lines; the other files beside it). Without it the
            result holds them in memory.
        removed: where the removals go, if not beside `out`.
        stats: where all counts go as JSON.
        explain_kept: where lines go that stay although something about them is suspicious.
        report: where a page to look at all this goes, as HTML.
        spans: where every record goes with its removals as spans, as Prodigy reads them.
        attributes: a folder where removals go as Dolma attributes, a file for each input.
        index: a file that remembers what earlier runs saw, and what this one sees.
        discard: hold no rows in memory, only counts and groups; where no file is named, an index
            forgets the run, too (a dry run).
        force: replace files under the names of outputs though this program did not write them.
        spared: files besides the inputs that no output may replace, such as one of settings.
        config: all settings; or give single ones by name: `clean(p, threshold=0.8)`.
        progress: called now and then.

    Returns:
        A `Result`: iterate over it for the cleaned records.

    Raises:
        DedupError: an input, output or setting cannot be used, or there is not one record (but
            for an empty list, of which nothing is to be written); nothing was written.
    """
    if config is not None and settings:
        raise ConfigError("give settings by name or a config, not both")
    config = config or Config(**settings)
    sources = listed(sources)
    if attributes is not None and not os.fspath(attributes):
        raise InputError("--attributes: the name is empty; name a folder")
    inputs = open_inputs(sources, config)
    paths = (out, removed, stats, explain_kept, report, spans)
    outputs = Outputs(*(None if path is None else os.fspath(path) for path in paths))
    outputs.texts = names_of("text", config)
    outputs.schema = inputs.schema(outputs.said.append) if outputs.keeps_types() else None
    beside = (
        attribute_files(Path(attributes), inputs, sources, outputs)
        if attributes is not None
        else None
    )
    taken = [*spared, *files_of(index), *filter(None, [config.overrides])]
    taken += [item.path for item in inputs.inputs if item.path]
    outputs.check(taken, force=force)
    with _opened(index, config, progress) as seen, outputs:
        with Memory(config.memory_limit()) as memory:
            sink = Sink(outputs, discard, beside)
            result = run(inputs, sink, config, memory, progress, seen)
        commit = None
        if seen is not None and (outputs.writes or not discard):
            outputs.finish()
            seen.prepare()
            commit = seen.commit
        outputs.publish(commit)
    result.counts.encodings += outputs.said
    return result


def files_of(index: str | os.PathLike[str] | None) -> list[str]:
    """The files that an index lies in, while it is written to, too."""
    name = "" if index is None else os.fspath(index)
    return [os.path.realpath(name) + end for end in LOGS] if name else []


@contextmanager
def _opened(
    path: str | os.PathLike[str] | None, config: Config, progress: Progress | None
) -> Iterator[Index | None]:
    """An index that is being written to; what is not committed is forgotten."""
    if path is None:
        yield None
        return
    from dedup.index.index import Index  # noqa: PLC0415

    with closing(Index(path, config)) as index:
        index.begin(None if progress is None else lambda: progress(WAITING, 0, 0))
        yield index


def run(
    inputs: Inputs,
    sink: Sink,
    config: Config,
    memory: Memory,
    progress: Progress | None,
    index: Index | None = None,
    streamed: bool = False,
) -> Result:
    """Hand the data from stage to stage.

    Records that are `streamed` come in pieces, which are no runs of their own.
    """
    counts = Counts()
    decided = Overrides(read(config.overrides, config.seed) if config.overrides else [])
    batches = _batches(inputs, counts, sink, progress)
    words = lexicon.load(config.marker, config.seed)
    dated = config.keep == "earliest"
    corpus = build(batches, words, memory, config.workers, dated, config.level != "block")
    nothing = counts.empty or counts.rejected or (sink.paths and not inputs.inputs)
    if nothing and not (streamed or corpus.records):
        raise nothing_read(counts)
    counts.same_ids = corpus.same_ids()
    known = index.look(corpus, memory) if index is not None else None
    if known is not None:
        corpus = known.corpus
    prior = known.prior if known is not None else None
    rank = memory.keep(rank_of(corpus, config.keep))
    order = memory.keep(keeping_order(corpus, rank))
    groups = group(corpus.blocks, order, config, memory)
    counts.capped = groups.capped
    counts.sentences = needed(corpus, config.level)
    said = sentences(corpus, rank, config, memory) if counts.sentences else None
    stories, evidence, verdicts = _judge(corpus, groups, said, prior, rank, memory)
    decided.judge(corpus, verdicts)
    residue = verdicts.residue()
    if index is not None and known is not None:
        habits = counted(corpus, evidence, verdicts, prior)
        index.remember(known, groups, stories, evidence, residue, habits)
    leads = foremost_leads(corpus, groups, stories, evidence)
    groups = without(corpus.blocks, groups, residue, order, config, memory, leads)
    judge_repeats(corpus, groups, stories, evidence, verdicts, config)
    verdicts.parts = glued(
        corpus, stories, verdicts, evidence.words, words.common_tokens(), config.workers
    )
    if said is not None:
        verdicts.add_parts(shared_parts(corpus, said, verdicts, config, memory))
    verdicts.leave(config.keep_kind)
    decided.spare(corpus, verdicts)
    decided.tell(counts)
    counts.doubtful = doubtful(corpus, verdicts, config.max_removed)
    looked_at = {"kept", "report"} & sink.paths.keys()
    doubts = suspicious(corpus, evidence, verdicts) if looked_at else None
    names, sizes = _told(corpus, stories, known)
    judged = Judged(corpus, stories, names, sizes, evidence, verdicts, suspicious=doubts)
    judged = judged if streamed else named(judged)

    def rows(read: Bool) -> Iterator[Rows]:
        return inputs.rows(read, _tell(progress, "writing", inputs.size))

    write(judged, rows, config, counts, sink.put)
    if not (config.keep_empty or config.mode == "annotate"):  # which set nothing aside
        counts.without_text = int((np.diff(corpus.first[len(corpus.runs) :]) == 0).sum())
        counts.dropped -= counts.without_text
    if "stats" in sink.paths:
        sink.put("stats", summary.stats(counts, inputs.fields, judged.run_id))
    if sink.attributes is not None:
        write_attributes(judged, inputs, sink.attributes, sink.put)
    if "spans" in sink.paths:
        for line in prodigy_rows(judged, inputs):
            sink.put("spans", line)
    if "report" in sink.paths:
        from dedup.report import page, sights  # noqa: PLC0415 - Jinja and its like take time

        found = sights.sights(judged, lambda numbers: _texts(inputs, numbers, len(corpus.runs)))
        sink.put("report", page.render(counts, found, config, judged.run_id))
    return Result(counts, dict(inputs.fields), corpus, groups, sink.lines, sink.paths)


def nothing_read(counts: Counts) -> NothingRead:
    """What to say when there was not one record."""
    if counts.rejected:
        return NothingRead(counts.why_rejected[0], counts.rejected)
    if not counts.empty:
        return NothingRead("nothing to read: no input is named; name files, or give records")
    first, *others = counts.empty
    more = f", nor in {summary.many(len(others), 'other input')}" if others else ""
    return NothingRead(f"{first}: no records in it{more}; nothing was written")


def _judge(
    corpus: Corpus,
    groups: Groups,
    said: Sentences | None,
    prior: Prior | None,
    rank: I64,
    memory: Memory,
) -> tuple[I64, Evidence, Verdicts]:
    """Stories, the evidence they give, and what residue that tells.

    Residue is told by how many stories it stands in, stories by what is left without residue: the
    first round takes only copies for one story.
    """

    def told(residue: Bool, share: float) -> I64:
        if said is None:
            return memory.keep(find_stories(corpus, groups, rank, residue, share))
        out = residue[said.block]
        return memory.keep(find_stories(said.corpus, said.groups, rank, out, share))

    memory.relax()
    standing = stand(corpus, groups, memory, prior)

    def judged(stories: I64) -> tuple[Evidence, Verdicts]:
        memory.relax()
        evidence = gather(corpus, groups, standing, stories, memory, prior)
        memory.relax()
        verdicts = judge_residue(corpus, evidence, stories, memory, prior)
        if prior is not None:
            verdicts.hold(prior.residue)
        return evidence, verdicts

    copies = told(np.zeros(corpus.n, dtype=np.bool_), COPY_SHARE)
    evidence, verdicts = judged(copies)
    stories = told(verdicts.residue(), STORY_SHARE)
    if not np.array_equal(stories, copies):  # the same stories tell the same
        evidence, verdicts = judged(stories)
    return stories, evidence, verdicts


def _told(corpus: Corpus, stories: I64, known: Known | None) -> tuple[Sequence[str], I64]:
    """The id of the story that each record leads, and how many records tell it."""
    sizes = np.bincount(stories, minlength=corpus.records)
    if known is None:
        return corpus.ids, sizes
    names = list(corpus.ids)
    new = np.ones(corpus.records, dtype=np.bool_)
    new[list(known.stories)] = False
    fresh = np.bincount(stories[new], minlength=corpus.records)
    for record, (name, before) in known.stories.items():
        names[record], sizes[record] = name, before + fresh[record]
    return names, sizes


def is_warm() -> bool:
    """Whether the kernels were compiled on this machine before, so that a start takes no time."""
    return not compiled.missing()


def warm_up() -> None:
    """Compile the kernels that were not, so that no stage waits for them."""
    if is_warm():
        return
    compiled.compile_all()
    if is_warm():
        return
    # Where nothing can be kept, what is called is compiled.
    text = "كتب عمر رسالة طويلة إلى أهل القرية عن موسم الزيتون وسوق السبت"
    clean([{"text": f"{text}.\nموسم الزيتون\n{text} الجديد."}])


def _batches(
    inputs: Inputs, counts: Counts, sink: Sink, progress: Progress | None
) -> Iterator[Batch]:
    """The records, batch by batch; lines that are none are set aside."""
    for found in inputs.batches(_tell(progress, "reading", inputs.size)):
        if isinstance(found, Batch):
            if found.dump:
                counts.dumps[found.dump] = [
                    len(found.heads),
                    *(sum(what in head for head in found.heads) for what in ("title", "byline")),
                ]
            yield found
        else:
            counts.reject(f"{found.file}:{found.line}: {found.rule}")
            sink.put("rejected", jsonl.rejected_row(found))
    counts.encodings = list(inputs.encodings)
    counts.empty = dict(inputs.empty)
    for (name, told, left), rows in inputs.shapes.items():
        counts.shapes[f"{name}: {told}"] = [rows, *left]


def _texts(inputs: Inputs, numbers: Iterable[int], seen: int) -> dict[int, str]:
    """The original texts of some records of this run; `seen` records come before its own."""
    found: dict[int, str] = {}
    wanted, base = set(numbers), seen
    for rows in inputs.rows():
        mine = wanted.intersection(range(base, base + rows.size))
        found |= {number: rows.row(number - base).text for number in mine}
        base += rows.size
    return found


def _tell(progress: Progress | None, stage: str, total: int) -> Callable[[int], None] | None:
    if progress is None:
        return None
    done = 0

    def tell(more: int) -> None:
        nonlocal done
        done += more
        progress(stage, done, total)

    return tell


class Sink:
    """Where lines go: to the files, into memory when none takes the records, or nowhere."""

    def __init__(
        self,
        outputs: Outputs | None = None,
        discard: bool = False,
        attributes: dict[str, str] | None = None,
    ) -> None:
        self.attributes = attributes
        outputs = outputs or Outputs(None)
        self._outputs = outputs
        self.paths = outputs.paths
        self.lines: dict[str, list[bytes]] = {}  # some at a time
        self._keep = not discard and not outputs.takes("clean")

    def put(self, name: str, lines: Buffer) -> None:
        """Take lines of "clean", "removed", "dropped", "rejected", "kept" or "stats"."""
        if lines and self._outputs.takes(name):
            self._outputs.write(name, lines)
        elif lines and self._keep:
            self.lines.setdefault(name, []).append(bytes(lines))
