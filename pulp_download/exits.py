"""What becomes of running batches where a process ends, or forks.

An interpreter that exits stops them, and a child lets go of what is its parent's.
"""

from __future__ import annotations

import os
import threading
import weakref
from typing import Protocol


class Stoppable(Protocol):
    """The workers of a batch, as they are known here."""

    is_forked: bool

    def stop(self) -> None:
        """End all that is under way."""


crews: weakref.WeakSet[Stoppable] = weakref.WeakSet()


def _stop_all() -> None:
    for crew in tuple(crews):
        crew.stop()


# Executor threads are joined before atexit handlers run, so a handler there would come too late to
# stop a running batch, and the process would wait for every download. There is no public way in;
# tests/unit/test_dependencies.py fails loudly when this one changes.
threading._register_atexit(_stop_all)  # type: ignore[attr-defined]


def _after_fork() -> None:
    for crew in tuple(crews):
        crew.is_forked = True


os.register_at_fork(after_in_child=_after_fork)
