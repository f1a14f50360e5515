"""The plain loop: one requests.Session, a pool of threads, response.iter_content."""

import requests
from requests.adapters import HTTPAdapter

from benchmarks.contenders._storing import CHUNK, in_threads, store
from benchmarks.job import Item, Job


def run(job: Job) -> None:
    with requests.Session() as session:
        adapter = HTTPAdapter(pool_connections=job.connections, pool_maxsize=job.connections)
        session.mount("http://", adapter)
        session.mount("https://", adapter)

        def fetch(item: Item) -> None:
            # Said per request, because an environment's CA bundle beats the session's.
            trust = job.ca or True
            with session.get(job.url(item), stream=True, timeout=30, verify=trust) as response:
                if response.status_code == 404 and not item.sha256:
                    _ = response.content
                    return
                response.raise_for_status()
                store(job, item, response.iter_content(CHUNK))

        in_threads(job, fetch)
