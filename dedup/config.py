"""The one place where a setting has its name, default, range and help.

Flags, the Python API and the docs derive from `Config`; nothing restates a default.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from functools import lru_cache
from typing import Any

from dedup.errors import ConfigError, brief


def _setting(
    default: Any,
    help: str,
    *,
    choices: tuple[str, ...] = (),
    low: float | None = None,
    high: float | None = None,
    metavar: str = "",
    alias: str = "",
) -> Any:
    """A setting: its default tells its type; one whose default is () is a list of words."""
    return field(
        default=default,
        metadata={
            "help": help,
            "choices": choices,
            "low": low,
            "high": high,
            "metavar": metavar,
            "alias": alias,
        },
    )


KINDS = ("duplicate", "related", "byline", "boilerplate", "title")  # of what goes
LEAST_MEMORY = 512 << 20  # the program and its compiled kernels take a third of it
LEAST_RECORD = 1 << 10
_UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


@dataclass(frozen=True)
class Config:
    """Everything that decides which bytes come out, and by what means.

    Raises:
        ConfigError: a value lies outside its range or choices.
    """

    threshold: float = _setting(
        0.7,
        "blocks whose shingle sets have at least this Jaccard similarity say the same",
        low=0.3,
        high=1.0,
        metavar="J",
    )
    shingle: int = _setting(3, "tokens in a shingle (w)", low=1, high=9, metavar="W")
    num_perm: int = _setting(64, "MinHash permutations", low=16, high=1024, metavar="N")
    seed: int = _setting(
        1,
        "seed of all hashes; a secret one where texts may be built to be taken for others",
        low=0,
        high=2**32 - 1,
        metavar="N",
    )
    false_negative_weight: float = _setting(
        0.9995,
        "how much a missed pair weighs against a needless comparison when bands are chosen",
        low=0.5,
        high=0.9999,
        metavar="X",
    )
    max_candidates: int = _setting(
        1000,
        "comparisons for one block at most; how often that cuts something short is reported",
        low=1,
        high=10**9,
        metavar="N",
    )
    keep: str = _setting(
        "first",
        "which copy stays: the first in input order, the one of the longest record, or of the "
        "earliest date; or all versions of a story; or all copies, which are then only marked",
        choices=("first", "longest", "earliest", "all", "mark"),
        alias="--stories",
    )
    keep_kind: tuple[str, ...] = _setting(
        (), "leave what is of this kind in its text", choices=KINDS
    )
    marker: tuple[str, ...] = _setting(
        (),
        "words that mark page furniture on sites of your own, such as 'header=تابعونا على'; the "
        "roles are those of the lexicon",
        metavar="ROLE=WORDS",
    )
    same_source: tuple[str, ...] = _setting(
        (),
        "count the outlet OTHER as NAME, such as 'bbc.com=bbc.co.uk'",
        metavar="NAME=OTHER",
    )
    max_removed: float = _setting(
        1.0,
        "stop when page residue would take more than this share of an outlet's characters",
        low=0.0,
        high=1.0,
        metavar="SHARE",
    )
    mode: str = _setting(
        "remove",
        "take out what goes, or leave the text as it is and tell in the record what would go",
        choices=("remove", "annotate"),
    )
    overrides: str = _setting(
        "",
        "decisions of a reviewer that come before all rules, such as the report's buttons make",
        metavar="FILE.jsonl",
    )
    level: str = _setting(
        "auto",
        "what is compared: whole blocks, or their sentences too, which finds passages in blocks "
        "that differ; auto: sentences where most text stands in blocks longer than paragraphs",
        choices=("auto", "block", "sentence"),
    )
    extend: float = _setting(
        0.2,
        "lowest similarity at which a reworded block joins the passage of its matched neighbours; "
        "a quarter of it where it is all that stands between them",
        low=0.0,
        high=1.0,
        metavar="J",
    )
    id_field: str = _setting("", "field that holds the id", metavar="NAME")
    text_field: str = _setting("", "field that holds the text", metavar="NAME")
    title_field: str = _setting("", "field that holds the headline", metavar="NAME")
    abstract_field: str = _setting("", "field that holds the abstract", metavar="NAME")
    url_field: str = _setting("", "field that holds the address", metavar="NAME")
    date_field: str = _setting("", "field that holds the date", metavar="NAME")
    source_field: str = _setting("", "field that holds the outlet", metavar="NAME")
    keep_empty: bool = _setting(
        False, "keep records with nothing left in place, with an empty text"
    )
    memory: str = _setting(
        "",
        "spill to disk to stay under so much memory, such as 800M or 2G; the output is the same",
        metavar="SIZE",
    )
    max_record: str = _setting(
        "64M",
        "refuse a line or record of more bytes than this, which is never held in memory",
        metavar="SIZE",
    )
    workers: int = _setting(
        1,
        "threads that read, fold and compare at a time; the output is the same",
        low=1,
        high=256,
        metavar="N",
    )
    encoding: str = _setting(
        "",
        "what the inputs are in, such as windows-1256; found out and told for each if not given",
        metavar="NAME",
    )
    repair: bool = _setting(
        False, "mend text that was read in the wrong encoding, where that gains Arabic letters"
    )
    on_error: str = _setting(
        "skip",
        "a record that cannot be read: set it aside and go on, or stop",
        choices=("skip", "fail"),
    )

    def __post_init__(self) -> None:
        for setting in fields(self):
            value = getattr(self, setting.name)
            if setting.default == () and isinstance(value, list):
                object.__setattr__(self, setting.name, tuple(value))
            _check(setting, getattr(self, setting.name))
            if isinstance(setting.default, float):
                object.__setattr__(self, setting.name, float(value))
        self.memory_limit()
        self.record_limit()
        self._check_encoding()
        self.outlets()

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Config:
        """A config of settings by name.

        Raises:
            ConfigError: there is no such setting, or it cannot have that value.
        """
        names = [setting.name for setting in fields(cls)]
        for name in settings:
            if name not in names:
                import difflib  # noqa: PLC0415 - it takes a while

                near = difflib.get_close_matches(name, names, 1)
                hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(names)}"
                raise ConfigError(f"{brief(name)} is no setting; {hint}")
        return cls(**settings)

    def outlets(self) -> dict[str, str]:
        """What outlets are counted as, by `same_source`."""
        found = {}
        for entry in self.same_source:
            name, is_, other = (part.strip() for part in entry.partition("="))
            if not (name and is_ and other):
                raise ConfigError(
                    f"{flag_of('same_source')}: {brief(entry)} is not NAME=OTHER; "
                    "try bbc.com=bbc.co.uk"
                )
            found[other] = name
        return found

    def memory_limit(self) -> int | None:
        """Bytes to stay under, None for no limit."""
        return _size("memory", self.memory, LEAST_MEMORY) if self.memory else None

    def _check_encoding(self) -> None:
        try:  # to decode as it will be done: not every codec is one of text
            written = "{}\n".encode(self.encoding or "utf-8")
            codecs.getincrementaldecoder(self.encoding or "utf-8")("surrogateescape").decode(
                written
            )
        except (LookupError, ValueError, TypeError) as error:
            raise ConfigError(
                f"{flag_of('encoding')}: {brief(self.encoding)} is no encoding; try windows-1256"
            ) from error

    def record_limit(self) -> int:
        """Bytes of a line or record at most."""
        return _size("max_record", self.max_record, LEAST_RECORD)


@lru_cache(maxsize=64)
def _size(name: str, value: str, least: int) -> int:
    number = r"([0-9]{1,9}(?:\.[0-9]{1,9})?)"
    found = re.fullmatch(number + " *([KMG])(?:i?B)?", value, re.IGNORECASE)
    size = float(found[1]) * _UNITS[found[2].upper()] if found else 0.0
    if size < least:
        smallest = f"{least >> 20}M" if least >> 20 else f"{least >> 10}K"
        raise ConfigError(
            f"{flag_of(name)}: {brief(value)} is not a size of {smallest} or more; try 800M or 2G"
        )
    return int(size)


def flag_of(name: str) -> str:
    """The command-line flag of a setting."""
    return "--" + name.replace("_", "-")


def _check(setting: Field[Any], value: Any) -> None:
    flag, meta = flag_of(setting.name), setting.metadata
    default = setting.default
    if default is MISSING:  # pragma: no cover - every setting has a default
        raise ConfigError(f"{flag}: no default")
    if isinstance(default, tuple):
        _check_words(flag, value, meta["choices"])
        return
    right = isinstance(value, type(default)) or (
        isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool)
    )
    if not right or (isinstance(value, bool) and not isinstance(default, bool)):
        raise ConfigError(
            f"{flag}: {brief(value)} is not a {type(default).__name__}; the default is {default!r}"
        )
    if setting.name.endswith("_field") and re.search(r"""[\\"\x00-\x1f]""", value):
        raise ConfigError(
            f"{flag}: {brief(value)} has a quote, a backslash or a control character in it; "
            "rename the field in the input"
        )
    if meta["choices"] and value not in meta["choices"]:
        raise ConfigError(f"{flag}: {brief(value)} is not one of {', '.join(meta['choices'])}")
    low, high = meta["low"], meta["high"]
    if low is not None and not low <= value <= high:
        raise ConfigError(f"{flag}: {brief(value)} is not between {low} and {high}; try {default}")


def _check_words(flag: str, value: Any, choices: tuple[str, ...]) -> None:
    if not isinstance(value, tuple) or not all(isinstance(word, str) for word in value):
        raise ConfigError(f"{flag}: {brief(value)} is not a list of strings")
    for word in value:
        if choices and word not in choices:
            raise ConfigError(f"{flag}: {brief(word)} is not one of {', '.join(choices)}")
