"""The threads that open and read on behalf of streams."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from pulp_download.download import Download


class Pool:
    """At most ``threads`` threads, made on demand. Thread-safe.

    Opening and reading block for as long as upstream takes, so ``threads`` bounds how many silent
    upstreams leave room for others; a stream whose client is slow needs no thread meanwhile.
    """

    def __init__(self, threads: int):
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="pulp-streamer")
        self._lock = threading.Lock()
        self._waiting = 0
        self._openings: Counter[Download] = Counter()

    @property
    def is_awaited(self) -> bool:
        """Somebody's work waits for a thread."""
        return self._waiting > 0

    def submit(self, work: Callable[[], None]) -> None:
        """Have ``work`` done, which must not raise; after :meth:`close` in this thread."""

        def begin() -> None:
            with self._lock:
                self._waiting -= 1
            work()

        with self._lock:
            self._waiting += 1
        try:
            self._executor.submit(begin)
        except RuntimeError:
            begin()

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
        """Let the threads end, each after the work it has. Does not wait."""
        self._executor.shutdown(wait=False)
