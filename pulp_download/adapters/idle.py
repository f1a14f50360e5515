"""Idle connections of all pools together, and how many may be kept."""

from __future__ import annotations

import threading
import weakref
from typing import Protocol


class Keeper(Protocol):
    """Whoever keeps an idle connection."""

    def close_idle(self, connection: object) -> None:
        """Close a connection if it is still idle."""


class Idle:
    """Keeps count of idle connections; the one that is idle longest goes when there are too many.

    Thread-safe. ``limit`` is how many may be kept over all hosts: as many as may be in use, for a
    connection to a host that nobody asks any more helps nobody. Keepers are not kept alive.
    """

    def __init__(self, limit: int):
        self.limit = limit
        self._lock = threading.Lock()
        self._kept: dict[object, weakref.ref[Keeper]] = {}

    def add(self, connection: object, keeper: Keeper) -> None:
        """Take note of a connection that is idle from now on."""
        surplus = []
        with self._lock:
            self._kept.pop(connection, None)  # taken and given back before this was told
            self._kept[connection] = weakref.ref(keeper)
            while len(self._kept) > self.limit:
                oldest = next(iter(self._kept))
                surplus.append((oldest, self._kept.pop(oldest)()))
        for unwanted, its_keeper in surplus:
            if its_keeper is not None:
                its_keeper.close_idle(unwanted)

    def remove(self, connection: object) -> None:
        """Take note that it is in use, or closed."""
        with self._lock:
            self._kept.pop(connection, None)

    def clear(self) -> None:
        """Forget all of them."""
        self._lock = threading.Lock()  # a forked child's may be held by a thread that it has not
        self._kept.clear()
