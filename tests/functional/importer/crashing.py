"""Run the command and kill it at a given step; a program of its own.

Each line of standard input is a number and a destination, separated by a tab. A fork runs
``mirror`` of the URL that is the only argument, and kills itself when it is about to do its so many
step on files: opening, renaming, removing, locking. Its exit status, or minus the signal, is the
answer on standard output. Zero is a number that is never reached.
"""

from __future__ import annotations

import os
import signal
import sys
from itertools import count

from pulp_download.cli.main import run
from pulp_download.importer.importer import Importer  # what a fork is not to import each time

STEPS = frozenset(
    "open os.rename os.remove os.mkdir os.truncate os.utime shutil.copyfile fcntl.flock"
    " sqlite3.connect tempfile.mkdtemp shutil.rmtree".split()
)


def kill_at(step: int) -> None:
    """Have this process killed before its so many step from now."""
    steps = count(1)

    def audit(event: str, _: object) -> None:
        if event in STEPS and next(steps) == step:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(audit)


def main() -> None:
    assert Importer is not None
    for line in sys.stdin:
        step, _, dest = line.rstrip("\n").partition("\t")
        child = os.fork()
        if child == 0:
            os.dup2(os.open(os.devnull, os.O_RDWR), sys.stdout.fileno())
            kill_at(int(step))
            os._exit(run(["mirror", sys.argv[1], dest, "--quiet", "--no-progress"]))
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()
