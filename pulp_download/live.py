"""The runs that are under way, for those who hold a download only."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pulp_download.download import Download
    from pulp_download.run import Run


class LiveRuns:
    """The runs under way of each download, for those who hold the download only. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._runs: dict[Download, set[Run]] = {}

    def add(self, run: Run) -> None:
        with self._lock:
            self._runs.setdefault(run.download, set()).add(run)

    def discard(self, run: Run) -> None:
        with self._lock:
            runs = self._runs.get(run.download)
            if runs is not None:
                runs.discard(run)
                if not runs:
                    del self._runs[run.download]

    def of(self, download: Download) -> tuple[Run, ...]:
        """Return the runs of a download at this moment."""
        with self._lock:
            return tuple(self._runs.get(download, ()))


live = LiveRuns()


def _after_fork() -> None:
    live.__init__()  # type: ignore[misc]


os.register_at_fork(after_in_child=_after_fork)
