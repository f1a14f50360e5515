"""aria2c with an input file that names each checksum.

From mirrors with "feedback", by which all of them are busy; "adaptive" stays with one that is good
and "inorder" with the first, which takes several times as long. One try per mirror: by default a
file that met a dead one waits for it five times.

Over FTP without its pool of connections: with it, 1.36 stops for seconds at one of the last files.
"""

import subprocess
import tempfile

from benchmarks.job import Job


def run(job: Job) -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as listed:
        for item in job.items:
            urls = "\t".join(job.urls(item)) if job.mirrors else job.url(item)
            listed.write(f"{urls}\n  out={item.path}\n")
            if item.sha256:
                listed.write(f"  checksum=sha-256={item.sha256}\n")
        listed.flush()
        command = [
            "aria2c", "--quiet", "--no-conf", "--file-allocation=none", "--check-integrity=true",
            f"--dir={job.destination}", f"--input-file={listed.name}",
            f"--max-concurrent-downloads={job.connections}",
            f"--max-connection-per-server={min(16, job.connections)}", "--split=1",
            "--max-download-result=10", "--console-log-level=error",
        ]  # fmt: skip
        if job.base_url.startswith("ftp"):
            command.append("--ftp-reuse-connection=false")
        if job.mirrors:
            command += ["--uri-selector=feedback", "--max-tries=1",
                        f"--connect-timeout={job.connect_timeout}"]  # fmt: skip
        if job.ca:
            command.append(f"--ca-certificate={job.ca}")
        subprocess.run(command, check=all(item.sha256 for item in job.items))
