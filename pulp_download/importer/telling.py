"""What an importer tells besides what its downloads tell themselves."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from pulp_download.download import Download
from pulp_download.errors import DownloadError
from pulp_download.events import Event, Finished

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Listed:
    """The manifest is read and good: it lists ``files`` wanted ones, or None if nobody counted."""

    files: int | None


@dataclass(frozen=True, slots=True)
class Settled:
    """What came of a file without a run of its own.

    ``status`` is ``present``, ``downloaded`` (a list that was published), ``deleted``,
    ``cancelled`` with its ``error`` (a list that was withheld), ``would-download`` or
    ``would-delete``. ``url`` is redacted, and empty for what no source has.
    """

    path: str
    url: str
    status: str
    size: int | None = None
    digests: dict[str, str] = field(default_factory=dict)
    error: DownloadError | None = None


# Takes the events of downloads, in their workers' threads, and the importer's, in its caller's.
Observer = Callable[[Event | Listed | Settled], None]


class Teller:
    """A run's line to its observer: every download's end is told once.

    An observer that raises is logged and dropped. May be called from any thread.
    """

    def __init__(self, observer: Observer | None):
        self._observer = observer
        self._lock = threading.Lock()
        self._ended: set[Download] = set()

    @property
    def observer(self) -> Callable[[Event], None] | None:
        """What a batch is to be observed by: nothing, where nobody listens."""
        return None if self._observer is None else self

    def __call__(self, event: Event | Listed | Settled) -> None:
        if isinstance(event, Finished) and (event.result or event.error):
            with self._lock:
                self._ended.add(event.download)
        if self._observer is None:
            return
        try:
            self._observer(event)
        except Exception:
            log.exception("an observer raised and is dropped for this run")
            self._observer = None

    def ended(self, download: Download, error: BaseException | None) -> None:
        """Take a download's end from its future, and tell it if its run has not.

        What is no DownloadError is a bug; it is logged, and told as a failure without a reason.
        """
        if error is None and self._observer is None:
            return
        with self._lock:
            is_told = download in self._ended
            self._ended.discard(download)
        if is_told or error is None:
            return
        if not isinstance(error, DownloadError):
            log.error("a bug, or a broken observer", exc_info=error)
            error = DownloadError("failed")
        self(Finished(download, None, error, 0.0))
        with self._lock:
            self._ended.discard(download)
