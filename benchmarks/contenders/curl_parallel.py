"""curl -Z with a configuration of all URLs, then sha256sum -c."""

import subprocess
import tempfile
from pathlib import Path

from benchmarks.job import Job


def run(job: Job) -> None:
    with tempfile.TemporaryDirectory() as folder:
        config, sums = Path(folder, "config"), Path(folder, "SHA256SUMS")
        config.write_text(
            "".join(
                f'url = "{job.url(item)}"\noutput = "{job.target(item)}"\n' for item in job.items
            )
        )
        sums.write_text("".join(f"{item.sha256}  {item.path}\n" for item in job.present))
        # --disable, which has to come first: no settings of the person who runs it
        command = ["curl", "--disable", "-Z", "--parallel-max", str(job.connections),
                   "--silent", "--fail", "--config", str(config)]  # fmt: skip
        if job.ca:
            command += ["--cacert", job.ca]
        subprocess.run(command, check=all(item.sha256 for item in job.items))
        subprocess.run(
            ["sha256sum", "--check", "--quiet", str(sums)], cwd=job.destination, check=True
        )
