"""The floor: read each line as JSON and write it again, in one process.

python copy_floor.py IN.jsonl OUT.jsonl
"""

from __future__ import annotations

import sys

import orjson


def main(source: str, target: str) -> None:
    with open(source, "rb") as lines, open(target, "wb") as out:
        for line in lines:
            out.write(orjson.dumps(orjson.loads(line), option=orjson.OPT_APPEND_NEWLINE))


if __name__ == "__main__":
    main(*sys.argv[1:])
