"""urllib3.PoolManager in a pool of threads."""

import urllib3

from benchmarks.contenders._storing import CHUNK, in_threads, store
from benchmarks.job import Item, Job


def run(job: Job) -> None:
    with urllib3.PoolManager(maxsize=job.connections, ca_certs=job.ca, retries=False) as manager:

        def fetch(item: Item) -> None:
            response = manager.request("GET", job.url(item), preload_content=False, timeout=30)
            try:
                if response.status == 404 and not item.sha256:
                    response.drain_conn()
                    return
                if response.status != 200:
                    raise ValueError(f"{response.status}: {item.path}")
                store(job, item, response.stream(CHUNK, decode_content=False))
            finally:
                response.release_conn()

        in_threads(job, fetch)
