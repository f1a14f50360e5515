"""The threads that open and read on behalf of streams."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from pulp_download.download import Download
from pulp_download.streamer.steering import Job, Steering


class Pool:
    """At most ``threads`` threads that may block, and one that does not. Thread-safe.

    Opening and reading block for as long as upstream takes, so ``threads`` bounds how many silent
    upstreams leave room for others; a stream whose client is slow needs no thread meanwhile, nor
    does one whose answer is awaited. ``later``, of the loop, calls back when it has done what else
    there is to do just now, so that what comes together is begun together: a loop that is
    interrupted for each stream costs an eighth more.
    """

    def __init__(self, threads: int, later: Callable[[Callable[[], None]], object] | None = None):
        self._executor = ThreadPoolExecutor(threads + 1, thread_name_prefix="pulp-streamer")
        self._steering = Steering(self._submitted, self._end)
        self._later = later
        self._is_due = False
        self._lock = threading.Lock()
        self._waiting = 0
        self._openings: Counter[Download] = Counter()

    @property
    def is_awaited(self) -> bool:
        """Somebody's work waits for a thread."""
        return self._waiting > 0

    def submit(self, work: Callable[[], None]) -> None:
        """Have ``work`` done, which must not raise; after :meth:`close` in this thread."""
        if not self._submitted(work):
            work()

    def steer(self, job: Job) -> None:
        """Have a job done step by step, in the loop's thread; not after :meth:`close`."""
        self._steering.add(job)
        if self._later is None:
            self._steering.begin()
        elif not self._is_due:
            self._is_due = True
            self._later(self._begin)

    def tell(self, wake: Callable[[], None]) -> None:
        """Call ``wake``, or have it called with others in a moment."""
        self._steering.tell(wake)

    def enter(self, download: Download) -> None:
        """Count one more stream that has this download open, or is opening it."""
        with self._lock:
            self._openings[download] += 1

    def leave(self, download: Download) -> None:
        """Count one less."""
        with self._lock:
            self._openings[download] -= 1
            if not self._openings[download]:
                del self._openings[download]

    def is_shared(self, download: Download) -> bool:
        """Tell whether several streams have one download, so that cancelling it cancels others."""
        return self._openings[download] > 1

    def close(self) -> None:
        """Let the threads end when nothing is under way any more. Does not wait."""
        self._steering.close()

    def _begin(self) -> None:
        self._is_due = False
        self._steering.begin()

    def _submitted(self, work: Callable[[], None]) -> bool:
        """Have a thread do this; False if none takes it."""
        once = deque([work])

        def take() -> Callable[[], None] | None:
            with self._lock:
                self._waiting -= len(once)
                return once.pop() if once else None

        def begin() -> None:
            if (work := take()) is not None:
                work()

        with self._lock:
            self._waiting += 1
        try:
            self._executor.submit(begin)
        except RuntimeError:  # closed, or no more threads to be had, and then it is queued even so
            return take() is None
        return True

    def _end(self) -> None:
        self._executor.shutdown(wait=False)
