"""Which part of a file is being fetched by whom, when several fetch it at once."""

from __future__ import annotations

import threading

from pulp_download.ranges import Span

# Bytes below which the rest of a part is not worth a request of its own.
_SMALLEST = 1 << 20


class Share:
    """A part that one of them fetches: ``position`` is the next byte, ``stop`` the first beyond."""

    __slots__ = ("position", "reserved", "stop")

    def __init__(self, position: int, stop: int):
        self.position = self.reserved = position
        self.stop = stop


class Shares:
    """A file of ``total`` bytes, of which those before ``start`` are there. Thread-safe.

    Whoever comes gets a part that nobody has, or half of what the slowest has left before it. Bytes
    are reserved before they are received, so that no byte is written by two.
    """

    def __init__(self, start: int, total: int):
        self.total = total
        self._lock = threading.Lock()
        self._active: list[Share] = []
        self._left = [Span(start, total)] if start < total else []
        self.received = start

    @property
    def is_done(self) -> bool:
        """Every byte is there."""
        with self._lock:
            return not self._left and not self._active

    def has_work(self) -> bool:
        """Tell whether somebody who came now would probably get a part."""
        with self._lock:
            return bool(self._left) or self._longest() is not None

    def take(self) -> Share | None:
        """Return a part to fetch, or None if no part is worth it."""
        with self._lock:
            if self._left:
                span = self._left.pop(0)
                assert span.stop is not None
                share = Share(span.start, span.stop)
            else:
                longest = self._longest()
                if longest is None:
                    return None
                middle = (longest.reserved + longest.stop) // 2
                share, longest.stop = Share(middle, longest.stop), middle
            self._active.append(share)
            return share

    def _longest(self) -> Share | None:
        """Return the part with the most left, if half of that is worth a request."""
        longest = max(self._active, key=lambda one: one.stop - one.reserved, default=None)
        if longest is None or longest.stop - longest.reserved < 2 * _SMALLEST:
            return None
        return longest

    def reserve(self, share: Share, count: int) -> int:
        """Return how many of so many bytes may be received next; 0 at the end of the part."""
        with self._lock:
            allowed = min(count, share.stop - share.position)
            share.reserved = share.position + allowed
            return allowed

    def advance(self, share: Share, count: int) -> None:
        """Take note that so many bytes are there."""
        with self._lock:
            share.position += count
            self.received += count

    def end(self, share: Share) -> None:
        """Give a part back; what is missing of it is for somebody else."""
        with self._lock:
            self._active.remove(share)
            if share.position == share.stop:
                return
            for before in self._active:
                if before.stop == share.position:  # who had it taken away may go on
                    before.stop = share.stop
                    return
            self._left.insert(0, Span(share.position, share.stop))
