"""Stores whatever comes, and fails when it finds out in the end."""

from benchmarks.job import Job
from tests.unit.benchmarks.contenders import careless


def run(job: Job) -> None:
    careless.run(job)
    if faults := job.faults():
        raise ValueError(faults[0])
