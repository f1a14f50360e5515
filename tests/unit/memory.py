"""What something takes of Python's memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import TypeVar

Outcome = TypeVar("Outcome")


def peak_of(work: Callable[[], Outcome]) -> tuple[Outcome, int]:
    """Return what the work returns, and the most bytes that it held at a time."""
    tracemalloc.start()
    try:
        return work(), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
