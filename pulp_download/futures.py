"""Futures that know their download, and how they come from the workers to the consumer."""

from __future__ import annotations

import os
import threading
from collections import deque
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import Any

from pulp_download.download import Download
from pulp_download.opening import LOOK_UP
from pulp_download.result import Result


class DownloadFuture(Future[Result]):
    """A future that is done, and knows its ``download``; one that was cancelled holds Cancelled.

    Nobody ever sees one that is not done, so that what ``Future`` keeps for those who wait is there
    once, for all. Private names of ``concurrent.futures``, by which its ``wait`` and
    ``as_completed`` go; tests/unit/test_dependencies.py fails loudly when they change.
    """

    _state = "FINISHED"
    _condition = threading.Condition()
    _waiters = []  # noqa: RUF012 (nobody is ever woken by it)
    _done_callbacks: list[Any] = []  # noqa: RUF012 (a future that is done calls at once)

    def __init__(self, download: Download, outcome: Result | BaseException):
        self.download = download
        self._result, self._exception = (
            (outcome, None) if isinstance(outcome, Result) else (None, outcome)
        )

    def result(self, timeout: float | None = None) -> Result:
        """Return the result, or raise what came instead."""
        if self._result is not None:
            return self._result
        return super().result()

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Return what came instead of a result, or None."""
        return self._exception


class Handover:
    """What is done, in its order. ``put`` is for any thread, ``next`` for the consumer's.

    ``keep`` and ``flush`` are for one thread at a time, that of the worker at the helm: it hands
    over ``group`` at once, and whatever there is before it sleeps.
    """

    def __init__(self, group: int) -> None:
        self._group = group
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
        if len(self._kept) >= self._group:
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
            try:
                group = self._queue.get(timeout=LOOK_UP)
            except Empty:
                continue
            if group is not None:
                self._taken.extend(group)
        return None

    def close(self) -> None:
        """Wake the consumer, and hand over nothing more."""
        self._is_closed = True
        self._queue.put(None)


def _after_fork() -> None:
    DownloadFuture._condition = threading.Condition()  # a thread of the parent's may have held it


os.register_at_fork(after_in_child=_after_fork)
