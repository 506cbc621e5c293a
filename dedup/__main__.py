"""The command `dedup`, which `python -m dedup` is, too."""

import gc
import sys

from dedup import cli


def main() -> None:
    """Run the command and end the process."""
    code = cli.main()
    gc.freeze()  # cycles go with the process; to look for them takes a tenth of a start
    sys.exit(code)


if __name__ == "__main__":
    main()
