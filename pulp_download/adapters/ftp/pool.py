"""Control connections that are lent out, and how many a host lets us have."""

from __future__ import annotations

import threading
import time
from collections import deque

from pulp_download.adapters.ftp.control import Control
from pulp_download.adapters.ftp.place import Place
from pulp_download.adapters.ftp.replies import is_crowded
from pulp_download.adapters.idle import Idle
from pulp_download.watch import Watch
from pulp_download.watchdog import TICK

# Seconds for which a host that said "too many connections" is asked for no more than it allowed.
# Not measured; proftpd and vsftpd count connections and not time, so the first one that is closed
# elsewhere makes room.
_CROWDED_FOR = 60.0


class _Host:
    """What a host lets us have: connections that are open, and the most it allowed when asked.

    ``can_restart`` until a transfer did not begin where REST had said.
    """

    def __init__(self) -> None:
        self.can_restart = True
        self.open = 0
        self.limit: int | None = None
        self.until = 0.0

    def is_full(self, now: float) -> bool:
        if self.limit is not None and now >= self.until:
            self.limit = None
        return self.limit is not None and self.open >= self.limit


class Pool:
    """Lends each connection to one borrower at a time. Thread-safe.

    Connections go by their :class:`Place`, so that none is used for another user or with less
    security. At most as many are open as borrowers at once, and a few idle ones. A host that says
    "too many connections" fails nobody while others are open there: whoever asks waits in
    :meth:`take` until one is given back, for a minute, then the host is asked again.
    """

    def __init__(self, kept: Idle) -> None:
        self._changed = threading.Condition()
        self._kept = kept  # of all protocols
        self._idle: deque[Control] = deque()  # the last one given back is at the right
        self._hosts: dict[tuple[str, int], _Host] = {}
        self._is_closed = False

    def take(self, place: Place, watch: Watch) -> Control:
        """Return a connection that is logged in: an idle one, or a new one.

        Raises what the server or the socket says, and the watch's verdict.
        """
        while (control := self._idle_one(place)) is None:
            if (control := self._new(place, watch)) is not None:
                return control
        try:
            control.borrow(watch)
        except BaseException:
            control.close()
            raise
        return control

    def take_fresh(self, place: Place, watch: Watch) -> Control:
        """Return a new connection, or any where the host allows no more of them."""
        return self._new(place, watch) or self.take(place, watch)

    def put(self, control: Control) -> None:
        """Take back a connection that can be used again."""
        with self._changed:
            is_kept = not self._is_closed
            if is_kept:
                self._idle.append(control)
            self._changed.notify_all()
        if is_kept:
            self._kept.add(control, self)
        else:
            control.close()

    def close_idle(self, connection: object) -> None:
        """Close a connection if it is still idle."""
        with self._changed:
            control = next((one for one in self._idle if one is connection), None)
            if control is None:
                return
            self._idle.remove(control)
        control.close()

    def closed(self, control: Control) -> None:
        """Take note that a connection is gone, or was never made."""
        with self._changed:
            self._host(control.place).open -= 1
            self._changed.notify_all()

    def can_restart(self, control: Control) -> bool:
        """Tell whether nothing has been seen at this host that speaks against REST."""
        return self._host(control.place).can_restart

    def cannot_restart(self, control: Control) -> None:
        """Ask for no parts at this host from now on."""
        self._host(control.place).can_restart = False

    def renew(self) -> None:
        """Let go of what a parent process uses; its lock may be held by a thread of that."""
        self._changed = threading.Condition()
        idle, self._idle = list(self._idle), deque()
        for control in idle:
            control.close()
        self._hosts.clear()

    def close(self) -> None:
        """Close what is idle; what is in use is closed when it comes back."""
        with self._changed:
            self._is_closed = True
            idle, self._idle = list(self._idle), deque()
        for control in idle:
            control.close()

    def _new(self, place: Place, watch: Watch) -> Control | None:
        """Return a new connection, or None after a wait where the host allows no more of them."""
        watch.may_block()
        with self._changed:
            host = self._host(place)
            if host.is_full(time.monotonic()):
                self._make_room(place)
                self._changed.wait(TICK)  # a tick, for nobody wakes us when the run is stopped
                watch.check()
                return None
            others = host.open
            host.open += 1
        control = Control(place, self)
        try:
            control.open(watch)
        except BaseException as error:
            control.close()
            if is_crowded(error) and (others or host.open):  # they may have gone meanwhile
                watch.end()  # waiting for room has nothing to do with the limit for connecting
                self._lower(host)
                return None
            raise
        return control

    def _host(self, place: Place) -> _Host:
        # In one step of the interpreter, so that no two threads make two.
        return self._hosts.setdefault((place.host, place.port), _Host())

    def _idle_one(self, place: Place) -> Control | None:
        while True:
            with self._changed:
                control = next((one for one in reversed(self._idle) if one.place == place), None)
                if control is None:
                    return None
                self._idle.remove(control)
            self._kept.remove(control)
            if control.is_silent_for(0):  # what a server says unasked is its farewell
                return control
            control.close()

    def _make_room(self, place: Place) -> None:
        """Close an idle connection to the same host that is of no use here; with the lock held."""
        for one in self._idle:
            if (one.host, one.port) == (place.host, place.port) and one.place != place:
                self._idle.remove(one)
                self._kept.remove(one)
                one.close()
                return

    def _lower(self, host: _Host) -> None:
        with self._changed:
            host.limit, host.until = max(1, host.open), time.monotonic() + _CROWDED_FOR
