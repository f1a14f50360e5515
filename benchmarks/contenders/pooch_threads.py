"""pooch.retrieve in a pool of threads."""

import logging

import pooch

from benchmarks.contenders._storing import CHUNK, in_threads
from benchmarks.job import Item, Job


def run(job: Job) -> None:
    pooch.get_logger().setLevel(logging.ERROR)
    # Its own chunks are of 1 KiB, each flushed: that would decide about large files.
    downloader = pooch.HTTPDownloader(chunk_size=CHUNK, verify=job.ca or True, timeout=30)

    def fetch(item: Item) -> None:
        pooch.retrieve(
            job.url(item),
            known_hash=f"sha256:{item.sha256}",
            fname=item.path,
            path=job.destination,
            downloader=downloader,
        )

    in_threads(job, fetch)
