"""One contender's turn on one job, in a process of its own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.job import Job
from benchmarks.peers import Contender

# Nobody waits longer than this for one turn, in seconds.
PATIENCE = 600

# The modules of contenders are found from here.
_ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Turn:
    """What a contender's process said: its seconds, or the last line of its complaint."""

    seconds: float = 0.0
    fault: str = ""


def take(contender: Contender, job: Job, *, patience: float = PATIENCE) -> Turn:
    """Let a contender fetch a job's files into its destination.

    What it has started ends with it when it takes longer than ``patience`` seconds.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".json") as saved:
        job.save(Path(saved.name))
        command = [sys.executable, "-m", "benchmarks.contenders", contender.module, saved.name]
        with subprocess.Popen(
            command,
            cwd=_ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as process:
            try:
                said, complaint = process.communicate(timeout=patience)
            except subprocess.TimeoutExpired:
                return Turn(fault=f"not done within {patience:g} s")
            finally:
                if process.returncode is None:
                    os.killpg(process.pid, signal.SIGKILL)
    if process.returncode:
        return Turn(fault=(complaint.strip().splitlines() or ["failed"])[-1][:120])
    return Turn(seconds=float(said.split()[-1]))


@contextmanager
def folder() -> Iterator[Path]:
    """Yield a folder in memory if there is one: the disk is not what is compared."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="bench-", dir=memory) as name:
        yield Path(name)


@contextmanager
def destination(within: Path) -> Iterator[Path]:
    """Yield a path for the files of one turn, and remove them afterwards."""
    path = within / "destination"
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
