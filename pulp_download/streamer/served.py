"""What came of a request, for access logs and metrics."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from pulp_download.errors import DownloadError

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Served:
    """One request that is over.

    ``path`` is printable and has no query. ``sent`` counts bytes of the body given to the client's
    connection, ``upstream_seconds`` is the time from asking upstream to its head, None where it
    was not asked or did not answer. ``error`` is why the client got less than the file, None where
    the client itself left. ``is_complete``: the answer, whatever its status, was given whole.
    """

    client: str
    method: str
    path: str
    version: str
    status: int
    sent: int
    upstream_seconds: float | None
    seconds: float
    error: DownloadError | None
    is_complete: bool


# Called once for each request, in the event loop's thread; must be quick.
Observer = Callable[[Served], None]


def tell(served: Served, observer: Observer | None) -> None:
    """Call an observer, if there is one; what it raises is logged."""
    if observer is not None:
        try:
            observer(served)
        except Exception:
            log.exception("an observer failed; requests go on")


def log_failure(served: Served, error: BaseException) -> None:
    """Log why a client got less than the file; a traceback is for what nobody expects."""
    if isinstance(error, (DownloadError, LookupError)):
        log.info("%s %s: %s", served.status, served.path, error)
    else:
        log.error("%s %s: %s", served.status, served.path, type(error).__name__, exc_info=error)
