"""One clock for every worker's deadline, stall and cancel.

What it is: a thread that looks at every running transfer ten times a second and, when a limit has
passed, notes the verdict and shuts the transfer's socket down. That wakes a worker wherever it
blocks: connecting, in a TLS handshake, waiting for a head, or in a body that trickles.

What it is not: a timer per read. Sockets have no time-outs of their own, because those are per
system call and a peer that sends one byte a second never meets them.

What it guarantees: a stopped transfer ends at once (``stop`` acts in the caller's thread) and a
limit is noticed within a tick; a socket that has been detached is never touched again; when nothing
is watched there is no thread.

What it relies on: workers ask ``check()`` whenever a read ends, for a socket that was shut down
looks like a clean end of file; nobody replaces a socket without ``attach``.
"""

from __future__ import annotations

import heapq
import itertools
import os
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from pulp_download.errors import Cancelled, DownloadError, Stalled, TimedOut
from pulp_download.settings import TimeLimits

# Seconds between two looks; a limit is noticed at most this late.
TICK = 0.1


Timer = tuple[float, int, Callable[[], None]]


class Watch:
    """One transfer under the clock: its socket, its limits, its bytes, and the verdict on it.

    Made by the run, handed down to whatever connects and reads. ``received`` counts body bytes of
    the present try; the stall clock runs only between ``begin_read`` and ``end_read``, so a slow
    consumer, a parked stream or a full disk is no stall.
    """

    __slots__ = (
        "_deadline",
        "_lock",
        "_phase",
        "_reading_since",
        "_socket",
        "_waited",
        "_window_received",
        "_window_waited",
        "limits",
        "on_stop",
        "received",
        "started",
        "verdict",
    )

    def __init__(self, limits: TimeLimits):
        self.limits = limits
        self.verdict: DownloadError | None = None
        self.on_stop: Callable[[], None] | None = None
        self.started = time.monotonic()
        self.received = 0
        self._deadline: float | None = None
        self._phase: tuple[str, float, float] | None = None
        self._socket: socket.socket | None = None
        self._lock = threading.Lock()
        self._reading_since: float | None = None
        self._waited = self._window_waited = 0.0
        self._window_received = 0

    def start(self) -> None:
        """Start the clock of the total limit: queueing is over."""
        self.started = time.monotonic()
        if self.limits.total is not None:
            self._deadline = self.started + self.limits.total

    def begin_try(self) -> None:
        """Forget what ended the last try, unless it ends the run; raises that verdict."""
        with self._lock:
            if self.verdict is not None and not self.verdict.final:
                self.verdict = None
        self._phase = self._reading_since = None
        self.check()

    def begin(self, limit: str, seconds: float) -> None:
        """Start a phase that must end within ``seconds``, under the name of its limit."""
        self._phase = (limit, seconds, time.monotonic() + seconds)

    def end(self) -> None:
        """End the phase."""
        self._phase = None

    def remaining(self) -> float:
        """Return seconds left in the phase (0.0 when they are over)."""
        assert self._phase is not None
        return max(0.0, self._phase[2] - time.monotonic())

    def attach(self, sock: socket.socket) -> None:
        """Name the socket to shut down; raises the verdict if there is one already."""
        with self._lock:
            self._socket = sock
        self.check()

    def detach(self) -> None:
        """Forget the socket: it is about to be closed, or to serve another transfer."""
        with self._lock:
            self._socket = None

    def begin_read(self) -> None:
        self._reading_since = time.monotonic()

    def end_read(self, received: int) -> None:
        since = self._reading_since
        if since is not None:
            self._waited += time.monotonic() - since
            self._reading_since = None
        self.received += received

    def begin_body(self) -> None:
        """Start counting a try's body."""
        self.received = self._window_received = 0
        self._waited = self._window_waited = 0.0

    def check(self) -> None:
        """Raise the verdict, if there is one."""
        if self.verdict is not None:
            raise self.verdict

    def stop(self, verdict: DownloadError) -> bool:
        """End the transfer with this verdict, from any thread; tell whether it will stand.

        One that ends the run stands above one that ends a try, which the next try would forget.
        """
        with self._lock:
            if self.verdict is not None and (self.verdict.final or not verdict.final):
                return False
            self.verdict = verdict
            if self._socket is not None:
                shut_down(self._socket)
        if self.on_stop is not None:
            self.on_stop()
        return True

    def blame(self, verdict: DownloadError) -> None:
        """Replace a verdict by a more exact one, from the transfer's own thread, and raise it."""
        with self._lock:
            if self.verdict is None or not self.verdict.final:
                self.verdict = verdict
        self.check()

    def cancel(self) -> bool:
        """Stop because somebody asked."""
        return self.stop(Cancelled())

    def inspect(self, now: float) -> None:
        """Judge by the clock. Called by the watchdog's thread."""
        limits = self.limits
        if self._deadline is not None and now >= self._deadline:
            self.stop(TimedOut("total", limits.total or 0.0))
        phase = self._phase
        if phase is not None and now >= phase[2]:
            self.stop(TimedOut(phase[0], phase[1]))
        since = self._reading_since
        if since is None or phase is not None:
            return  # a phase has its own limit; the wait for a head is no slow body
        if now - since >= limits.read:
            self.stop(TimedOut("read", limits.read))
        waited = self._waited + (now - since)
        if limits.min_speed and waited - self._window_waited >= limits.stall_period:
            received = self.received - self._window_received
            if received < limits.min_speed * limits.stall_period:
                self.stop(Stalled(received, limits.stall_period, limits.min_speed))
            self._window_waited, self._window_received = waited, self.received


def shut_down(sock: socket.socket) -> None:
    """Wake whoever blocks on a socket, plain or TLS, without closing it."""
    with suppress(OSError):
        # The plain method: SSLSocket.shutdown would drop the TLS layer under its reader's feet.
        socket.socket.shutdown(sock, socket.SHUT_RDWR)


class Watchdog:
    """The thread, and what it looks at. Thread-safe; one per process (:data:`watchdog`)."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._watches: set[Watch] = set()
        self._timers: list[Timer] = []
        self._order = itertools.count()
        self._leases = 0
        self._thread: threading.Thread | None = None

    def add(self, watch: Watch) -> None:
        """Look at this watch until it is discarded."""
        with self._condition:
            self._watches.add(watch)
            self._wake()

    def discard(self, watch: Watch) -> None:
        """Look no longer. Ends the thread when this was the last."""
        with self._condition:
            self._watches.discard(watch)
            idle = self._stop_if_idle()
        _join(idle)

    def call_at(self, when: float, call: Callable[[], None]) -> Timer:
        """Call back, in the watchdog's thread, at a monotonic time; ``call`` must be quick.

        Only under a lease. Returns what :meth:`call_off` takes.
        """
        timer = (when, next(self._order), call)
        with self._condition:
            heapq.heappush(self._timers, timer)
            self._wake()
            self._condition.notify()
        return timer

    def call_off(self, timer: Timer) -> None:
        """Forget a timer; it may be calling at this moment, or have called."""
        with self._condition, suppress(ValueError):
            self._timers.remove(timer)
            heapq.heapify(self._timers)

    def lease(self) -> None:
        """Keep the thread although nothing is watched, for many short transfers in a row."""
        with self._condition:
            self._leases += 1

    def release(self) -> None:
        """End a lease."""
        with self._condition:
            self._leases -= 1
            idle = self._stop_if_idle()
        _join(idle)

    def _wake(self) -> None:
        if self._thread is None:
            # Daemon: an interpreter that exits while somebody's own thread downloads must not wait.
            thread = threading.Thread(target=self._run, name="pulp-watchdog", daemon=True)
            thread.start()  # which may fail: no more threads
            self._thread = thread

    def _stop_if_idle(self) -> threading.Thread | None:
        if self._watches or self._leases or self._thread is None:
            return None
        thread, self._thread = self._thread, None
        self._condition.notify()
        return thread

    def _run(self) -> None:
        this = threading.current_thread()
        while True:
            with self._condition:
                if self._thread is not this:
                    return
                self._condition.wait(self._until_next())
                if self._thread is not this:
                    return
                now = time.monotonic()
                watches = tuple(self._watches)
                due = []
                while self._timers and self._timers[0][0] <= now:
                    due.append(heapq.heappop(self._timers)[2])
            for call in due:
                call()
            for watch in watches:
                watch.inspect(now)

    def _until_next(self) -> float:
        # Also when nothing is watched: what comes is watched from the next tick, and not woken for.
        if not self._timers:
            return TICK
        return min(TICK, max(0.0, self._timers[0][0] - time.monotonic()))


def _join(thread: threading.Thread | None) -> None:
    if thread is not None and thread is not threading.current_thread():
        thread.join()


watchdog = Watchdog()


def _after_fork() -> None:
    # The child has no watchdog thread, and a lock may be held by one that is gone.
    watchdog.__init__()  # type: ignore[misc]


os.register_at_fork(after_in_child=_after_fork)
