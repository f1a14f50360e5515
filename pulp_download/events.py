"""What an observer is told while a download runs (see :mod:`~pulp_download.telling`)."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from pulp_download.errors import DownloadError, FailedTry

if TYPE_CHECKING:
    from pulp_download.download import Download
    from pulp_download.result import Result


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
