"""The one owner of retrying: a policy, and one run's attempts as a sequence of steps.

Nobody else in this library repeats a request, and the libraries below are told not to. Three
repeats are not tries and are not counted here: a fresh connection where a reused one was dead, a
repeat after 401 with a refreshed token, an auth object's answer to a challenge.
"""

from __future__ import annotations

import datetime
import email.utils
import random
import re
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import NamedTuple

from pulp_download.errors import (
    DownloadError,
    FailedTry,
    ServerFailed,
    Throttled,
    ValidationError,
)
from pulp_download.mirrors.mirror import Mirror


class RetryPolicy(NamedTuple):
    """How often and how long apart.

    ``max_retries`` repeats of sources already tried, in all. The wait before the *n*-th doubles
    from ``backoff`` up to ``backoff_limit`` seconds, of which a random half is left out so that
    many downloads do not come back at once. A Retry-After is waited for instead when it is longer,
    up to ``retry_after_limit``; beyond it the run ends as Throttled.
    """

    max_retries: int = 3
    retry_after_limit: float = 300.0
    backoff: float = 0.5
    backoff_limit: float = 30.0

    def wait(self, repeat: int, random_fraction: float) -> float:
        """Return seconds to wait before the given repeat (from 1)."""
        full = min(self.backoff_limit, self.backoff * 2.0 ** min(repeat - 1, 30))
        return full * (0.5 + 0.5 * random_fraction)


class Try(NamedTuple):
    """Next step: try one of these sources now, whichever is best."""

    sources: tuple[Mirror, ...]


class Wait(NamedTuple):
    """Next step: nothing before ``until`` (monotonic seconds)."""

    until: float


class GiveUp(NamedTuple):
    """Next step: none; ``error`` is the last failure, with the whole history."""

    error: DownloadError


Step = Try | Wait | GiveUp


class Attempts:
    """One run's budget, history and next step. State of one run, used by one thread at a time.

    Each source is tried once, at once; after that, those that are worth another try are repeated,
    after waits that double, and none before it asked for. ``known`` are all sources, ``untried``
    those that have not failed. ``clock`` is monotonic seconds, ``chance`` a random number in
    [0, 1).
    """

    __slots__ = (
        "_chance",
        "_clock",
        "_last",
        "_policy",
        "_ready_at",
        "_repeat_at",
        "_repeats",
        "history",
        "known",
        "untried",
    )

    def __init__(
        self,
        policy: RetryPolicy,
        sources: Sequence[Mirror],
        *,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ):
        self._policy = policy
        self.known = self.untried = tuple(sources)
        self._ready_at: dict[Mirror, float] = {}  # of those that are worth a repeat
        self._repeats = 0
        self._repeat_at = 0.0
        self._last: DownloadError | None = None
        self._clock = clock
        self._chance = chance
        self.history: tuple[FailedTry, ...] = ()

    def learn(self, sources: Iterable[Mirror]) -> None:
        """Take further sources, behind those that are known."""
        learnt = tuple(sources)
        self.known += learnt
        self.untried += learnt

    def next_step(self) -> Step:
        """Say what to do now. Asking again without a ``failed`` in between says the same."""
        if self.untried:
            return Try(self.untried)
        error = self._last
        assert error is not None, "a run has at least one source"
        if not self._ready_at or self._repeats > self._policy.max_retries:
            return GiveUp(error)
        ready_at, now = self._next_repeat(), self._clock()
        if ready_at > now:
            return Wait(ready_at)
        return Try(tuple(source for source, at in self._ready_at.items() if at <= now))

    def failed(self, source: Mirror, error: DownloadError, received: int = 0) -> float | None:
        """Record a failed try of ``source``, which had brought ``received`` bytes.

        Returns seconds until the next try, or None if there is none: nothing left to try, no
        budget, or an error that no source can help (a local one, a cancellation).
        """
        self.note(source, error, received)
        error.attempts = self.history
        self._last = error.without_frames()
        if source in self.untried:
            place = self.untried.index(source)
            self.untried = self.untried[:place] + self.untried[place + 1 :]
        self._ready_at.pop(source, None)
        if error.final:
            self.untried = ()
            self._ready_at.clear()
        elif error.retryable and (len(self.known) == 1 or not isinstance(error, ValidationError)):
            self._postpone(source, error)
        if self.untried:
            return 0.0
        self._repeats += 1
        if not self._ready_at or self._repeats > self._policy.max_retries:
            return None
        wait = self._policy.wait(self._repeats, self._chance())
        self._repeat_at = self._clock() + wait
        return self._next_repeat() - self._clock()

    def note(self, source: Mirror, error: DownloadError, received: int) -> None:
        """Add a failure to the history, and nothing else."""
        place = error.url or source.url.redacted
        failed = FailedTry(place, error.status, type(error).__name__, error.message, received)
        self.history += (failed,)

    def _next_repeat(self) -> float:
        return max(self._repeat_at, min(self._ready_at.values()))

    def _postpone(self, source: Mirror, error: DownloadError) -> None:
        """Have a source tried again, unless it asks for too long a rest."""
        asked = error.retry_after if isinstance(error, ServerFailed) else None
        if asked is not None and asked > self._policy.retry_after_limit:
            self._last = _throttled(error, asked, self._policy.retry_after_limit)
        else:
            self._ready_at[source] = self._clock() + (asked or 0.0)


def _throttled(error: DownloadError, asked: float, limit: float) -> Throttled:
    throttled = Throttled(
        error.status or 503, f"asks to wait {asked:g} s, more than {limit:g} s", url=error.url
    )
    throttled.retry_after = asked
    throttled.attempts = error.attempts
    return throttled


# Ten digits of seconds are three centuries; more is nonsense and must not reach int().
_SECONDS = re.compile(r"[0-9]{1,10}")


def parse_retry_after(value: str | None, now: float) -> float | None:
    """Return the seconds that a Retry-After asks for, or None if it says nothing usable.

    RFC 9110 section 10.2.3: whole seconds or an HTTP date. A past date is 0. ``now`` is epoch
    seconds. Signs, fractions and words are not usable, and one's own backoff holds.
    """
    if value is None:
        return None
    value = value.strip()
    if _SECONDS.fullmatch(value):
        return float(value)
    when = parse_http_date(value)
    return None if when is None else max(0.0, when - now)


# The form that everybody sends today; email.utils reads the others, and takes ten times as long.
_IMF_FIXDATE = re.compile(
    r"[A-Z][a-z]{2}, ([0-9]{2}) ([A-Z][a-z]{2}) ([0-9]{4}) ([0-9]{2}):([0-9]{2}):([0-9]{2}) GMT"
)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def parse_http_date(value: str) -> float | None:
    """Return an HTTP date (RFC 9110 section 5.6.7) as epoch seconds, or None if it is none."""
    if len(value) > 100:
        return None
    if plain := _IMF_FIXDATE.fullmatch(value):
        day, month, year, hour, minute, second = plain.groups()
        with suppress(ValueError, OverflowError):  # the 31st of February, for one
            moment = datetime.datetime(
                int(year),
                _MONTHS.index(month) + 1,
                int(day),
                int(hour),
                int(minute),
                int(second),
                tzinfo=datetime.UTC,
            )
            return moment.timestamp()
    try:
        parsed = email.utils.parsedate_to_datetime(value)
        if parsed.tzinfo is None:
            parsed = parsed.replace(tzinfo=datetime.UTC)
        return parsed.timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
