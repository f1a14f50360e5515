"""One host: how many transfers it bears, when it may be asked, and what it is judged by.

A host's limit is lowered by half when it says that it is too busy, resets connections or lets them
time out, and rises again by one for as many successes as it stands at, as TCP's window does. Beside
other hosts it also has a credit, which each answer renews: one transfer more than are under way
then. A host that hangs answers nothing, so it takes no place but those it has, and the others keep
theirs; nobody has to find out first that it hangs.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from pulp_download.errors import (
    Cancelled,
    ConnectionFailed,
    DownloadError,
    NotFound,
    ProtocolViolation,
    ProxyFailed,
    ServerFailed,
    Stalled,
    Throttled,
    TimedOut,
    TLSFailed,
    TokenFailed,
    TooSlow,
    Truncated,
    ValidationError,
    WriteError,
)
from pulp_download.scores import Score
from pulp_download.urls import Origin
from pulp_download.watchdog import Timer

if TYPE_CHECKING:
    from pulp_download.turns import Turn

# What says that a host has too much to do: these, and these statuses (421 is FTP's). Also where
# this end had no descriptor for one more connection: fewer at once are what helps then.
_OVERLOADED = (Throttled, ConnectionFailed, TimedOut, Stalled, Truncated, ProtocolViolation)
_BUSY = frozenset({421, 429, 503})
# What is no failure of the host: ours, or one that its speed tells already.
_NO_BLAME = (Cancelled, WriteError, TooSlow)
# One that sends wrong bytes is worse than one that fails.
_WEIGHT_OF_WRONG_BYTES = 2


class Host:
    """One origin's state, which belongs to its :class:`~pulp_download.hosts.Hosts`, lock included.

    ``bound`` is the most that ``limit`` may rise to; ``not_before`` the moment of the next request;
    ``seen_at`` when somebody last began or ended something here. Seconds are monotonic.
    """

    __slots__ = (
        "_cut_at",
        "active",
        "bound",
        "credit",
        "limit",
        "not_before",
        "origin",
        "score",
        "seen_at",
        "timer",
        "waiting",
    )

    def __init__(self, origin: Origin, bound: int):
        self.origin = origin
        self.bound = bound
        self.limit = float(bound)
        self.active = 0
        self.credit = 1
        self.seen_at = 0.0
        self.not_before = 0.0
        self.score = Score()
        self.timer: Timer | None = None
        self.waiting: deque[Turn] = deque()
        self._cut_at = 0.0  # when the limit was lowered

    def is_free(self, now: float) -> bool:
        """Tell whether one more may be asked for now."""
        return self.active + 1 <= self.limit and self.not_before <= now

    def widen(self, bound: int) -> None:
        """Allow more."""
        if self.limit == self.bound:
            self.limit = float(bound)
        self.bound = bound

    def rest(self, until: float) -> None:
        """Let nothing be asked of it for a while."""
        self.not_before = max(self.not_before, until)

    def answered(self) -> None:
        """Take note that something came of a transfer which has just ended."""
        self.credit = self.active + 2

    def succeeded(self) -> None:
        """Take note of a success: it may bear more."""
        self.credit = self.active + 2  # as answered, without a call for every file
        if self.limit < self.bound:
            self.limit = min(float(self.bound), self.limit + 1 / self.limit)

    def failed(self, error: DownloadError, since: float, now: float, longest_rest: float) -> None:
        """Take note of a failure of what was asked ``since``: it may bear less, or want rest."""
        is_slow = isinstance(error, _OVERLOADED) and not isinstance(error, (TLSFailed, ProxyFailed))
        is_busy = is_slow or error.status in _BUSY
        if error.status is not None and not is_busy:
            self.answered()
        if is_busy and since >= self._cut_at:  # what was under way then says nothing new
            self.limit = max(1.0, self.limit / 2)
            self._cut_at = now
        asked = error.retry_after if isinstance(error, ServerFailed) else None
        if asked is not None and asked <= longest_rest:
            self.rest(now + asked)


def judge(score: Score, error: DownloadError, since: float, now: float) -> None:
    """Have a score take note of how a transfer failed that began ``since``."""
    if isinstance(error, (NotFound, ProxyFailed, TokenFailed)) or _is_local(error):
        score.overlook(now - since, now)
    elif not isinstance(error, _NO_BLAME):
        is_wrong = isinstance(error, ValidationError)
        score.failed(now, _WEIGHT_OF_WRONG_BYTES if is_wrong else 1)


def _is_local(error: DownloadError) -> bool:
    return isinstance(error, ConnectionFailed) and error.is_local
