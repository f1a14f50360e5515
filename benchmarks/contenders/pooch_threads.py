"""pooch.retrieve in a pool of threads."""

import logging

import pooch

from benchmarks.contenders._storing import in_threads
from benchmarks.job import Item, Job


def run(job: Job) -> None:
    pooch.get_logger().setLevel(logging.ERROR)
    downloader = pooch.HTTPDownloader(verify=job.ca or True, timeout=30)

    def fetch(item: Item) -> None:
        pooch.retrieve(
            job.url(item),
            known_hash=f"sha256:{item.sha256}",
            fname=item.path,
            path=job.destination,
            downloader=downloader,
        )

    in_threads(job, fetch)
