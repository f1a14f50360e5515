"""Run one contender on one job in this process, and print how long it took."""

import importlib
import sys
import time
from pathlib import Path

from benchmarks.job import Job

name, job = sys.argv[1], Job.load(Path(sys.argv[2]))
contender = importlib.import_module(name)
Path(job.destination).mkdir(parents=True)
began = time.perf_counter()
contender.run(job)
print(time.perf_counter() - began)
