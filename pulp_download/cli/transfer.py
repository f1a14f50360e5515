"""Running downloads and reporting their ends: what ``get`` and ``mirror`` have in common."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Iterator

from pulp_download.batch import Batch
from pulp_download.cli.interruption import Interrupted, Interruption
from pulp_download.cli.options import Common
from pulp_download.cli.progress import display
from pulp_download.cli.report import Report
from pulp_download.cli.status import Status
from pulp_download.download import Download
from pulp_download.errors import Cancelled
from pulp_download.events import Event
from pulp_download.importer.telling import Listed, Settled, Teller
from pulp_download.remote import Remote
from pulp_download.settings import Settings


def transfer(
    downloads: Iterable[Download],
    options: Common,
    report: Report,
    interruption: Interruption,
) -> Status:
    """Run every download and report its end; return the command's status.

    An interruption stops what is running, and has its own status. What had been taken from the
    downloads by then, begun or not, is reported as cancelled.
    """
    status: Status | None = None
    taken: dict[Download, None] = {}
    shown = display(wanted=options.progress)
    report.begin()

    def observer(event: Event | Listed | Settled) -> None:
        assert isinstance(event, Event)
        report(event)
        shown(event)

    tell = Teller(observer)

    def each() -> Iterator[Download]:
        for download in downloads:
            taken[download] = None
            yield download

    batch = Batch(each(), concurrency=options.concurrency, observer=tell)
    try:
        with interruption.stopping(batch.close), shown, batch:
            for future in batch:
                del taken[future.download]
                tell.ended(future.download, future.exception())
                if report.is_closed:
                    break
    except Interrupted as interrupted:
        status = interrupted.status
    for download in taken:
        tell.ended(download, Cancelled(url=download.url.redacted))
    finished = report.finish()
    return finished if status is None else status


def connected(settings: Settings) -> Remote:
    """Return a remote whose session is there; InvalidInput now, not for every file."""
    remote = Remote(settings)
    _ = remote.session  # reads a netrc
    return remote


def log_to_stderr(*, verbose: bool) -> None:
    """Say what the library logs, of this library alone: others log URLs with their queries."""
    if verbose:
        logger = logging.getLogger("pulp_download")
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG)
