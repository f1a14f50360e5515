"""A limit in bytes a second, shared by all threads of a remote."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

# Seconds of the limit that may be had at once after a pause: small, so that five seconds are exact
# within a few per cent.
_BURST = 0.1
# The largest part of a second's bytes, as a divisor, that is read at a time; and the least bytes.
_PIECES_A_SECOND = 20
_SMALLEST_PIECE = 1024


class SpeedLimit:
    """A token bucket: whoever takes bytes is told how long to pause. Thread-safe.

    ``piece`` is the most that should be read at a time, so that pauses stay short. ``clock`` is
    monotonic seconds.
    """

    def __init__(self, bytes_per_second: int, *, clock: Callable[[], float] = time.monotonic):
        self.piece = max(_SMALLEST_PIECE, bytes_per_second // _PIECES_A_SECOND)
        self._rate = bytes_per_second
        self._clock = clock
        self._lock = threading.Lock()
        self._paid_until = clock()

    def take(self, count: int) -> float:
        """Take bytes; return seconds to pause before taking more."""
        with self._lock:
            now = self._clock()
            self._paid_until = max(self._paid_until, now - _BURST) + count / self._rate
            return max(0.0, self._paid_until - now)
