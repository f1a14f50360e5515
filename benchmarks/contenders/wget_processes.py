"""wget, which fetches one file at a time: a process per connection, then sha256sum -c."""

import subprocess
import tempfile
from pathlib import Path

from benchmarks.job import Job


def run(job: Job) -> None:
    with tempfile.TemporaryDirectory() as folder:
        sums = Path(folder, "SHA256SUMS")
        sums.write_text("".join(f"{item.sha256}  {item.path}\n" for item in job.present))
        running = []
        for number in range(job.connections):
            share = job.items[number :: job.connections]
            listed = Path(folder, f"urls-{number}")
            listed.write_text("".join(f"{job.url(item)}\n" for item in share))
            running.append(
                subprocess.Popen(["wget", "--no-config", "--quiet", f"--input-file={listed}",
                                  f"--directory-prefix={job.destination}"])
            )  # fmt: skip
        statuses = [process.wait() for process in running]
        if any(statuses):
            raise ValueError("wget failed")
        subprocess.run(
            ["sha256sum", "--check", "--quiet", str(sums)], cwd=job.destination, check=True
        )
