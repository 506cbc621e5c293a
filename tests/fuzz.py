"""Coverage-guided fuzzing of a target: python tests/fuzz.py TARGET SECONDS.

Needs atheris, and runs the kernels uncompiled, so that it sees inside. What breaks a target lies in
out/fuzz/ and belongs into tests/cases/fuzz.jsonl, with the change that mends it.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ["NUMBA_DISABLE_JIT"] = "1"
import atheris

HERE = Path(__file__).resolve().parent
with atheris.instrument_imports(include=["dedup"]):
    from targets import TARGETS

PIECE = 150  # bytes of a sample at a time


def main(name: str, seconds: str) -> None:
    folder = HERE.parent / "out" / "fuzz"
    corpus = folder / name
    corpus.mkdir(parents=True, exist_ok=True)
    for sample in sorted((HERE.parent / "seeds").glob("*.*")):
        data = sample.read_bytes()
        for at in range(0, min(len(data), 60 * PIECE), PIECE):
            (corpus / f"{sample.stem}-{at}").write_bytes(data[at : at + PIECE])
    atheris.Setup(
        [
            sys.argv[0], f"-max_total_time={seconds}", f"-max_len={4 * PIECE}", "-timeout=60",
            f"-artifact_prefix={folder}/{name}-", "-print_final_stats=1", str(corpus),
        ],
        TARGETS[name],
    )  # fmt: skip
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
