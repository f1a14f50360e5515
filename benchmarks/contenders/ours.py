"""pulp_download: a batch with a remote."""

from pathlib import Path

from benchmarks.job import Job
from pulp_download import Batch, DigestValidation, Download, NotFound, Remote, SizeValidation
from pulp_download.mirrors.mirror import Mirrors


def run(job: Job) -> None:
    settings = {"connect_timeout": float(job.connect_timeout)} if job.mirrors else {}
    with Remote(ca_cert=job.ca, **settings) as remote:
        downloads = (
            Download(
                Mirrors(job.urls(item)) if job.mirrors else job.url(item),
                Path(job.destination, item.path),
                validations=[SizeValidation(item.size), DigestValidation("sha256", item.sha256)]
                if item.sha256
                else (),
                remote=remote,
                attachment=item.path,
            )
            for item in job.items
        )
        with Batch(downloads, concurrency=job.connections) as batch:
            for result in batch:
                error = result.exception()
                if error is not None and not isinstance(error, NotFound):
                    raise error
