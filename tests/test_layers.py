"""Imports point one way: up the list of the layers."""

from __future__ import annotations

import ast
from pathlib import Path

import dedup

PACKAGE = Path(dedup.__file__).parent
LAYERS = [
    "dedup.errors",
    "dedup.config",
    "dedup.settings",
    "dedup.records",
    "dedup.engines",
    "dedup.text",
    "dedup.sketch",
    "dedup.match",
    "dedup.judge",
    "dedup.formats",
    "dedup.index",
    "dedup.result",
    "dedup.finished",
    "dedup.restore",
    "dedup.report",
    "dedup.clean",
    "dedup.check",
    "dedup.compare",
    "dedup.stream",
    "dedup.adapters",
    "dedup.standard",
    "dedup.cli_index",
    "dedup.cli",
    "dedup.__main__",
]
# Inside a layer, too, files come in an order.
INSIDE = {
    "dedup.engines": "interrupts processes kept compiled memory threads",
    "dedup.text": "bits digest utf8 wrapping kernels arabic blocks lexicon dumps corpus",
    "dedup.sketch": "kernels minhash lsh",
    "dedup.match": "kernels verify groups order across passages stories sentences",
    "dedup.judge": (
        "evidence verdicts habits overrides kept credits related endings teasers glued judge"
    ),
    "dedup.formats": (
        "kernels encode lines given cells row again sections faults fields jsonl text columns "
        "publish packed ours outputs encodings spool archives shapes values tables written pages "
        "inputs cuts cleaned write annotations"
    ),
    "dedup.index": (
        "kernels address log rows segments store entries shared table seen remember index care"
    ),
    "dedup.report": "summary plain diff explain overlap sights page",
    "dedup.adapters": "extractors fields worker scrapy datatrove",
}


def place(module: str) -> tuple[int, int]:
    layer = next(i for i, name in enumerate(LAYERS) if f"{module}.".startswith(f"{name}."))
    files = INSIDE.get(LAYERS[layer], "").split()
    rest = module.removeprefix(LAYERS[layer]).lstrip(".").split(".")[0]
    return layer, files.index(rest) if rest else -1


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("dedup"):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            found |= {n if (PACKAGE.parent / f"{n.replace('.', '/')}.py").exists() else node.module
                      for n in names}  # fmt: skip
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.startswith("dedup")}
    return found - {"dedup"}


def test_imports_point_up_the_list_only():
    wrong = []
    for path in sorted(PACKAGE.rglob("*.py")):
        module = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
        if path.name == "__init__.py":
            continue
        wrong += [f"{module} imports {i}" for i in imports(path) if place(i) >= place(module)]
    assert wrong == []


def test_every_file_has_a_place():
    for path in PACKAGE.rglob("*.py"):
        if path.name != "__init__.py":
            place(".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts))


def test_heavy_imports_wait():
    """What `dedup --help` loads must not need NumPy or Numba."""
    light = {"errors.py", "config.py", "cli.py", "__init__.py", "__main__.py"}
    for name in light:
        tree = ast.parse((PACKAGE / name).read_text(encoding="utf-8"))
        for node in tree.body:
            names = [a.name for a in getattr(node, "names", [])] + [
                getattr(node, "module", "") or ""
            ]
            heavy = {"numpy", "numba", "datasketch", "orjson", "msgspec", "regex", "tqdm"}
            assert not {n.split(".")[0] for n in names} & heavy, name
