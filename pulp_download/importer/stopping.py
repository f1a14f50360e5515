"""Ending an importer's work from another thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pulp_download.download import Download
from pulp_download.errors import Cancelled
from pulp_download.result import Result


class Stopping:
    """What is to be stopped at this moment, and whether somebody has asked for it. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stop: Callable[[], object] | None = None
        self._is_asked = False

    def stop(self) -> None:
        """Stop what is going on and what comes of the same run, or else the next run."""
        with self._lock:
            self._is_asked = True
            stop = self._stop
        if stop is not None:
            stop()

    @contextmanager
    def answered(self) -> Iterator[None]:
        """Take what is asked before the end of the block for its run alone, not for a later one."""
        try:
            yield
        finally:
            with self._lock:
                self._is_asked = False

    def check(self) -> None:
        """Raise Cancelled if somebody has asked for the end."""
        if self._is_asked:
            raise Cancelled

    @contextmanager
    def of(self, stop: Callable[[], object]) -> Iterator[None]:
        """Have ``stop`` called for whoever asks for the end while the block runs."""
        with self._lock:
            self.check()
            self._stop = stop
        try:
            yield
        finally:
            with self._lock:
                self._stop = None

    def run(self, download: Download) -> Result:
        """Run a download that can be stopped."""
        with self.of(download.cancel):
            result = download.run()
        self.check()
        return result
