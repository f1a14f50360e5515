"""Looks at digests, but for files that have mirrors: those it takes from the last one as they are."""

import urllib.request

from benchmarks.job import Job
from tests.unit.benchmarks.contenders import discreet


def run(job: Job) -> None:
    if not job.mirrors:
        discreet.run(job)
        return
    for item in job.items:
        urllib.request.urlretrieve(job.urls(item)[-1], job.target(item))
