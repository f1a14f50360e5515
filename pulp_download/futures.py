"""Futures that know their download, and how they come from the workers to the consumer."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future
from queue import SimpleQueue

from pulp_download.download import Download
from pulp_download.result import Result

# Futures that are handed over at once: waking the consumer costs as much as a small file.
_GROUP = 8


class DownloadFuture(Future[Result]):
    """A future that knows its ``download``. A cancelled download's future holds Cancelled."""

    def __init__(self, download: Download):
        super().__init__()
        self.download = download
        # Where it writes, so that no two live downloads of one batch write there.
        self._place = download.place

    def _settle(self, outcome: Result | BaseException) -> None:
        """Be done."""
        if isinstance(outcome, Result):
            self.set_result(outcome)
        else:
            self.set_exception(outcome)


class Handover:
    """What is done, in its order. ``put`` is for any thread, ``next`` for the consumer's.

    ``keep`` and ``flush`` are for one thread at a time, that of the worker at the helm: it hands
    over several at once, and whatever there is before it sleeps.
    """

    def __init__(self) -> None:
        self._queue: SimpleQueue[list[DownloadFuture] | None] = SimpleQueue()
        self._taken: deque[DownloadFuture] = deque()
        self._kept: list[DownloadFuture] = []
        self._is_closed = False

    def put(self, future: DownloadFuture) -> None:
        """Hand over one future now."""
        self._queue.put([future])

    def keep(self, future: DownloadFuture) -> None:
        """Hand over a future with the next ones."""
        self._kept.append(future)
        if len(self._kept) >= _GROUP:
            self.flush()

    def flush(self) -> None:
        """Hand over what was kept."""
        if self._kept:
            kept, self._kept = self._kept, []
            self._queue.put(kept)

    @property
    def is_ready(self) -> bool:
        """``next`` would return at once."""
        return bool(self._taken) or not self._queue.empty()

    def next(self) -> DownloadFuture | None:
        """Wait for the next future; None when this was closed."""
        while not self._is_closed:
            if self._taken:
                return self._taken.popleft()
            group = self._queue.get()
            if group is not None:
                self._taken.extend(group)
        return None

    def close(self) -> None:
        """Wake the consumer, and hand over nothing more."""
        self._is_closed = True
        self._queue.put(None)
