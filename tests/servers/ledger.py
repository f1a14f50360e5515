"""The record of one server: what was accepted, asked, held and broken, under one condition."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

from tests.servers.request import Request


class Watched(Protocol):
    """What has to be woken when the server ends."""

    def shut_down(self) -> None: ...


class Live(Watched, Protocol):
    """A connection, as far as the ledger must know it."""

    def peer_left(self) -> bool: ...


class Ledger:
    """Counts and lists that many connection threads write and tests read and wait for.

    Every change happens under ``changed`` and notifies it, so a test waits for a state instead of
    sleeping. A connection leaves the ledger before its descriptor is closed: what is in
    ``_live`` may be polled and shut down by any thread that holds ``changed``.
    """

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.stopping = threading.Event()
        self.accepted = 0
        self.peak = 0
        self.held = 0
        self.requests: list[Request] = []
        self.malformed: list[bytes] = []
        self.tls_failures: list[str] = []
        self.failures: list[BaseException] = []
        self._live: set[Live] = set()
        self._watched: set[Watched] = set()

    @property
    def open(self) -> int:
        """Connections now open at both ends.

        A connection whose peer has left does not count, even if its thread has yet to notice:
        otherwise a client that closes one connection and opens another would seem to hold two.
        """
        with self.changed:
            return sum(not live.peer_left() for live in self._live)

    def arrived(self, live: Live) -> None:
        with self.changed:
            self.accepted += 1
            self._live.add(live)
            self.peak = max(self.peak, self.open)
            self.changed.notify_all()

    def watch(self, other: Watched) -> None:
        """Shut ``other`` down with the connections; it is counted nowhere."""
        with self.changed:
            self._watched.add(other)
            if self.stopping.is_set():  # whoever stops the server may have been here already
                other.shut_down()

    def left(self, one: Watched) -> None:
        with self.changed:
            self._live.discard(one)
            self._watched.discard(one)
            self.changed.notify_all()

    def shut_down_all(self) -> None:
        """Wake every thread that waits for a peer; nothing can be sent or received after."""
        with self.changed:
            for one in (*self._live, *self._watched):
                one.shut_down()

    def saw(self, request: Request) -> None:
        with self.changed:
            self.requests.append(request)
            self.changed.notify_all()

    def saw_malformed(self, data: bytes) -> None:
        with self.changed:
            self.malformed.append(data)
            self.changed.notify_all()

    def tls_failed(self, reason: str) -> None:
        with self.changed:
            self.tls_failures.append(reason)
            self.changed.notify_all()

    def script_failed(self, error: BaseException) -> None:
        with self.changed:
            self.failures.append(error)
            self.changed.notify_all()

    def holding(self, step: int) -> None:
        with self.changed:
            self.held += step
            self.changed.notify_all()

    def wait_for(self, predicate: Callable[[], bool], timeout: float) -> None:
        """Return once ``predicate()`` holds; it is asked again after every change.

        Raises ``TimeoutError`` with the counts, and at once what a script failed with.
        """
        with self.changed:
            done = self.changed.wait_for(lambda: bool(self.failures) or predicate(), timeout)
            if self.failures:
                raise BaseExceptionGroup("scripts failed", self.failures)
            if not done:
                raise TimeoutError(f"not reached within {timeout} s: {self.summary()}")

    def summary(self) -> str:
        with self.changed:
            return (
                f"accepted={self.accepted} open={self.open} peak={self.peak} held={self.held} "
                f"requests={len(self.requests)} malformed={len(self.malformed)} "
                f"tls_failures={self.tls_failures}"
            )
