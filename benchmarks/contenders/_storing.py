"""What the Python peers share: a verified file under its final name, in a pool of threads."""

import hashlib
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

from benchmarks.job import Item, Job

CHUNK = 1 << 20


def store(job: Job, item: Item, chunks: Iterable[bytes]) -> None:
    """Hash and write the chunks beside the target, then rename."""
    target = job.target(item)
    digest = hashlib.sha256()
    temporary = f"{target}.part"
    with open(temporary, "wb") as file:
        for chunk in chunks:
            digest.update(chunk)
            file.write(chunk)
    if digest.hexdigest() != item.sha256:
        raise ValueError(f"wrong digest: {item.path}")
    os.replace(temporary, target)


def in_threads(job: Job, fetch: Callable[[Item], None]) -> None:
    """Call ``fetch`` for every item from as many threads as the job has connections."""
    with ThreadPoolExecutor(job.connections) as pool:
        for _ in pool.map(fetch, job.items):
            pass
