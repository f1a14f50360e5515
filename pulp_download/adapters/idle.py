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
        # Single steps of the interpreter, as in remove: this is done for every file.
        self._kept.pop(connection, None)  # taken and given back before this was told
        self._kept[connection] = weakref.ref(keeper)
        if len(self._kept) > self.limit:
            self._reduce()

    def remove(self, connection: object) -> None:
        """Take note that it is in use, or closed."""
        self._kept.pop(connection, None)

    def _reduce(self) -> None:
        """Close those that are idle longest, until there are as many as may be."""
        with self._lock:
            surplus = list(self._kept)[: len(self._kept) - self.limit]
            taken = [(connection, self._kept.pop(connection, None)) for connection in surplus]
        for connection, reference in taken:
            keeper = reference() if reference is not None else None
            if keeper is not None:
                keeper.close_idle(connection)

    def clear(self) -> None:
        """Forget all of them."""
        self._lock = threading.Lock()  # a forked child's may be held by a thread that it has not
        self._kept.clear()
