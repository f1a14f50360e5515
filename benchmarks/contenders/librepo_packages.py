"""librepo.download_packages, with the distribution's Python where its binding lives.

From mirrors with its own number of connections to each, 3: it fills the first ones of its list, and
with more of them the last ones idle.
"""

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
if job["mirrors"]:
    handle.urls = job["mirrors"]
    handle.maxdownloadspermirror = 3
    handle.connecttimeout = job["connect_timeout"]
base_url = None if job["mirrors"] else job["base_url"]
targets = [
    librepo.PackageTarget(path, handle=handle, base_url=base_url, dest=job["destination"],
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
