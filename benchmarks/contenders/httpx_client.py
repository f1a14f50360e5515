"""httpx.Client in a pool of threads."""

import ssl

import httpx

from benchmarks.contenders._storing import in_threads, store
from benchmarks.job import Item, Job


def run(job: Job) -> None:
    limits = httpx.Limits(
        max_connections=job.connections, max_keepalive_connections=job.connections
    )
    verify = ssl.create_default_context(cafile=job.ca) if job.ca else True
    with httpx.Client(limits=limits, verify=verify, timeout=30) as client:

        def fetch(item: Item) -> None:
            with client.stream("GET", job.url(item)) as response:
                if response.status_code == 404 and not item.sha256:
                    response.read()
                    return
                response.raise_for_status()
                # Without a size: chunks of a size cost httpx copies of every byte.
                store(job, item, response.iter_raw())

        in_threads(job, fetch)
