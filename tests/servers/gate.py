"""A gate in front of any step of a script: requests pile up behind it, the test lets them on."""

from __future__ import annotations

import os

from tests.servers.conversation import Conversation
from tests.servers.ledger import Ledger

ALWAYS = 1 << 62  # permits that no test uses up


class Gate:
    """A script step that waits until the test opens it, or its client leaves.

    A gate is a semaphore that can be polled together with a socket (``eventfd``), so neither a
    client that leaves nor the server's end has to wait for the gate. Made by
    ``Listener.gate()``; the server closes it. Who waits is counted in the server's ``held``.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._permits = os.eventfd(0, os.EFD_SEMAPHORE | os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self.waiting = 0

    def __call__(self, conn: Conversation, request: object) -> None:
        self._count(+1)
        try:
            while True:
                conn.wait_or_leave(self._permits)
                try:
                    os.eventfd_read(self._permits)
                except BlockingIOError:  # another one took the permit
                    continue
                return
        finally:
            self._count(-1)

    def wait_for(self, count: int, timeout: float = 10.0) -> None:
        """Return when ``count`` requests wait here; ``TimeoutError`` if that does not come."""
        self._ledger.wait_for(lambda: self.waiting >= count, timeout)

    def let(self, count: int = 1) -> None:
        """Let ``count`` requests pass, waiting ones or coming ones."""
        os.eventfd_write(self._permits, count)

    def open(self) -> None:
        """Let every request pass from now on. Once only."""
        self.let(ALWAYS)

    def close(self) -> None:
        """Give the descriptor back; no request may be waiting."""
        os.close(self._permits)

    def _count(self, step: int) -> None:
        with self._ledger.changed:
            self.waiting += step
            self._ledger.holding(step)
