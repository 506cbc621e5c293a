"""Is a template well-formed, and are its slots known?

python check.py OUTLET.json ...

Prints a line for each template; the first fault ends it with an error that names its place.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from make import SLOT, Item, Spec

LABELS = {"chrome", "related", "byline", "title", "caption", "body"}
OLD_SLOTS = {"title", "other", "elsewhere", "date", "url", "n", "N", "time"}
SLOTS = {*OLD_SLOTS, "day", "i", "ordinal", "later", "sooner", "year"}
PARTS = {"head", "after_title", "between", "after_body", "foot", "body_insert"}
GLUE = {"glue_before", "glue_between", "glue_after"}
STYLES = {"pages", "article", "glued"}
KINDS = ({"line"}, {"block"}, {"choice"}, {"take", "of"})
MANNER = {"p", "label", "repeat", "keep", "join", "wrap", "after", "shuffle", "inside"}
KEYS = {
    *("name", "about", "records", "style", "lists", "date", "parts"),
    *("format", "digits", "titles", "blank", "glue_p", "facts", "headline", "article", "variants"),
    "in_order",
}
FORMS = {"wrap", "links", "line", "clauses"}


class Fault(ValueError):
    """What is wrong with a template, and where."""


class Check:
    """One template's check; counts its lines."""

    def __init__(self, spec: Spec) -> None:
        self.spec, self.lines = spec, 0

    def must(self, holds: bool, *said: Any) -> None:
        """Raises a fault if something does not hold."""
        if not holds:
            raise Fault(f"{self.spec.get('name')}: " + " ".join(map(str, said)))

    def text(self, text: str) -> None:
        """A text whose slots must be known."""
        for m in SLOT.finditer(text):
            known = m[1] in SLOTS or m[1] in self.spec["lists"] or ".." in m[1]
            self.must(known, "unknown slot", m[0], "in", text)

    def item(self, item: Item) -> None:
        """An item and those in it."""
        if isinstance(item, str):
            self.lines += 1
            self.text(item)
            return
        self.must(isinstance(item, dict), "neither text nor object:", item)
        kind = set(item) - MANNER
        self.must(kind in KINDS, "keys", sorted(item), "in", item)
        self.must(item.get("label", "chrome") in LABELS, "label in", item)
        self.must(0 <= item.get("p", 1) <= 1, "p in", item)
        for key in ("repeat", "take"):
            if key in item:
                self.must(len(item[key]) == 2 and min(item[key]) >= 0, key, "in", item)
        for name in item.get("keep", ()):
            self.must(name in SLOTS or name in self.spec["lists"], "unknown slot to keep", name)
        if "line" in item:
            self.lines += 1
            self.text(item["line"])
        for inner in item.get("block") or item.get("choice") or item.get("of") or ():
            self.item(inner)

    def parts(self, parts: dict[str, list[Item]]) -> None:
        """The parts of a page."""
        for name, items in parts.items():
            self.must(name in PARTS | GLUE, "unknown part", name)
            for item in items:
                if name in GLUE:
                    self.must(isinstance(item, str), name, "takes texts only:", item)
                self.item(item)

    def all(self) -> int:
        """The whole template; returns how many lines it has."""
        spec = self.spec
        for key in ("name", "about", "records", "style", "lists", "date", "parts"):
            self.must(key in spec, "lacks", key)
        self.must(set(spec) <= KEYS, "unknown keys", sorted(set(spec) - KEYS))
        self.must(spec["style"] in STYLES, "style", spec["style"])
        self.must(bool(spec["date"]) and spec["records"] > 0, "date or records")
        for name, values in spec["lists"].items():
            self.must(name not in OLD_SLOTS, "a list has the name of a slot:", name)
            self.must(bool(values), "an empty list")
            for value in values:
                self.text(value)
        self.parts(spec["parts"])
        for other in spec.get("variants", ()):
            self.must(
                "p" in other and set(other) <= KEYS | {"p", "title"}, "variant", sorted(other)
            )
            self.parts(other.get("parts", {}))
        for name in spec.get("in_order", ()):
            self.must(name in spec["lists"], "unknown list", name)
        for name in spec.get("facts", ()):
            self.must(name in SLOTS or name in spec["lists"], "unknown fact", name)
        for title in spec.get("headline", ()):
            self.text(title)
        for part in (spec, *spec.get("variants", ())):
            form = part.get("article", {}).get("form", "wrap")
            self.must(form in FORMS, "form", form)
        return self.lines


def main(argv: Sequence[str]) -> None:
    """Checks all templates named."""
    for name in argv:
        path = Path(name)
        spec = json.loads(path.read_text("utf8"))
        check = Check(spec)
        check.must(spec.get("name") == path.stem, "lies in", path.name)
        print(path.name, "ok", check.all(), "lines")


if __name__ == "__main__":
    main(sys.argv[1:])
