"""What one run tells its observer, if it has one.

An observer is any callable that takes one :class:`~pulp_download.events.Event`. It is called in the
worker's thread, in order for one download, interleaved for several. What is stopped while no worker
has it (queued in a batch, or between two tries) is told of by whoever stops it; for a time limit
that is the thread which keeps all of them. So it must be quick. One that raises is logged once and
dropped for the rest of the run. Without an observer no event is made.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pulp_download.download import Download
    from pulp_download.errors import DownloadError, FailedTry
    from pulp_download.events import Event
    from pulp_download.result import Result

Observer = Callable[["Event"], None]

log = logging.getLogger(__name__)

# Seconds between two Progressed events of one download: faster than anybody reads.
_PROGRESS_INTERVAL = 0.1


class Teller:
    """One run's line to its observer, dropped at the observer's first exception."""

    __slots__ = ("_download", "_events", "_observer", "_told_at", "has_observer")

    def __init__(self, download: Download | None, observer: Observer | None):
        self._download = download
        self._observer = observer
        self._told_at = 0.0
        self._events: Any = None
        self.has_observer = observer is not None
        if observer is not None:
            from pulp_download import events  # which a run without one never needs

            self._events = events

    def started(self) -> None:
        """Tell that the first try begins."""
        if self.has_observer:
            self._tell(self._events.Started)

    def progressed(self, received: int, total: int | None) -> None:
        """Tell of bytes, but not more often than anybody reads."""
        now = time.monotonic()
        if self.has_observer and now - self._told_at >= _PROGRESS_INTERVAL:
            self._told_at = now
            self._tell(self._events.Progressed, received, total)

    def try_failed(self, failed: FailedTry, wait: float | None) -> None:
        """Tell of a failed try, and when the next comes."""
        if self.has_observer:
            self._tell(self._events.TryFailed, failed, wait)

    def finished(self, result: Result | None, error: DownloadError | None, elapsed: float) -> None:
        """Tell that it is over."""
        if self.has_observer:
            self._tell(self._events.Finished, result, error, elapsed)

    def _tell(self, kind: Callable[..., Event], *facts: object) -> None:
        assert self._observer is not None
        try:
            self._observer(kind(self._download, *facts))
        except Exception:
            log.exception("an observer raised and is dropped for this run")
            self._observer = None
            self.has_observer = False


# What runs without an observer share.
SILENT = Teller(None, None)
