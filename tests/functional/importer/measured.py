"""Run the command, and write down the most memory that it took; a program of its own.

The number of bytes goes to the file that ``MEASURED`` names. It is of this program alone: what
``getrusage`` tells of a child includes what its parent had before it became this program.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from pulp_download.cli.main import run

MEASURED = "MEASURED"


def peak_memory() -> int:
    """The most memory that this process ever had, in bytes (Linux)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == "VmHWM":
            return int(value.split()[0]) * 1024
    raise AssertionError("no VmHWM")


if __name__ == "__main__":
    status = run(sys.argv[1:])
    Path(os.environ[MEASURED]).write_text(str(peak_memory()))
    sys.exit(status)
