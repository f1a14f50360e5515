"""What an observer is told while a download runs.

An observer is any callable that takes one event. It is called in the worker's thread, in order for
one download, interleaved for several; it must be quick. One that raises is logged once and dropped
for the rest of the run. Without an observer no event is made.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from pulp_download.errors import DownloadError
from pulp_download.tries import FailedTry

if TYPE_CHECKING:
    from pulp_download.download import Download
    from pulp_download.result import Result


log = logging.getLogger(__name__)

# Seconds between two Progressed events of one download: faster than anybody reads.
_PROGRESS_INTERVAL = 0.1


@dataclass(frozen=True, slots=True)
class Event:
    """Something happened to ``download``."""

    download: Download

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle without the download's remote and credentials: events go to logs and queues."""
        values = [getattr(self, fact.name) for fact in fields(self)]
        return type(self), (self.download.without_remote(), *values[1:])


@dataclass(frozen=True, slots=True)
class Started(Event):
    """The first try begins; queueing is over."""


@dataclass(frozen=True, slots=True)
class Progressed(Event):
    """``received`` bytes of this try so far, of ``total`` if known. At most 10 a second."""

    received: int
    total: int | None


@dataclass(frozen=True, slots=True)
class TryFailed(Event):
    """A try failed; the next comes in ``wait`` seconds, or never if ``wait`` is None."""

    failed: FailedTry
    wait: float | None


@dataclass(frozen=True, slots=True)
class Finished(Event):
    """It is over, after ``elapsed`` seconds: a ``result``, or the ``error`` that the caller sees.

    Neither after a bug, which the caller sees as it is.
    """

    result: Result | None
    error: DownloadError | None
    elapsed: float


Observer = Callable[[Event], None]


class Teller:
    """One run's line to its observer, dropped at the observer's first exception."""

    __slots__ = ("_download", "_observer", "_told_at", "has_observer")

    def __init__(self, download: Download | None, observer: Observer | None):
        self._download = download
        self._observer = observer
        self._told_at = 0.0
        self.has_observer = observer is not None

    def tell(self, kind: Callable[..., Event], *facts: object) -> None:
        """Make an event and hand it over, if anybody listens."""
        if self._observer is None:
            return
        try:
            self._observer(kind(self._download, *facts))
        except Exception:
            log.exception("an observer raised and is dropped for this run")
            self._observer = None
            self.has_observer = False

    def progressed(self, received: int, total: int | None) -> None:
        """Tell of bytes, but not more often than anybody reads."""
        now = time.monotonic()
        if now - self._told_at >= _PROGRESS_INTERVAL:
            self._told_at = now
            self.tell(Progressed, received, total)


# What runs without an observer share.
SILENT = Teller(None, None)
