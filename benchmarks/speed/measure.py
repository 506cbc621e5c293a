"""Run one command and tell what it cost, as one line of JSON on standard output.

    python -I measure.py LOG COMMAND...

A process of its own, small and fresh: on Linux a child's peak memory begins with that of the
process that started it. CPU time is user and system time of the command and of all children it
waited for; peak memory is that of its largest process. The command's own output goes to LOG.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time


def measure(log: str, command: list[str]) -> dict[str, float]:
    with open(log, "wb") as output:
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=output, stderr=output)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    unit = 1 if sys.platform == "darwin" else 1024
    return {
        "wall": round(wall, 3),
        "cpu": round(usage.ru_utime + usage.ru_stime, 3),
        "peak_mb": round(usage.ru_maxrss * unit / 1e6, 1),
        "exit": process.returncode,
    }


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], sys.argv[2:])))
