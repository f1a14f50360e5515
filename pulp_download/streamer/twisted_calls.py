"""Calls into the reactor's thread, which is woken once for all that come while it is away."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from typing import Any

log = logging.getLogger(__name__)


class Calls:
    """What the reactor's thread is to call, in the order of coming. Thread-safe.

    Twisted wakes its reactor for each ``callFromThread``, by a system call.
    """

    def __init__(self, reactor: Any):
        self._reactor = reactor
        self._calls: deque[Callable[[], None]] = deque()
        self._is_woken = False

    def soon(self, call: Callable[[], None]) -> None:
        """Have this called."""
        self._calls.append(call)  # then look: the other side looks, and then takes
        if not self._is_woken:
            self._is_woken = True
            self._reactor.callFromThread(self._go)

    def _go(self) -> None:
        self._is_woken = False
        while self._calls:
            try:
                self._calls.popleft()()
            except Exception:  # a bug in one must not keep the others waiting
                log.exception("a call failed")
