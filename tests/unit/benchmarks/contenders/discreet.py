"""Leaves out what does not have its digest, and says nothing of it."""

import hashlib
import urllib.request

from benchmarks.job import Job


def run(job: Job) -> None:
    for item in job.items:
        with urllib.request.urlopen(job.url(item)) as answer:
            body = answer.read()
        if hashlib.sha256(body).hexdigest() == item.sha256:
            job.target(item).write_bytes(body)
