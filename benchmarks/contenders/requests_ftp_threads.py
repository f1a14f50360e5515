"""requests-ftp as it stands, in a pool of threads.

Each file has a session of its own: an adapter keeps one connection, and threads that share it
disturb each other.
"""

import warnings

import requests

from benchmarks.contenders._storing import in_threads, store
from benchmarks.job import Item, Job

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # it imports cgi
    from requests_ftp.ftp import FTPAdapter


def run(job: Job) -> None:
    def fetch(item: Item) -> None:
        with requests.Session() as session:
            session.mount("ftp://", FTPAdapter())
            response = session.get(job.url(item), timeout=30)
            response.raise_for_status()
            store(job, item, [response.content])

    in_threads(job, fetch)
