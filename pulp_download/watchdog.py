"""One clock for every worker's deadline, stall and cancel.

What it is: a thread that looks at every running transfer ten times a second and, when a limit has
passed, notes the verdict and shuts the transfer's socket down. That wakes a worker wherever it
blocks: connecting, in a TLS handshake, waiting for a head, or in a body that trickles.

What it is not: a timer per read. Sockets have no time-outs of their own, because those are per
system call and a peer that sends one byte a second never meets them.

What it guarantees: a stopped transfer ends at once (``stop`` acts in the caller's thread) and a
limit is noticed within a tick; a socket that has been detached is never touched again; when nothing
has been watched for a moment, or somebody asks it to rest, there is no thread.

What it relies on: workers ask ``check()`` whenever a read ends, for a socket that was shut down
looks like a clean end of file; nobody replaces a socket without ``attach``.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import math
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue
from typing import Protocol

log = logging.getLogger(__name__)

# Seconds between two looks; a limit is noticed at most this late.
TICK = 0.1
# Seconds for which the thread waits for more: starting it costs a tenth of a small download.
LINGER = 1.0

Timer = tuple[float, int, Callable[[], None]]


class Watched(Protocol):
    """What the watchdog looks at."""

    @property
    def owners(self) -> tuple[object, ...]:
        """Those in whose name it can be cancelled."""

    def inspect(self, now: float) -> None:
        """Judge by the clock, in the watchdog's thread."""

    def cancel(self, reason: str = "") -> bool:
        """Stop because somebody asked; tell whether that was the first time."""


class Watchdog:
    """The thread, and what it looks at. Thread-safe; one per process (:data:`watchdog`).

    Watches come and go with every transfer and take no lock: adding to a set, discarding from it
    and copying it are single steps of the interpreter. The lock is for timers, and for the thread's
    coming and going. It is entered and left in single steps too, and nothing is notified that has a
    lock in Python: what a signal's handler raises must not leave this thread waiting for ever.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._watches: set[Watched] = set()
        self._timers: list[Timer] = []
        self._order = itertools.count()
        self._left: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def add(self, watch: Watched) -> None:
        """Look at this watch until it is discarded."""
        self._watches.add(watch)
        if self._thread is None:
            try:
                self._start()
            except BaseException:
                self._watches.discard(watch)
                raise

    def discard(self, watch: Watched) -> None:
        """Look no longer."""
        self._watches.discard(watch)

    def cancel(self, owner: object, reason: str = "") -> bool:
        """Stop every watch of this owner; tell whether there was one to stop."""
        owned = [watch for watch in self._watches.copy() if any(o is owner for o in watch.owners)]
        return sum(watch.cancel(reason) for watch in owned) > 0

    def rest(self) -> None:
        """Send the thread home if there is nothing to look at, and wait until it is gone."""
        with self._lock:
            thread = self._thread
            if thread is None or not self._dismiss():
                return
        self._left.put(_look)
        if thread is not threading.current_thread():
            thread.join()

    def call_at(self, when: float, call: Callable[[], None]) -> Timer:
        """Call back, in the watchdog's thread, at a monotonic time; ``call`` must be quick.

        Returns what :meth:`call_off` takes.
        """
        timer = (when, next(self._order), call)
        with self._lock:
            heapq.heappush(self._timers, timer)
        if self._thread is None:
            self._start()
        else:
            self._left.put(_look)
        return timer

    def leave_to(self, call: Callable[[], None]) -> None:
        """Have something done in the thread; also a finalizer may ask, in any thread's midst."""
        self._left.put(call)

    def call_off(self, timer: Timer) -> None:
        """Forget a timer; it may be calling at this moment, or have called."""
        with self._lock, suppress(ValueError):
            self._timers.remove(timer)
            heapq.heapify(self._timers)

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                # Daemon: an interpreter that exits while somebody's thread downloads must not wait.
                thread = threading.Thread(target=self._run, name="pulp-watchdog", daemon=True)
                thread.start()  # which may fail: no more threads
                self._thread = thread

    def _dismiss(self) -> bool:
        """Tell the thread to go, with the lock held; False if somebody needs it."""
        if self._watches or self._timers:
            return False
        thread, self._thread = self._thread, None
        if self._watches:  # added between the two lines, by one who still saw a thread
            self._thread = thread
        return self._thread is None

    def _run(self) -> None:
        this = threading.current_thread()
        idle_since = time.monotonic()
        is_over = False
        while not is_over:
            due = []
            with suppress(Empty):
                due.append(self._left.get(timeout=self._until_next()))
            with self._lock:
                now = time.monotonic()
                if self._watches or self._timers:
                    idle_since = now
                is_over = self._thread is not this or (
                    now - idle_since > LINGER and self._dismiss()
                )
                while not is_over and self._timers and self._timers[0][0] <= now:
                    due.append(heapq.heappop(self._timers)[2])
            while not self._left.empty():
                due.append(self._left.get())
            for call in due:
                _guarded(call)
            for watch in self._watches.copy():
                _guarded(partial(watch.inspect, now))

    def _until_next(self) -> float:
        # Also when nothing is watched: what comes is watched from the next tick, and not woken for.
        with self._lock:
            first = self._timers[0][0] if self._timers else math.inf
        return min(TICK, max(0.0, first - time.monotonic()))


def _look() -> None:
    """Do nothing: who has it to do has looked around."""


def _guarded(call: Callable[[], None]) -> None:
    """Go on although one call has a bug: every clock and every stop depends on this thread."""
    try:
        call()
    except Exception:
        log.exception("the watchdog goes on")


watchdog = Watchdog()


def _after_fork() -> None:
    # The child has no watchdog thread, and a lock may be held by one that is gone.
    watchdog.__init__()  # type: ignore[misc]


os.register_at_fork(after_in_child=_after_fork)
