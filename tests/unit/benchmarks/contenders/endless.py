"""Waits for a tool that never ends, and leaves the tool's process number."""

import subprocess
from pathlib import Path

from benchmarks.job import Job


def run(job: Job) -> None:
    with subprocess.Popen(["sleep", "600"]) as tool:
        Path(job.destination, "tool").write_text(str(tool.pid))
        tool.wait()
