"""A run's place at a host; :mod:`~pulp_download.hosts` gives it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING

from pulp_download.errors import DownloadError
from pulp_download.scores import Measured
from pulp_download.urls import Origin

if TYPE_CHECKING:
    from pulp_download.host import Host
    from pulp_download.hosts import Hosts


class Turn:
    """A run's place at a host: it waits for one, has one, or neither.

    Used by one thread at a time; ``wake`` may come from any, when a place that was waited for is
    there. ``host`` is where it has one.
    """

    __slots__ = (
        "_hosts",
        "asked",
        "has_asked",
        "host",
        "number",
        "since",
        "transfer",
        "wake",
        "wanted",
    )

    def __init__(self, hosts: Hosts, transfer: Measured):
        self._hosts = hosts
        self.transfer = transfer
        self.host: Host | None = None
        self.asked: Host | None = None  # who was asked first, and is judged by what comes of it
        self.since = 0.0
        self.has_asked = False  # something, at this place
        self.number = 0  # in the order of coming
        self.wanted: tuple[Host, ...] = ()
        self.wake: Callable[[], None] | None = None

    def take(self, wanted: Sequence[Host]) -> bool:
        """Get a place at the first of these hosts that is free, or wait for all of them.

        Tells whether it has one; else ``wake`` is called when it has.
        """
        return self._hosts.admit(self, wanted)

    def move(self, host: Host) -> bool:
        """Go from one host to another, where a redirect leads; as :meth:`take`."""
        self._hosts.release(self, keep_judging=True)
        return self._hosts.admit(self, (host,))

    def until_there(self, check: Callable[[], None]) -> Generator[Turn, None, None]:
        """Wait for the place, as a step of a run; ``check`` raises what ends the wait."""
        while self.host is None:
            yield self
            check()

    def is_at(self, origin: Origin) -> bool:
        """Tell whether it has a place at this host."""
        return self.host is not None and self.host.origin == origin

    def leave(self, error: DownloadError | None = None) -> None:
        """Give the place back, or wait no longer; nothing if there is none.

        ``error`` is what the host is to be judged by, None for a success.
        """
        self._hosts.release(self, error)
