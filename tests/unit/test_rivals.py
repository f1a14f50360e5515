"""When a transfer is better left for another mirror: by numbers, and a clock of the test's own."""

from __future__ import annotations

import time
from typing import Any

import pytest

from pulp_download.errors import ServerFailed, TooSlow
from pulp_download.hosts import Hosts
from pulp_download.mirrors.mirror import Mirror
from pulp_download.rivals import Rivals
from pulp_download.settings import Limits, TimeLimits
from pulp_download.turns import Turn
from pulp_download.urls import Origin
from pulp_download.watch import Watch

FAST = Mirror("http://fast/file")


class Transfer:
    delivered = 0


class Race:
    """A transfer that has just begun, and what other mirrors are known to carry, bytes a second."""

    def __init__(self, size: int | None, elsewhere: float | None, **limits: Any) -> None:
        self.hosts = Hosts(Limits(**limits))
        if elsewhere is not None:
            self.carries(FAST, elsewhere)
        self.began = time.monotonic()
        self.rivals = Rivals(self.hosts, [FAST], size)

    def carries(self, mirror: Mirror, speed: float) -> None:
        """Have it known that a mirror carried so much for the last hundred seconds."""
        facts = {"bytes": 100 * speed, "busy": 99.5, "load": 99.5, "failures": 0.0}
        self.hosts.recall(mirror.absolute.origin, facts, 0.0)

    def after(self, seconds: float, received: int) -> TooSlow | None:
        """The verdict when so many bytes were waited for so long."""
        return self.rivals.verdict(received, seconds, self.began + seconds)


@pytest.mark.parametrize(
    ("elsewhere", "is_left"), [(900, False), (3800, False), (4200, True), (1e9, True)]
)
def test_where_the_size_is_unknown_another_must_be_four_times_as_fast(
    elsewhere: float, is_left: bool
) -> None:
    verdict = Race(None, elsewhere).after(1.0, 1000)
    assert (verdict is not None) is is_left


def test_the_verdict_says_how_fast_it_was_and_how_fast_it_is_elsewhere() -> None:
    verdict = Race(None, 5000).after(2.0, 1000)
    assert verdict is not None
    assert verdict.speed == 500
    assert verdict.elsewhere == pytest.approx(5000, rel=0.01)
    assert verdict.retryable


# 1,000 of 100,000 bytes in a second: the rest takes 99 seconds. All of it from elsewhere takes 49
# at 2,041 bytes a second, twice that and one second are 99.
@pytest.mark.parametrize(
    ("elsewhere", "is_left"), [(1500, False), (2000, False), (2100, True), (9000, True)]
)
def test_where_the_size_is_known_the_rest_must_take_twice_as_long_as_all_of_it_elsewhere(
    elsewhere: float, is_left: bool
) -> None:
    verdict = Race(100_000, elsewhere).after(1.0, 1000)
    assert (verdict is not None) is is_left


def test_what_is_nearly_there_is_not_left_however_fast_it_would_come_from_elsewhere() -> None:
    race = Race(100_000, 1e9)
    assert race.after(1.0, 99_000) is None
    assert race.after(2.0, 99_500) is None, "one second more is no gain"
    assert race.after(3.0, 99_600) is not None, "four are"


def test_a_second_is_judged_by_itself_and_not_by_the_good_ones_before() -> None:
    race = Race(10_000_000, 1_000_000)
    assert race.after(1.0, 900_000) is None
    assert race.after(2.0, 901_000) is not None


def test_nobody_is_judged_by_less_than_a_second() -> None:
    race = Race(None, 1e9)
    assert race.after(0.9, 1) is None
    assert race.after(1.0, 1) is not None
    assert race.after(1.9, 1) is None
    assert race.after(2.0, 1) is not None


def test_whoever_has_sent_nothing_has_three_seconds_to_begin() -> None:
    race = Race(100_000, 1e6)
    assert race.after(1.0, 0) is None
    assert race.after(2.9, 0) is None
    verdict = race.after(3.0, 0)
    assert verdict is not None
    assert verdict.speed == 0


@pytest.mark.parametrize("size", [None, 100_000])
@pytest.mark.parametrize("received", [0, 1])
def test_for_one_that_nobody_knows_nothing_is_left(size: int | None, received: int) -> None:
    assert Race(size, None).after(3600.0, received) is None


def test_a_count_that_begins_anew_is_no_speed_below_zero() -> None:
    race = Race(None, 1e6)
    assert race.after(1.0, 1_000_000) is None
    verdict = race.after(2.0, 10)
    assert verdict is not None
    assert verdict.speed == 0


def test_of_several_others_the_best_counts() -> None:
    race = Race(None, 100.0)
    other = Mirror("http://faster/file")
    race.carries(other, 9000)
    both = Rivals(race.hosts, [FAST, other], None)
    verdict = both.verdict(1000, 1.0, race.began + 1.0)
    assert verdict is not None
    assert verdict.elsewhere == pytest.approx(9000, rel=0.01)


# Where one could not go anyway.


def test_for_one_that_is_full_nothing_is_left() -> None:
    race = Race(None, 1e9, per_host=1)
    there = Turn(race.hosts, Transfer())
    assert there.take([race.hosts.at(FAST.absolute.origin)])
    assert race.after(1.0, 10) is None
    there.leave()
    assert race.after(2.0, 20) is not None


def test_for_one_that_asked_for_rest_nothing_is_left() -> None:
    race = Race(None, 1e9)
    error = ServerFailed(503)
    error.retry_after = 60.0
    turn = Turn(race.hosts, Transfer())
    turn.take([race.hosts.at(FAST.absolute.origin)])
    turn.leave(error)
    assert race.after(1.0, 10) is None


def test_for_one_that_keeps_failing_nothing_is_left() -> None:
    race = Race(None, 1e9)
    host = race.hosts.at(Origin("http", "fast", 80))
    for _ in range(4):
        turn = Turn(race.hosts, Transfer())
        turn.take([host])
        turn.leave(ServerFailed(500))
    assert race.after(1.0, 10) is None
    assert race.after(20.0, 20) is not None, "and after its rest it is as good as before"


# Which time counts: a watch asks, and is asked by its clock.


class Clock:
    """Monotonic seconds of the test's own, from now on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = time.monotonic()
        monkeypatch.setattr(time, "monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture
def watch(clock: Clock) -> Watch:
    """One try's watch, which a rival that is known to be fast may end."""
    watch = Watch(TimeLimits(connect=3600, read=3600, min_speed=0))
    watch.begin_try()
    watch.rivals = Race(None, 1e9).rivals
    return watch


def is_left(watch: Watch, clock: Clock) -> bool:
    watch.inspect(clock.now)
    return isinstance(watch.verdict, TooSlow)


def test_the_time_of_connecting_and_of_waiting_for_an_answer_counts(
    watch: Watch, clock: Clock
) -> None:
    watch.begin("connect", 3600)
    clock.now += 1.5
    watch.begin("read", 3600)
    clock.now += 1.4
    assert not is_left(watch, clock)
    clock.now += 0.2
    assert is_left(watch, clock)


def test_the_time_of_a_read_counts(watch: Watch, clock: Clock) -> None:
    watch.begin_body()
    watch.begin_read()
    clock.now += 0.9
    watch.end_read(1000)
    watch.took(1000)
    assert not is_left(watch, clock)
    watch.begin_read()
    clock.now += 0.2
    assert is_left(watch, clock)


@pytest.mark.need("S5")
def test_the_time_of_a_slow_consumer_or_disk_does_not_count(watch: Watch, clock: Clock) -> None:
    watch.begin("read", 3600)
    watch.begin_body()
    watch.begin_read()
    clock.now += 0.1
    watch.end_read(1000)
    watch.took(1000)
    clock.now += 60.0
    assert not is_left(watch, clock)
    watch.begin_read()
    clock.now += 0.1
    assert not is_left(watch, clock)


def test_the_time_in_which_nothing_is_asked_does_not_count(watch: Watch, clock: Clock) -> None:
    clock.now += 60.0
    assert not is_left(watch, clock), "an earlier file is held against its digest"
    watch.begin("connect", 3600)
    watch.end()
    clock.now += 60.0
    assert not is_left(watch, clock), "the place at another host is waited for"


def test_a_read_within_a_phase_counts_once(watch: Watch, clock: Clock) -> None:
    watch.begin("read", 3600)
    watch.begin_read()
    clock.now += 1.6
    watch.end_read(10)
    watch.begin_body()
    watch.begin_read()
    clock.now += 1.3
    assert not is_left(watch, clock)
    clock.now += 0.2
    assert is_left(watch, clock)


def test_another_try_has_its_own_time_and_no_rivals_until_they_are_named(
    watch: Watch, clock: Clock
) -> None:
    watch.begin("read", 3600)
    clock.now += 60.0
    assert is_left(watch, clock)
    watch.begin_try()
    assert watch.rivals is None
    watch.rivals = Race(None, 1e9).rivals
    watch.begin("read", 3600)
    clock.now += 2.9
    assert not is_left(watch, clock)
