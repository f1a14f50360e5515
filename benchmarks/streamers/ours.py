"""pulp_download's streamer, over a supplier that knows size and digest of each file."""

from __future__ import annotations

from twisted.web.server import Site

from benchmarks.job import Job
from pulp_download import DigestValidation, Download, Remote, SizeValidation
from pulp_download.streamer.twisted import site as streaming_site


class Listed:
    """The files of a job."""

    def __init__(self, job: Job):
        self._job = job
        self._remote = Remote(download_concurrency=job.connections)
        self._items = {item.path: item for item in job.items}

    def get_download(self, path: str) -> Download:
        item = self._items[path]
        validations = (SizeValidation(item.size), DigestValidation("sha256", item.sha256))
        return Download(self._job.url(item), validations=validations, remote=self._remote)


def site(job: Job) -> Site:
    return streaming_site(Listed(job))
