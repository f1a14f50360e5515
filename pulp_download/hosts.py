"""Whom downloads ask: how many at once, how often, and when not at all.

What it is: for each remote, one :class:`Host` per origin, and the turns that runs take at them.
What it is not: a pool of connections, or a scheduler; it knows nothing of downloads. It guarantees
that no more than a host's limit are under way there, that requests are far enough apart, that
nobody is asked while it asked for rest, and that who waits is woken in the order of coming. It
relies on every turn being left. One lock per remote; whoever is to be woken is woken outside it.
"""

from __future__ import annotations

import itertools
import math
import threading
import time
from collections.abc import Iterable, Sequence

from pulp_download.errors import DownloadError
from pulp_download.host import Host, judge
from pulp_download.mirrors.mirror import Mirror
from pulp_download.mirrors.policies import Policy, Standing
from pulp_download.scores import best_capacity
from pulp_download.settings import Limits
from pulp_download.turns import Turn
from pulp_download.urls import Origin
from pulp_download.watchdog import watchdog

# Transfers at one host, where nobody says otherwise: the knee beyond which upstreams throttle.
DEFAULT_PER_HOST = 8
# Seconds after which a host where nothing goes on is not one that a batch is busy with.
_STILL_IN_PLAY = 1.0


class Hosts:
    """All hosts of one remote. Thread-safe."""

    def __init__(self, limits: Limits):
        self._limits = limits
        self._lock = threading.Lock()
        self._hosts: dict[Origin, Host] = {}
        self._active = self._waiting = 0  # turns
        self._in_all = limits.in_all or math.inf
        self._numbers = itertools.count()
        self.bound = limits.per_host or limits.in_all or DEFAULT_PER_HOST
        self._widest = limits.in_all or max(DEFAULT_PER_HOST, limits.per_host or 0)

    def at(self, origin: Origin) -> Host:
        """Return the host of an origin."""
        host = self._hosts.get(origin)
        if host is None:
            with self._lock:  # others look through all hosts with it
                host = self._hosts.setdefault(origin, Host(origin, self.bound))
        return host

    def widen(self, concurrency: int) -> None:
        """Allow as many per host as a batch runs, unless a setting says how many."""
        if concurrency <= self._widest:
            return
        self._widest = concurrency
        if self._limits.per_host or self._limits.in_all:
            return
        with self._lock:
            self.bound = concurrency
            for host in self._hosts.values():
                host.widen(concurrency)
            granted = self._granted(time.monotonic()) if self._waiting else ()
        _wake(granted)

    def known(self) -> Sequence[Host]:
        """Return every host that was asked for."""
        return tuple(self._hosts.values())

    def ranked(self, mirrors: Sequence[Mirror], policy: Policy) -> Sequence[Mirror]:
        """Return mirrors in the order of a policy."""
        hosts = [self.at(mirror.absolute.origin) for mirror in mirrors]
        with self._lock:
            now = time.monotonic()
            prior = best_capacity((host.score for host in hosts), now)
            standings = [
                Standing(
                    mirror,
                    position,
                    host.score.expected_speed(now, prior),
                    host.active,
                    host.score.is_rested(now),
                )
                for position, (mirror, host) in enumerate(zip(mirrors, hosts, strict=True))
            ]
        first = [standing.mirror for standing in policy(standings)]
        return [*first, *(mirror for mirror in mirrors if mirror not in first)]  # it only orders

    def speed_elsewhere(self, mirrors: Sequence[Mirror], now: float) -> float:
        """Return the bytes a second to be expected at the best of these that is known and free."""
        hosts = [self.at(mirror.absolute.origin) for mirror in mirrors]
        with self._lock:
            return max(
                (
                    host.score.expected_speed(now, 0.0)
                    for host in hosts
                    if host.is_free(now) and not host.score.is_rested(now)
                ),
                default=0.0,
            )

    def remembered(self) -> dict[Origin, dict[str, float]]:
        """Return what is known of each host as plain numbers, for a later run."""
        with self._lock:
            now = time.monotonic()
            asked = [host for host in self._hosts.values() if host.seen_at]
            facts = {host.origin: host.score.remembered(now) for host in asked}
        return {origin: known for origin, known in facts.items() if known}

    def recall(self, origin: Origin, facts: dict[str, float], age: float) -> None:
        """Begin with what was known of a host ``age`` seconds ago."""
        host = self.at(origin)
        with self._lock:
            host.score.recall(facts, age, time.monotonic())

    def admit(self, turn: Turn, wanted: Sequence[Host]) -> bool:
        with self._lock:
            now = time.monotonic()
            for host in wanted:
                if not host.waiting and self._is_open(host, now):
                    self._grant(turn, host, now)
                    return True
            assert wanted, "there is a place to ask"
            turn.wanted = tuple(wanted)
            turn.number = next(self._numbers)
            self._waiting += 1
            for host in wanted:
                host.waiting.append(turn)
                self._wake_later(host, now)
            return False

    def admit_extra(self, turn: Turn, wanted: Sequence[Host]) -> bool:
        """Let a turn have a place that nobody else wants now; nobody waits for such a one.

        No more of them than a batch may run, or one host bear, are under way in all.
        """
        with self._lock:
            now = time.monotonic()
            if self._waiting or self._active >= self._widest:
                return False
            for host in wanted:
                if self._is_open(host, now):
                    self._grant(turn, host, now)
                    return True
            return False

    @property
    def has_rate(self) -> bool:
        """Requests have to be apart."""
        return self._limits.rate is not None

    def give_back(self, turn: Turn) -> None:
        """Take back a place at which nothing was asked."""
        with self._lock:
            if turn.asked is not None:
                turn.asked.score.end(turn.transfer, time.monotonic())
                turn.asked = None
        self.release(turn)

    def release(
        self, turn: Turn, error: DownloadError | None = None, *, keep_judging: bool = False
    ) -> None:
        with self._lock:
            now = time.monotonic()
            if turn.wanted:
                self._forget(turn)
            host, turn.host = turn.host, None
            if host is not None:
                host.seen_at = now
                host.active -= 1
                self._active -= 1
            asked = turn.asked
            if asked is not None and not keep_judging:
                turn.asked = None
                asked.score.end(turn.transfer, now)
                if error is None:
                    asked.score.succeeded()
                    if host is not None:
                        host.succeeded()
                else:
                    judge(asked.score, error, turn.since, now)
                    if host is not None:
                        host.failed(error, turn.since, now, self._limits.retry_after)
            granted = self._granted(now) if self._waiting else ()
        if granted:
            _wake(granted)

    def close(self) -> None:
        """Forget who waits; they are stopped by others."""
        with self._lock:
            for host in self._hosts.values():
                while host.waiting:
                    self._forget(host.waiting[0])

    # What follows is called with the lock held.

    def _is_open(self, host: Host, now: float) -> bool:
        """Tell whether one more transfer may begin at a host."""
        if not host.is_free(now) or self._active >= self._in_all:
            return False
        return host.active < host.credit or not self._are_others_in_play(host, now)

    def _are_others_in_play(self, host: Host, now: float) -> bool:
        return any(
            other.active or now - other.seen_at < _STILL_IN_PLAY
            for other in self._hosts.values()
            if other is not host
        )

    def _grant(self, turn: Turn, host: Host, now: float) -> None:
        turn.host = host
        turn.has_asked = False
        turn.since = host.seen_at = now
        host.active += 1
        self._active += 1
        if turn.asked is None:
            turn.asked = host
            host.score.begin(turn.transfer, now)
        if self._limits.rate is not None:
            host.not_before = max(now, host.not_before) + 1 / self._limits.rate

    def _granted(self, now: float) -> Iterable[Turn]:
        """Give places to those who wait, first come first served; return who got one."""
        granted = []
        while ready := [h for h in self._hosts.values() if h.waiting and self._is_open(h, now)]:
            host = min(ready, key=lambda one: one.waiting[0].number)
            turn = host.waiting[0]
            self._forget(turn)
            self._grant(turn, host, now)
            granted.append(turn)
        for host in self._hosts.values():
            self._wake_later(host, now)
        return granted

    def _forget(self, turn: Turn) -> None:
        """Take a turn out of the queues."""
        wanted, turn.wanted = turn.wanted, ()
        self._waiting -= 1
        for host in wanted:
            host.waiting.remove(turn)
            if not host.waiting:
                self._call_off(host)

    def _wake_later(self, host: Host, now: float) -> None:
        """Have somebody look again when a host may be asked again."""
        if not host.waiting or host.timer is not None:
            return
        if host.not_before > now:
            self._look_again_at(host.not_before, host)
        elif host.active >= host.credit:  # the others may be over without a word
            self._look_again_at(now + _STILL_IN_PLAY, host)

    def _look_again_at(self, when: float, host: Host) -> None:
        def look() -> None:
            with self._lock:
                if host.timer is not timer:  # called off at this moment
                    return
                host.timer = None
                granted = self._granted(time.monotonic())
            _wake(granted)

        timer = host.timer = watchdog.call_at(when, look)

    def _call_off(self, host: Host) -> None:
        if host.timer is not None:
            watchdog.call_off(host.timer)
            host.timer = None


def _wake(turns: Iterable[Turn]) -> None:
    for turn in turns:
        if turn.wake is not None:
            turn.wake()
