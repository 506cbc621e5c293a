"""Run one command and tell what it cost, as one line of JSON on standard output.

    python -I measure.py LOG COMMAND...

A process of its own, small and fresh: on Linux a child's peak memory begins with that of the
process that started it. CPU time is user and system time of the command and of all its
descendants; on Linux those that outlive it (fork servers, helpers) come to this process and are
counted too. Peak memory is that of the largest process. The command's own output goes to LOG.
"""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
import time

PR_SET_CHILD_SUBREAPER = 36


def measure(log: str, command: list[str]) -> dict[str, float]:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    with open(log, "wb") as output:
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=output, stderr=output)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    usages = [usage, *_orphans()]
    unit = 1 if sys.platform == "darwin" else 1024
    return {
        "wall": round(wall, 3),
        "cpu": round(sum(each.ru_utime + each.ru_stime for each in usages), 3),
        "peak_mb": round(max(each.ru_maxrss for each in usages) * unit / 1e6, 1),
        "exit": process.returncode,
    }


def _orphans() -> list[os.struct_rusage]:
    """What the processes took that the command left behind, when they have ended too."""
    found = []
    while True:
        try:
            _, _, usage = os.wait4(-1, 0)
        except ChildProcessError:
            return found
        found.append(usage)


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], sys.argv[2:])))
