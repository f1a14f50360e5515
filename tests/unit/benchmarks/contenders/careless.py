"""Stores whatever comes under its final name, and looks at no digest."""

import urllib.request

from benchmarks.job import Job


def run(job: Job) -> None:
    for item in job.items:
        urllib.request.urlretrieve(job.url(item), job.target(item))
