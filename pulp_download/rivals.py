"""Whether another mirror is so much faster that a transfer is better left for it."""

from __future__ import annotations

from collections.abc import Sequence

from pulp_download.errors import TooSlow
from pulp_download.hosts import Hosts
from pulp_download.mirrors.mirror import Mirror

# Seconds over which a transfer is judged, and those that pass before one without a byte is: long
# enough for a slow start over a long distance.
_PERIOD = 1.0
_PATIENCE = 3.0
# How many times as fast another mirror must be, where the size does not tell what there is to gain.
_MUCH_FASTER = 4.0
# How many times as long as all of it from elsewhere the rest may take, and seconds beyond that.
_MUCH_SLOWER = 2.0
_GAIN = 1.0
# Bytes a second that are worth no leaving for, however slow the present ones are.
_CRAWL = 1000.0


class Rivals:
    """The other mirrors of a file that is on its way. Asked by the watchdog's thread, for one try.

    ``size`` is that of the file, if it is known. Only the time counts in which upstream was waited
    for: that a consumer or a disk is slow would be no better elsewhere.
    """

    __slots__ = ("_hosts", "_mirrors", "_received", "_since", "_size")

    def __init__(self, hosts: Hosts, mirrors: Sequence[Mirror], size: int | None):
        self._hosts = hosts
        self._mirrors = mirrors
        self._size = size
        self._since = 0.0
        self._received = 0

    def verdict(self, received: int, awaited: float, now: float) -> TooSlow | None:
        """Return why to leave, if it is better.

        ``received`` are the bytes of this try so far, ``awaited`` the seconds spent waiting for
        them; ``now`` is monotonic seconds.
        """
        passed = awaited - self._since
        if passed < (_PERIOD if received else _PATIENCE):
            return None
        speed = max(0, received - self._received) / passed
        self._since, self._received = awaited, received
        elsewhere = self._hosts.speed_elsewhere(self._mirrors, now)
        if self._is_worth_it(speed, elsewhere, received):
            return TooSlow(speed, elsewhere)
        return None

    def _is_worth_it(self, speed: float, elsewhere: float, received: int) -> bool:
        if self._size is None:
            return elsewhere > _MUCH_FASTER * max(speed, _CRAWL)
        if not elsewhere:
            return False
        anew = _MUCH_SLOWER * self._size / elsewhere + _GAIN  # it may have to begin anew there
        if speed:
            return (self._size - received) / speed > anew
        # Nothing came for a while, and something may come at any moment.
        return anew < _PATIENCE + self._size / _CRAWL
