"""One transfer under the clock: its socket, its limits, its bytes, and the verdict on it."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from pulp_download.errors import Cancelled, DownloadError, Stalled, TimedOut
from pulp_download.settings import TimeLimits

if TYPE_CHECKING:
    from pulp_download.rivals import Rivals
    from pulp_download.speed import SpeedLimit
    from pulp_download.turns import Turn


_AT_ONCE = struct.pack("ii", 1, 0)  # struct linger: on, and no second


class Watch:
    """What the :mod:`~pulp_download.watchdog` looks at, and whatever connects and reads asks.

    Made by the run, handed down. ``turn`` is the run's place at a host, ``speed`` a limit for it,
    ``rivals`` the mirrors that it may be left for. ``owners`` are those in whose name it can be
    stopped. ``received`` counts body bytes of the present try as they are read, ``delivered`` as
    they are handed on; the stall clock runs only between ``begin_read`` and ``end_read``, so a slow
    consumer, a parked stream or a full disk is no stall. Nor is it a reason to leave for a rival,
    whose clock runs while upstream is waited for: in a phase, or in a read.
    """

    __slots__ = (
        "_awaited",
        "_deadline",
        "_lock",
        "_phase",
        "_reading_since",
        "_sleeper",
        "_socket",
        "_waited",
        "_window_received",
        "_window_waited",
        "delivered",
        "limits",
        "on_block",
        "on_stop",
        "owners",
        "received",
        "rivals",
        "speed",
        "started",
        "turn",
        "verdict",
    )

    def __init__(self, limits: TimeLimits, owners: tuple[object, ...] = ()):
        self.limits = limits
        self.owners = owners
        self.verdict: DownloadError | None = None
        self.on_block: Callable[[], None] | None = None
        self.on_stop: Callable[[], None] | None = None
        self.turn: Turn | None = None
        self.speed: SpeedLimit | None = None
        self.rivals: Rivals | None = None
        self.delivered = 0
        self.started = 0.0
        self.received = 0
        self._deadline: float | None = None
        self._phase: tuple[str, float, float] | None = None
        self._socket: socket.socket | None = None
        self._lock = threading.Lock()
        self._reading_since: float | None = None
        self._waited = self._window_waited = 0.0
        self._awaited = 0.0
        self._window_received = 0
        self._sleeper: threading.Event | None = None

    def start(self) -> None:
        """Start the clock of the total limit: queueing is over."""
        self.started = time.monotonic()
        if self.limits.total is not None:
            self._deadline = self.started + self.limits.total

    def begin_try(self) -> None:
        """Forget what ended the last try, unless it ends the run; raises that verdict."""
        self._phase = self._reading_since = self.rivals = None
        self._awaited = 0.0
        self.delivered = 0
        if self.verdict is not None:
            with self._lock:
                if not self.verdict.final:
                    self.verdict = None
            self.check()

    def begin(self, limit: str, seconds: float) -> None:
        """Start a phase that must end within ``seconds``, under the name of its limit."""
        if self._phase is not None:
            self.end()
        self._phase = (limit, seconds, time.monotonic())

    def end(self) -> None:
        """End the phase."""
        phase, self._phase = self._phase, None
        if phase is not None:
            self._awaited += time.monotonic() - phase[2]

    def remaining(self) -> float:
        """Return seconds left in the phase (0.0 when they are over)."""
        assert self._phase is not None
        _, seconds, since = self._phase
        return max(0.0, since + seconds - time.monotonic())

    def attach(self, sock: socket.socket) -> None:
        """Name the socket to shut down; raises the verdict if there is one already."""
        self._socket = sock  # then look: whoever stops puts the verdict first, and then looks here
        if self.verdict is not None:
            raise self.verdict

    def detach(self) -> None:
        """Forget the socket: it is about to be closed, or to serve another transfer."""
        with self._lock:
            self._socket = None

    def begin_read(self) -> None:
        self._reading_since = time.monotonic()

    def end_read(self, received: int) -> None:
        since, self._reading_since = self._reading_since, None
        if since is not None:
            seconds = time.monotonic() - since
            self._waited += seconds
            if self._phase is None:  # which counts its own time
                self._awaited += seconds
        self.received += received

    def begin_body(self) -> None:
        """End the phase, and start counting a try's body."""
        self.end()
        self.received = self._window_received = 0
        self._waited = self._window_waited = 0.0

    def took(self, count: int) -> None:
        """Count bytes that were handed on, and pause if there is a limit to their speed."""
        self.delivered += count
        if self.speed is not None:
            self._pause(self.speed.take(count))

    def _pause(self, seconds: float) -> None:
        """Do nothing for so long, or until the verdict, which is raised."""
        if seconds <= 0:
            return
        self.may_block()
        self._sleeper = threading.Event()  # then look, as in attach
        if self.verdict is None:
            self._sleeper.wait(seconds)
        self._sleeper = None
        self.check()

    def may_block(self) -> None:
        """Tell whoever has made this thread hurry that it may now take a while."""
        if self.on_block is not None:
            tell, self.on_block = self.on_block, None
            tell()

    def check(self) -> None:
        """Raise the verdict, if there is one."""
        if self.verdict is not None:
            raise self.verdict

    def forget_rivals(self) -> None:
        """Be left for no other mirror: from now on somebody else's pace may be what is slow."""
        with self._lock:
            self.rivals = None
        self.check()

    def stop(self, verdict: DownloadError, *, by: Rivals | None = None) -> bool:
        """End the transfer with this verdict, from any thread; tell whether it will stand.

        One that ends the run stands above one that ends a try, which the next try would forget.
        ``by`` are the rivals that it is left for, if they still are.
        """
        with self._lock:
            if self.verdict is not None and (self.verdict.final or not verdict.final):
                return False
            if by is not None and self.rivals is not by:
                return False
            self.verdict = verdict
            if self._socket is not None:
                shut_down(self._socket)
        if (sleeper := self._sleeper) is not None:
            sleeper.set()
        if (on_stop := self.on_stop) is not None:
            on_stop()
        return True

    def blame(self, verdict: DownloadError) -> None:
        """Replace a verdict by a more exact one, from the transfer's own thread, and raise it."""
        with self._lock:
            if self.verdict is None or not self.verdict.final:
                self.verdict = verdict
        self.check()

    def cancel(self, reason: str = "") -> bool:
        """Stop because somebody asked."""
        return self.stop(Cancelled(reason) if reason else Cancelled())

    def inspect(self, now: float) -> None:
        """Judge by the clock. Called by the watchdog's thread."""
        limits = self.limits
        if self._deadline is not None and now >= self._deadline:
            self.stop(TimedOut("total", limits.total or 0.0))
        # What is over first, so that no wait that ends at this moment counts twice.
        waited, awaited = self._waited, self._awaited
        phase, since = self._phase, self._reading_since
        begun = since if phase is None else phase[2]
        awaited += 0.0 if begun is None else now - begun
        rivals = self.rivals  # which the run's thread may forget at any moment
        if rivals is not None and (verdict := rivals.verdict(self.delivered, awaited, now)):
            self.stop(verdict, by=rivals)
        if phase is not None and now >= phase[2] + phase[1]:
            self.stop(TimedOut(phase[0], phase[1]))
        if since is None or phase is not None:
            return  # a phase has its own limit; the wait for a head is no slow body
        if now - since >= limits.read:
            self.stop(TimedOut("read", limits.read))
        waited += now - since
        if limits.min_speed and waited - self._window_waited >= limits.stall_period:
            received = self.received - self._window_received
            if received < limits.min_speed * limits.stall_period:
                self.stop(Stalled(received, limits.stall_period, limits.min_speed))
            self._window_waited, self._window_received = waited, self.received


def shut_down(sock: socket.socket) -> None:
    """Wake whoever blocks on a socket, plain or TLS, without closing it.

    Closing it then resets the connection: a peer that is sending into a full buffer would be told
    nothing by an end in order, and go on trying for a minute.
    """
    with suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        # The plain method: SSLSocket.shutdown would drop the TLS layer under its reader's feet.
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
