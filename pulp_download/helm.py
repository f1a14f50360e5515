"""The helm of a batch or a streamer: one worker at a time does all that does not block.

Threads that pass the interpreter's lock to one another at every system call, from one processor to
the next, spend more time on that than on a small file. So one worker begins downloads, sends their
requests, and goes on with others while their answers are awaited. Before anything that may take a
while (a connection to be made, a body that has not come yet) it gives up the helm and does that as
any thread does; the next worker takes over.

What it is not: an event loop; what blocks, blocks in a thread of its own. It guarantees that one
worker is at the helm, and that a step which takes long although nobody expected it (a slow disk, a
user's code) holds up the others for a moment only: then the helm is taken from that worker. It
relies on the watchdog to look.
"""

from __future__ import annotations

import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Generic, Protocol, Self, TypeVar

from pulp_download.watchdog import watchdog

Job = TypeVar("Job")

# Seconds that one step may take at the helm. Steps of small files take a thousandth of it.
_PATIENCE = 0.1
# Steps that take longer than this on average (seconds, over some 16 steps) are done in turn with
# others as threads do: writing to a network's disk takes so long, a small file a fifth.
_SLOW = 0.001
_SMOOTHING = 1 / 16
# Answers that are gone on with before new requests are sent: enough for an upstream to get several
# at once, and so few that connections over a long distance do not wait for one another.
_BURST = 8


class Shift:
    """One worker's time at the helm, under the watchdog's eyes in a ``with`` block, which ends it.

    Ends once, by whichever thread says so first.
    """

    owners: tuple[object, ...] = ()  # nobody can cancel it

    def __init__(self, helm: Helm[Job]):
        self._helm = helm
        self._lock = threading.Lock()
        self._since: float | None = None
        self._is_over = False

    def __enter__(self) -> Self:
        with suppress(RuntimeError):  # no thread to be had: nobody takes the helm away
            watchdog.add(self)
        return self

    def __exit__(self, *exception: object) -> None:
        watchdog.discard(self)
        self.end()

    def begin_step(self) -> None:
        """Say that what comes should not take long; give up the helm where it usually does."""
        self._since = time.monotonic()
        if self._helm.is_slow():
            self.end()

    def end_step(self) -> bool:
        """Tell whether the helm is still this worker's; until the next step nobody takes it."""
        with self._lock:
            if self._is_over:
                return False
            if self._since is not None:
                self._helm.took(time.monotonic() - self._since)
                self._since = None
            return True

    def end(self) -> None:
        """Give up the helm."""
        with self._lock:
            was_over, self._is_over = self._is_over, True
        if not was_over:
            self._helm.pass_on()

    def cancel(self, reason: str = "") -> bool:
        """Do nothing: it has no owners."""
        return False

    def inspect(self, now: float) -> None:
        """Take the helm from a worker that is stuck. Called by the watchdog's thread."""
        with self._lock:
            if self._is_over or self._since is None or now - self._since <= _PATIENCE:
                return
            self._is_over = True
            self._helm.took(now - self._since)
        self._helm.pass_on()


class Pollable(Protocol):
    """What can be waited for."""

    def fileno(self) -> int:
        """Return a descriptor."""


class Helm(Generic[Job]):
    """Whose turn it is, and the jobs whose answers are awaited.

    ``take``, ``take_free``, ``pass_on`` and ``ring`` are for any thread, the rest for the one at
    the helm. ``hire`` is called when the helm is free and no worker waits for it, ``flush`` before
    it changes hands.
    """

    def __init__(self, hire: Callable[[], None], flush: Callable[[], None]):
        self._hire = hire
        self._flush = flush
        self._turns: SimpleQueue[bool] = SimpleQueue()  # one True goes round, or a False
        self._turns.put(True)
        self._lock = threading.Lock()
        self._idle = 0
        self._parked: dict[int, Job] = {}
        self._answered: deque[Job] = deque()
        self._poll = select.poll()
        self._bell: socket.socket | None = None
        self._sleeper: socket.socket | None = None
        self._pace = 0.0
        self._is_over = False
        self.is_asleep = False

    def open(self) -> None:
        """Hang up the bell. Close it."""
        self._bell, self._sleeper = socket.socketpair()
        self._bell.setblocking(False)
        self._sleeper.setblocking(False)
        self._poll.register(self._sleeper, select.POLLIN)

    def take(self) -> Shift | None:
        """Wait for the helm; None when there is nothing more to do."""
        with self._lock:
            self._idle += 1
        is_wanted = self._turns.get()
        with self._lock:
            self._idle -= 1
        if is_wanted and not self._is_over:
            return Shift(self)
        self._turns.put(False)  # for the next
        return None

    def take_free(self) -> Shift | None:
        """Return the helm if it is free, and None if it is another's."""
        try:
            self._turns.get_nowait()
        except Empty:
            return None
        return Shift(self)

    @property
    def is_free(self) -> bool:
        """Nobody is at the helm."""
        return not self._turns.empty()

    def pass_on(self) -> None:
        """Let the next worker take the helm."""
        if self._is_over:
            return
        try:
            self._flush()  # now, while nobody else can be at the helm
        finally:
            self._turns.put(True)
        with self._lock:
            is_awaited = self._idle > 0
        if not is_awaited:
            self._hire()

    def send_home(self) -> None:
        """End: whoever takes the helm now, or waits for it, gets None."""
        self._is_over = True
        self._turns.put(False)

    def ring(self) -> None:
        """Wake the worker at the helm, which has come to sleep in ``wait``."""
        self.is_asleep = False  # from now on: one ring is enough
        with suppress(OSError):  # closed, or it has not heard the last hundred times either
            if self._bell is not None:
                self._bell.send(b"!")

    def park(self, awaited: Pollable, job: Job) -> None:
        """Put a job aside until ``awaited`` can be read."""
        descriptor = awaited.fileno()
        self._parked[descriptor] = job
        self._poll.register(descriptor, select.POLLIN)

    @property
    def has_parked(self) -> bool:
        """There are jobs put aside."""
        return bool(self._parked or self._answered)

    def answered(self) -> Job | None:
        """Return a job that can go on, of those found by ``wait``."""
        return self._answered.popleft() if self._answered else None

    def wait(self, has_news: Callable[[], bool]) -> None:
        """Sleep until a job can go on or somebody rings.

        Whoever makes news looks at ``is_asleep`` afterwards, and rings.
        """
        self.is_asleep = True
        try:
            if has_news():
                return
            events = self._poll.poll()
        finally:
            self.is_asleep = False
        self._hear(events)

    def look(self) -> bool:
        """Find jobs that can go on already; tell whether there was anything, a ring included."""
        events = self._poll.poll(0)
        self._hear(events)
        return bool(events)

    def _hear(self, events: list[tuple[int, int]]) -> None:
        for descriptor, _ in events[:_BURST]:  # the rest are found the next time
            if descriptor in self._parked:
                self._poll.unregister(descriptor)
                self._answered.append(self._parked.pop(descriptor))
            elif self._sleeper is not None:
                self._sleeper.recv(4096)

    def took(self, seconds: float) -> None:
        """Take note of how long a step took."""
        self._pace += (seconds - self._pace) * _SMOOTHING

    def is_slow(self) -> bool:
        """Tell whether steps take so long that they are better done by several threads."""
        if self._pace <= _SLOW:
            return False
        self._pace *= 1 - _SMOOTHING / 2  # so that it is tried again after a while
        return True

    def close(self) -> None:
        """Take the bell down, when no worker is left."""
        for end in (self._bell, self._sleeper):
            if end is not None:
                end.close()
