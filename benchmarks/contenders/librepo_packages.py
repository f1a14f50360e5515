"""librepo.download_packages, with the distribution's Python where its binding lives."""

import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.job import Job

PYTHON = "/usr/bin/python3"

_SCRIPT = """
import json, sys
import librepo
job = json.load(open(sys.argv[1]))
handle = librepo.Handle()
handle.repotype = librepo.YUMREPO
handle.maxparalleldownloads = min(20, job["connections"])
handle.maxdownloadspermirror = min(20, job["connections"])
if job["ca"]:
    handle.sslcacert = job["ca"]
targets = [
    librepo.PackageTarget(path, handle=handle, base_url=job["base_url"], dest=job["destination"],
                          checksum_type=librepo.SHA256, checksum=digest, expectedsize=size)
    for path, size, digest in job["items"]
]
librepo.download_packages(targets)
failed = [target.err for target in targets if target.err]
if failed:
    sys.exit(failed[0])
"""


def run(job: Job) -> None:
    with tempfile.NamedTemporaryFile() as saved:
        job.save(Path(saved.name))
        subprocess.run([PYTHON, "-c", _SCRIPT, saved.name], check=True, stderr=sys.stderr)
