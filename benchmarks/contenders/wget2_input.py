"""wget2 with an input file, then sha256sum -c."""

import subprocess
import tempfile
from pathlib import Path

from benchmarks.job import Job


def run(job: Job) -> None:
    with tempfile.TemporaryDirectory() as folder:
        listed, sums = Path(folder, "urls"), Path(folder, "SHA256SUMS")
        listed.write_text("".join(f"{job.url(item)}\n" for item in job.items))
        sums.write_text("".join(f"{item.sha256}  {item.path}\n" for item in job.present))
        command = ["wget2", "--no-config", "--quiet", "--no-robots",
                   f"--max-threads={job.connections}",
                   f"--input-file={listed}", f"--directory-prefix={job.destination}"]  # fmt: skip
        if job.ca:
            command.append(f"--ca-certificate={job.ca}")
        subprocess.run(command, check=all(item.sha256 for item in job.items))
        subprocess.run(
            ["sha256sum", "--check", "--quiet", str(sums)], cwd=job.destination, check=True
        )
