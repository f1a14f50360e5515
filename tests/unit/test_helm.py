"""Whose turn it is, and whose answers are awaited."""

from __future__ import annotations

import os
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from pulp_download.helm import Helm, Shift
from pulp_download.watchdog import watchdog

# A bound that a busy machine keeps, how long a step may take, and far more than that (seconds).
SOON, PATIENCE, FAR = 5.0, 0.1, 1000.0


class Hired(list[None]):
    """Counts how often somebody was hired."""

    def __call__(self) -> None:
        self.append(None)


@pytest.fixture
def hired() -> Hired:
    return Hired()


@pytest.fixture
def helm(hired: Hired) -> Iterator[Helm[str]]:
    helm: Helm[str] = Helm(hired, lambda: None)
    helm.open()
    yield helm
    helm.close()


@contextmanager
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    here, there = socket.socketpair()
    with here, there:
        yield here, there


def wait_for(predicate: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SOON
    while not predicate():
        assert time.monotonic() < deadline
        os.sched_yield()


def is_free(helm: Helm[str]) -> bool:
    return not helm._turns.empty()


def taken(helm: Helm[str]) -> Shift:
    """Return the shift that is to be had at once."""
    assert is_free(helm)
    shift = helm.take()
    assert shift is not None
    return shift


def start(count: int, work: Callable[[], object]) -> list[threading.Thread]:
    # Daemons: one that waits for ever fails its test, and must not keep the others from ending.
    threads = [threading.Thread(target=work, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    return threads


def join(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.join(SOON)
        assert not thread.is_alive(), "still waiting"


def waiting(count: int, helm: Helm[str], arrived: list[object]) -> list[threading.Thread]:
    """Return threads that wait for the helm; each notes in ``arrived`` what it got."""
    threads = start(count, lambda: arrived.append(helm.take()))
    wait_for(lambda: helm._idle == count)
    return threads


# Turns.


def test_the_first_has_the_helm_and_the_next_waits_until_it_is_given_up(helm: Helm[str]) -> None:
    story: list[object] = []
    shift = taken(helm)
    workers = waiting(1, helm, story)
    story.append("given up")
    shift.end()
    join(workers)
    assert [type(part) for part in story] == [str, Shift]
    assert not is_free(helm)


def test_a_helm_that_is_free_is_had_at_once_and_another_s_is_not(helm: Helm[str]) -> None:
    shift = helm.take_free()
    assert shift is not None
    assert not helm.is_free
    assert helm.take_free() is None
    shift.end()
    assert helm.is_free


def test_those_who_wait_take_the_helm_one_after_the_other(helm: Helm[str]) -> None:
    arrived: list[object] = [taken(helm)]
    workers = waiting(3, helm, arrived)
    for still_waiting in (2, 1, 0):
        last = arrived[-1]
        assert isinstance(last, Shift)
        last.end()
        wait_for(lambda: len(arrived) == 4 - still_waiting)  # noqa: B023 (waited for at once)
        assert (helm._idle, is_free(helm)) == (still_waiting, False)
    join(workers)


def test_however_many_pass_it_round_one_is_at_the_helm(helm: Helm[str]) -> None:
    at_helm, most, turns = 0, 0, 0

    def work() -> None:
        nonlocal at_helm, most, turns
        while (shift := helm.take()) is not None:
            at_helm += 1
            most = max(most, at_helm)
            turns += 1
            if turns == 400:
                helm.send_home()
            os.sched_yield()
            at_helm -= 1
            shift.end()

    join(start(4, work))
    assert (turns, most) == (400, 1)


def test_a_shift_that_ends_twice_passes_the_helm_on_once(helm: Helm[str], hired: Hired) -> None:
    shift = taken(helm)
    shift.end()
    shift.end()
    assert len(hired) == 1
    taken(helm)
    assert not is_free(helm)


def test_of_many_threads_that_end_one_shift_one_passes_the_helm_on(
    helm: Helm[str], hired: Hired
) -> None:
    for turn in range(1, 51):
        shift = taken(helm)
        join(start(4, shift.end))
        assert len(hired) == turn
    taken(helm)
    assert not is_free(helm)


def test_a_shift_that_is_over_stays_over(helm: Helm[str]) -> None:
    shift = taken(helm)
    assert shift.end_step()
    shift.end()
    assert not shift.end_step()
    shift.begin_step()
    assert not shift.end_step()


def test_somebody_is_hired_when_nobody_waits(helm: Helm[str], hired: Hired) -> None:
    shift = taken(helm)
    assert len(hired) == 0
    shift.end()
    assert len(hired) == 1


def test_nobody_is_hired_while_others_wait(helm: Helm[str], hired: Hired) -> None:
    arrived: list[object] = []
    shift = taken(helm)
    workers = waiting(2, helm, arrived)  # one comes, and one waits still
    shift.end()
    wait_for(lambda: len(arrived) == 1)
    assert len(hired) == 0
    helm.send_home()
    join(workers)


# The end.


def test_all_who_wait_or_come_later_are_sent_home(helm: Helm[str], hired: Hired) -> None:
    arrived: list[object] = []
    shift = taken(helm)
    workers = waiting(5, helm, arrived)
    helm.send_home()
    join(workers)
    assert arrived == [None] * 5
    assert [helm.take() for _ in range(3)] == [None] * 3
    shift.end()
    assert helm.take() is None
    assert len(hired) == 0


def test_whoever_comes_is_sent_home_although_the_helm_was_free(helm: Helm[str]) -> None:
    helm.send_home()
    assert [helm.take() for _ in range(2)] == [None] * 2


# Steps that take long.


def test_the_helm_is_taken_from_a_step_that_takes_too_long(helm: Helm[str], hired: Hired) -> None:
    shift = taken(helm)
    before = time.monotonic()
    shift.begin_step()
    after = time.monotonic()
    shift.inspect(before + PATIENCE)
    assert not is_free(helm)
    shift.inspect(after + PATIENCE + 0.001)
    assert is_free(helm)
    assert len(hired) == 1


def test_a_helm_that_was_taken_is_not_given_up_again(helm: Helm[str], hired: Hired) -> None:
    shift = taken(helm)
    shift.begin_step()
    for _ in range(2):
        shift.inspect(time.monotonic() + FAR)
    other = taken(helm)
    assert not shift.end_step()
    shift.end()
    assert not is_free(helm)
    assert other.end_step()
    assert len(hired) == 1


def test_the_helm_is_not_taken_between_two_steps(helm: Helm[str]) -> None:
    shift = taken(helm)
    shift.inspect(time.monotonic() + FAR)
    for _ in range(2):
        shift.begin_step()
        assert shift.end_step()
        shift.inspect(time.monotonic() + FAR)
        assert not is_free(helm)
        assert shift.end_step()


def test_each_step_has_its_own_time(helm: Helm[str]) -> None:
    shift = taken(helm)
    shift.begin_step()
    first = time.monotonic()
    assert shift.end_step()
    wait_for(lambda: time.monotonic() > first)
    second = time.monotonic()
    shift.begin_step()
    shift.inspect(second + PATIENCE)
    assert shift.end_step()


def test_a_shift_has_no_owners_and_cannot_be_cancelled(helm: Helm[str]) -> None:
    shift = taken(helm)
    assert tuple(shift.owners) == ()
    assert not shift.cancel("enough")
    assert shift.end_step()


def test_the_watchdog_takes_the_helm_for_one_who_waits(helm: Helm[str]) -> None:
    arrived: list[object] = []
    shift = taken(helm)
    workers = waiting(1, helm, arrived)
    watchdog.add(shift)
    try:
        shift.begin_step()
        join(workers)
        assert not shift.end_step()
    finally:
        watchdog.discard(shift)
        watchdog.rest()
    assert [type(got) for got in arrived] == [Shift]


# The pace.


@pytest.mark.parametrize(("seconds", "is_slow"), [(0.0, False), (0.0005, False), (0.002, True)])
def test_steps_are_slow_that_take_more_than_a_millisecond_on_average(
    helm: Helm[str], seconds: float, is_slow: bool
) -> None:
    for _ in range(100):
        helm.took(seconds)
    assert helm.is_slow() is is_slow


def test_one_step_of_fifteen_milliseconds_among_quick_ones_is_not_slow_and_two_are(
    helm: Helm[str],
) -> None:
    assert not helm.is_slow()
    helm.took(0.015)
    assert not helm.is_slow()
    helm.took(0.015)
    assert helm.is_slow()


def test_quick_steps_are_tried_again_after_a_while(helm: Helm[str]) -> None:
    for _ in range(100):
        helm.took(0.01)
    answers = [helm.is_slow() for _ in range(100)]
    slow = answers.count(True)
    assert 10 < slow < 90
    assert answers == [True] * slow + [False] * (100 - slow)


def test_quick_steps_make_a_slow_helm_quick(helm: Helm[str]) -> None:
    for _ in range(100):
        helm.took(0.01)
    for _ in range(100):
        helm.took(0.0)
    assert not helm.is_slow()


def test_a_step_is_counted_when_it_ends_and_only_then(helm: Helm[str]) -> None:
    shift = taken(helm)
    shift.begin_step()
    begin = time.monotonic()
    wait_for(lambda: time.monotonic() > begin + 0.05)  # a slow step
    assert not helm.is_slow()
    assert shift.end_step()
    assert helm.is_slow()


def test_a_step_is_counted_although_the_helm_was_taken_from_it(helm: Helm[str]) -> None:
    shift = taken(helm)
    shift.begin_step()
    shift.inspect(time.monotonic() + 1.0)
    shift.end_step()
    assert helm.is_slow()


# Jobs that wait for an answer.


def no_news() -> bool:
    return False


def test_a_job_that_is_parked_goes_on_when_there_is_something_to_read(helm: Helm[str]) -> None:
    assert not helm.has_parked
    with pair() as (here, there):
        for turn in ("first", "second"):  # of one descriptor
            helm.park(here, turn)
            assert helm.has_parked
            assert helm.answered() is None
            there.send(b"!")
            helm.wait(no_news)
            assert helm.has_parked
            assert helm.answered() == turn
            assert helm.answered() is None
            assert not helm.has_parked
            assert here.recv(10) == b"!"


def test_only_those_go_on_that_can(helm: Helm[str]) -> None:
    with pair() as (one, _), pair() as (two, peer_of_two), pair() as (three, peer_of_three):
        for sock, job in ((one, "one"), (two, "two"), (three, "three")):
            helm.park(sock, job)
        peer_of_three.send(b"!")
        helm.wait(no_news)
        assert (helm.answered(), helm.answered(), helm.has_parked) == ("three", None, True)
        peer_of_two.send(b"!")
        helm.wait(no_news)
        assert (helm.answered(), helm.answered(), helm.has_parked) == ("two", None, True)


def test_all_that_can_go_on_do_after_one_wait(helm: Helm[str]) -> None:
    with pair() as (one, peer_of_one), pair() as (two, peer_of_two):
        helm.park(one, "one")
        helm.park(two, "two")
        peer_of_two.send(b"!")
        peer_of_one.send(b"!")
        helm.wait(no_news)
        assert {helm.answered(), helm.answered()} == {"one", "two"}
        assert not helm.has_parked


@pytest.mark.parametrize("who", ["peer", "watchdog"])
def test_a_job_goes_on_when_there_is_nothing_more_to_read(helm: Helm[str], who: str) -> None:
    with pair() as (here, there):
        helm.park(here, "a job")
        (there if who == "peer" else here).shutdown(socket.SHUT_RDWR)
        helm.wait(no_news)
        assert helm.answered() == "a job"


def test_whoever_looks_finds_what_can_go_on_already_and_does_not_sleep(helm: Helm[str]) -> None:
    with pair() as (here, there):
        helm.park(here, "a job")
        assert not helm.look()
        assert (helm.answered(), helm.has_parked) == (None, True)
        there.send(b"!")
        assert helm.look()
        assert (helm.answered(), helm.has_parked) == ("a job", False)
        assert not helm.look()
        helm.ring()
        assert helm.look(), "a ring is something as well"
        assert not helm.look()


# Sleeping.


def test_a_ring_wakes_the_one_who_sleeps(helm: Helm[str]) -> None:
    with pair() as (here, _):
        helm.park(here, "a job")
        assert not helm.is_asleep
        sleeping = start(1, lambda: helm.wait(no_news))
        wait_for(lambda: helm.is_asleep)
        helm.ring()
        join(sleeping)
        assert not helm.is_asleep
        assert (helm.answered(), helm.has_parked) == (None, True)


def test_one_ring_is_enough_until_the_next_sleep(helm: Helm[str]) -> None:
    with pair() as (here, _):
        helm.park(here, "a job")
        sleeping = start(1, lambda: helm.wait(no_news))
        wait_for(lambda: helm.is_asleep)
        helm.ring()
        assert not helm.is_asleep
        join(sleeping)


@pytest.mark.parametrize("rings", [1, 1000])
def test_rings_before_the_sleep_wake_once(helm: Helm[str], rings: int) -> None:
    for _ in range(rings):
        helm.ring()
    helm.wait(no_news)
    assert select.select([helm._sleeper], [], [], 0)[0] == []


def test_news_are_looked_for_when_whoever_makes_them_would_ring(helm: Helm[str]) -> None:
    seen: list[bool] = []

    def has_news() -> bool:
        seen.append(helm.is_asleep)
        return True

    helm.wait(has_news)  # does not sleep: nobody would wake it
    assert seen == [True]
    assert not helm.is_asleep


def test_news_that_come_just_before_the_sleep_wake(helm: Helm[str]) -> None:
    def has_news() -> bool:
        news.start()  # makes them after this look
        news.join()
        return False

    news = threading.Thread(target=lambda: helm.ring() if helm.is_asleep else None)
    helm.wait(has_news)
    assert not helm.is_asleep


def test_one_whose_look_for_news_fails_does_not_sleep(helm: Helm[str]) -> None:
    def has_news() -> bool:
        raise KeyError("a bug")

    with pytest.raises(KeyError):
        helm.wait(has_news)
    assert not helm.is_asleep


def test_a_ring_at_a_helm_without_a_bell_is_nothing() -> None:
    helm: Helm[str] = Helm(Hired(), lambda: None)
    helm.ring()
    helm.close()
    helm.open()
    helm.ring()
    helm.close()
    helm.ring()
    helm.close()
