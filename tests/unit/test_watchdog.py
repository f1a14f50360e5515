"""One clock: limits, stalls and cancels, noticed from outside the worker."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import pytest

from pulp_download.errors import Cancelled, ConnectionFailed, DownloadError, Stalled, TimedOut
from pulp_download.settings import TimeLimits
from pulp_download.watch import Watch, shut_down
from pulp_download.watchdog import Watchdog, watchdog
from tests.unit.children import in_child

# Limits short enough to wait for, and a bound that a busy machine keeps (seconds).
SHORT, SOON = 0.2, 5.0

NOTHING_ELSE = TimeLimits(connect=100, read=100, min_speed=0)


@contextmanager
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    here, there = socket.socketpair()
    with here, there:
        yield here, there


@pytest.fixture(autouse=True)
def _no_thread_left() -> Iterator[None]:
    yield
    watchdog.rest()


@contextmanager
def watched(watch: Watch) -> Iterator[Watch]:
    watchdog.add(watch)
    try:
        yield watch
    finally:
        watchdog.discard(watch)


def until_stopped(watch: Watch) -> float:
    """Wait for the verdict; return the seconds that took."""
    stopped = threading.Event()
    watch.on_stop = stopped.set
    begin = time.monotonic()
    assert stopped.wait(SOON), "never stopped"
    return time.monotonic() - begin


def verdict_of(watch: Watch) -> DownloadError:
    with pytest.raises(DownloadError) as caught:
        watch.check()
    return caught.value


def wait_for(predicate: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SOON
    while not predicate():
        assert time.monotonic() < deadline
        os.sched_yield()


def dogs() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "pulp-watchdog"]


# Limits.


@pytest.mark.fault(23, 25)
def test_a_phase_that_lasts_too_long_is_stopped_under_the_name_of_its_limit() -> None:
    watch = Watch(NOTHING_ELSE)
    with watched(watch):
        watch.begin("connect", SHORT)
        assert until_stopped(watch) >= SHORT - 0.05
    error = verdict_of(watch)
    assert isinstance(error, TimedOut)
    assert (error.limit, error.seconds, error.retryable, error.final) == (
        "connect",
        SHORT,
        True,
        False,
    )


def test_a_phase_that_has_ended_is_not_stopped() -> None:
    watch, later = Watch(NOTHING_ELSE), Watch(NOTHING_ELSE)
    with watched(watch), watched(later):
        watch.begin("connect", 0.05)
        watch.end()
        later.begin("read", SHORT)
        until_stopped(later)
        watch.check()


def test_the_rest_of_a_phase_is_told_and_never_negative() -> None:
    watch = Watch(NOTHING_ELSE)
    watch.begin("connect", 100)
    assert 99 < watch.remaining() <= 100
    watch.begin("connect", 0)
    assert watch.remaining() == 0.0


def test_the_total_limit_is_final_and_runs_from_the_start() -> None:
    watch = Watch(NOTHING_ELSE._replace(total=SHORT))
    with watched(watch):
        watch.start()
        assert until_stopped(watch) >= SHORT - 0.05
    error = verdict_of(watch)
    assert isinstance(error, TimedOut)
    assert (error.limit, error.seconds, error.final) == ("total", SHORT, True)


def test_queueing_before_the_start_does_not_count_towards_the_total() -> None:
    watch = Watch(NOTHING_ELSE._replace(total=0.1))
    watch.inspect(time.monotonic() + 1000)
    watch.check()


@pytest.mark.fault(24)
def test_a_silent_read_is_stopped() -> None:
    watch = Watch(NOTHING_ELSE._replace(read=SHORT))
    with watched(watch):
        watch.begin_body()
        watch.begin_read()
        assert until_stopped(watch) >= SHORT - 0.05
    error = verdict_of(watch)
    assert isinstance(error, TimedOut) and (error.limit, error.seconds) == ("read", SHORT)


@pytest.mark.fault(22)
def test_a_trickle_is_a_stall_although_every_read_returns_soon() -> None:
    limits = NOTHING_ELSE._replace(min_speed=1000, stall_period=SHORT)
    watch = Watch(limits)
    stopped = threading.Event()
    watch.on_stop = stopped.set
    with watched(watch), pair() as (here, there):
        watch.begin_body()
        begin = time.monotonic()
        while not stopped.wait(0.005):  # the peer's pace: one byte at a time
            assert time.monotonic() - begin < SOON
            there.send(b"x")
            watch.begin_read()
            stopped.wait(0.01)
            watch.end_read(len(here.recv(100)))
    error = verdict_of(watch)
    assert isinstance(error, Stalled)
    assert (error.period, error.min_speed, error.retryable) == (SHORT, 1000, True)
    assert 0 < error.received < 1000 * SHORT
    assert time.monotonic() - begin >= SHORT


# What is judged by the clock, without waiting: moments are given.


def reading(limits: TimeLimits) -> tuple[Watch, float]:
    watch = Watch(limits)
    watch.begin_body()
    watch.begin_read()
    return watch, time.monotonic()


@pytest.mark.fault(22)
def test_exactly_the_least_speed_is_no_stall_and_one_byte_less_is() -> None:
    limits = NOTHING_ELSE._replace(min_speed=1000, stall_period=10)
    for received, is_stall in ((10_000, False), (9_999, True)):
        watch, now = reading(limits)
        watch.end_read(received)
        watch.begin_read()
        watch.inspect(now + 11)
        assert isinstance(watch.verdict, Stalled) is is_stall


@pytest.mark.fault(22)
def test_each_period_is_judged_by_its_own_bytes() -> None:
    watch, now = reading(NOTHING_ELSE._replace(min_speed=1000, stall_period=10))
    watch.end_read(1_000_000)
    watch.begin_read()
    watch.inspect(now + 11)
    watch.check()
    watch.inspect(now + 22)
    error = verdict_of(watch)
    assert isinstance(error, Stalled) and error.received == 0


def test_without_a_least_speed_nothing_is_a_stall() -> None:
    watch, now = reading(NOTHING_ELSE._replace(min_speed=0, stall_period=10))
    watch.inspect(now + 99)
    watch.check()


@pytest.mark.fault(192)
def test_a_slow_consumer_is_no_stall() -> None:
    watch, now = reading(TimeLimits(read=1, min_speed=1000, stall_period=1))
    watch.end_read(1)
    watch.inspect(now + 1000)
    watch.check()
    watch.begin_read()
    watch.inspect(time.monotonic() + 0.5)
    watch.check()


def test_a_head_is_limited_by_its_phase_and_is_no_slow_body() -> None:
    watch = Watch(TimeLimits(read=100, min_speed=1000, stall_period=1))
    watch.begin("read", 100)
    watch.begin_read()
    watch.inspect(time.monotonic() + 50)
    watch.check()


def test_each_body_is_counted_from_zero() -> None:
    watch, _ = reading(NOTHING_ELSE)
    watch.end_read(100)
    watch.begin_read()
    watch.end_read(50)
    assert watch.received == 150
    watch.begin_body()
    assert watch.received == 0


# Stopping.


@pytest.mark.fault(171)
@pytest.mark.parametrize("verdict", [Cancelled(), ConnectionFailed("x")], ids=["cancel", "other"])
def test_a_stop_wakes_a_blocked_read(verdict: DownloadError) -> None:
    with pair() as (here, _):
        watch = Watch(NOTHING_ELSE)
        watch.attach(here)
        begun = threading.Event()
        received: list[bytes] = []

        def read() -> None:
            begun.set()
            received.append(here.recv(100))

        reader = threading.Thread(target=read)
        reader.start()
        begun.wait(SOON)
        assert watch.stop(verdict)
        reader.join(SOON)
        assert not reader.is_alive()
        assert received == [b""]
        assert verdict_of(watch) is verdict


def test_the_first_verdict_stands() -> None:
    watch = Watch(NOTHING_ELSE)
    first = ConnectionFailed("first")
    assert watch.stop(first)
    assert not watch.stop(ConnectionFailed("second"))
    assert verdict_of(watch) is first
    assert watch.cancel()  # ends the run, which the first would only have made try again
    assert not watch.cancel()
    assert isinstance(verdict_of(watch), Cancelled)


@pytest.mark.fault(171)
def test_of_many_who_cancel_at_once_one_was_the_first() -> None:
    for _ in range(20):
        watch = Watch(NOTHING_ELSE)
        calls: list[None] = []
        watch.on_stop = lambda calls=calls: calls.append(None)  # type: ignore[misc]
        barrier, answers = threading.Barrier(8), []

        def cancel(watch: Watch = watch, barrier: threading.Barrier = barrier) -> None:
            barrier.wait()
            answers.append(watch.cancel())  # noqa: B023 (joined within its turn)

        threads = [threading.Thread(target=cancel) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(answers) == [False] * 7 + [True]
        assert len(calls) == 1


@pytest.mark.fault(171, 172)
def test_a_socket_that_comes_after_the_verdict_is_refused() -> None:
    with pair() as (here, _):
        watch = Watch(NOTHING_ELSE)
        watch.cancel()
        with pytest.raises(Cancelled):
            watch.attach(here)


@pytest.mark.fault(12, 171)
def test_a_detached_socket_is_never_touched_again() -> None:
    with pair() as (here, there):
        watch = Watch(NOTHING_ELSE)
        watch.attach(here)
        watch.detach()
        watch.cancel()
        there.send(b"still open")
        assert here.recv(100) == b"still open"
        assert here.send(b"both ways") == 9


def test_only_the_last_socket_is_shut_down() -> None:
    with pair() as (first, first_peer), pair() as (second, _):
        watch = Watch(NOTHING_ELSE)
        watch.attach(first)
        watch.attach(second)
        watch.cancel()
        first_peer.send(b"open")
        assert (first.recv(100), second.recv(100)) == (b"open", b"")


def test_shutting_down_a_socket_that_is_gone_is_nothing() -> None:
    with pair() as (here, _):
        here.close()
        shut_down(here)
    with socket.socket() as never_connected:
        shut_down(never_connected)


# Tries.


def test_a_new_try_forgets_what_ended_the_last_one() -> None:
    watch = Watch(NOTHING_ELSE)
    watch.begin("connect", 0)
    watch.begin_read()
    watch.inspect(time.monotonic())
    assert isinstance(watch.verdict, TimedOut)
    watch.begin_try()
    watch.check()
    watch.inspect(time.monotonic() + 1000)
    watch.check()


@pytest.mark.parametrize("verdict", [Cancelled(), TimedOut("total", 1)], ids=["cancel", "total"])
def test_a_new_try_does_not_forget_what_ends_the_run(verdict: DownloadError) -> None:
    watch = Watch(NOTHING_ELSE)
    watch.stop(verdict)
    with pytest.raises(type(verdict)):
        watch.begin_try()
    assert verdict_of(watch) is verdict


# The thread.


def test_a_thread_that_rests_is_gone_and_one_that_is_needed_stays() -> None:
    assert dogs() == []
    with watched(Watch(NOTHING_ELSE)):
        (one,) = dogs()
        with watched(Watch(NOTHING_ELSE)):
            watchdog.rest()
            assert dogs() == [one]
        watchdog.rest()
        assert dogs() == [one]
    watchdog.rest()
    assert dogs() == []
    watchdog.rest()


def test_a_thread_waits_a_while_for_more_and_then_leaves_by_itself() -> None:
    for _ in range(2):
        with watched(Watch(NOTHING_ELSE)):
            (one,) = dogs()
        with watched(Watch(NOTHING_ELSE)):
            assert dogs() == [one]
        wait_for(lambda: not dogs())


def test_what_is_added_while_the_thread_is_sent_home_is_watched() -> None:
    over = threading.Event()

    def rest() -> None:
        while not over.is_set():
            watchdog.rest()

    resting = threading.Thread(target=rest)
    resting.start()
    try:
        for _ in range(300):
            watch = Watch(NOTHING_ELSE)
            with watched(watch):
                assert len(dogs()) == 1
        with watched(watch):
            watch.begin("connect", 0.05)
            assert until_stopped(watch) < SOON
    finally:
        over.set()
        resting.join()


def test_those_of_one_owner_are_stopped_and_no_others() -> None:
    one, other = object(), object()
    first, both, foreign = (
        Watch(NOTHING_ELSE, owners) for owners in ((one,), (other, one), (other,))
    )
    with watched(first), watched(both), watched(foreign):
        assert watchdog.cancel(one, "enough")
        assert not watchdog.cancel(one)
        assert str(verdict_of(first)) == str(verdict_of(both)) == "enough"
        foreign.check()
    assert not watchdog.cancel(other)
    watchdog.rest()


def test_what_comes_while_only_a_far_timer_is_set_is_watched_at_once() -> None:
    timer = watchdog.call_at(time.monotonic() + 1000, lambda: None)
    try:
        for _ in range(2):  # the thread has seen that nothing was watched
            watch = Watch(NOTHING_ELSE)
            with watched(watch):
                watch.begin("connect", 0.05)
                assert until_stopped(watch) < SOON
    finally:
        watchdog.call_off(timer)
        watchdog.rest()


def test_what_is_no_longer_watched_is_not_judged() -> None:
    watch, later = Watch(NOTHING_ELSE), Watch(NOTHING_ELSE)
    with watched(later):
        with watched(watch):
            watch.begin("connect", SHORT)
        later.begin("connect", 2 * SHORT)
        until_stopped(later)
    watch.check()


def test_a_watch_may_be_discarded_by_what_its_stop_calls() -> None:
    watch = Watch(NOTHING_ELSE)
    discarded = threading.Event()

    def discard() -> None:
        watchdog.discard(watch)
        discarded.set()

    watch.on_stop = discard
    watchdog.add(watch)
    watch.begin("connect", 0.05)
    assert discarded.wait(SOON)
    wait_for(lambda: not dogs())


def test_timers_call_back_in_their_order_and_not_before_their_time() -> None:
    calls: list[tuple[str, float]] = []
    last = threading.Event()
    now = time.monotonic()

    def call(name: str) -> Callable[[], None]:
        return lambda: calls.append((name, time.monotonic() - now))

    watchdog.call_at(now + 1.0, lambda: (call("late")(), last.set()))
    watchdog.call_at(now + 0.1, call("early"))
    watchdog.call_at(now + 0.1, call("early, too"))
    assert last.wait(SOON)
    assert [name for name, _ in calls] == ["early", "early, too", "late"]
    assert calls[0][1] >= 0.1 and calls[2][1] >= 1.0


def test_a_sooner_timer_overtakes_one_that_is_waited_for() -> None:
    called = threading.Event()
    far = watchdog.call_at(time.monotonic() + 1000, lambda: None)
    watchdog.call_at(time.monotonic(), called.set)
    assert called.wait(SOON)
    watchdog.call_off(far)


def test_a_timer_that_was_called_off_does_not_call() -> None:
    calls: list[str] = []
    last = threading.Event()
    now = time.monotonic()
    timers = [watchdog.call_at(now + 0.1, lambda: calls.append("off")) for _ in range(20)]
    kept = watchdog.call_at(now + 0.15, lambda: calls.append("kept"))
    watchdog.call_at(now + 0.2, last.set)
    for timer in timers:
        watchdog.call_off(timer)
    assert last.wait(SOON)
    watchdog.call_off(kept)  # has called already: nothing happens
    assert calls == ["kept"]


@pytest.mark.fault(135)
def test_a_forked_child_has_a_watchdog_of_its_own() -> None:
    def story() -> tuple[int, str]:
        before = len(dogs())
        watch = Watch(NOTHING_ELSE)
        with watched(watch):
            watch.begin("connect", 0.05)
            until_stopped(watch)
        return before, type(watch.verdict).__name__

    with watched(Watch(NOTHING_ELSE)):
        with watchdog._lock:  # held by a thread that the child has not got
            child: list[tuple[int, str]] = []
            child.append(in_child(story))
        assert child == [(0, "TimedOut")]
        assert len(dogs()) == 1


def test_watchdogs_are_independent() -> None:
    other = Watchdog()
    watch = Watch(NOTHING_ELSE)
    other.add(watch)
    assert len(dogs()) == 1
    other.discard(watch)
    watchdog.rest()
    assert len(dogs()) == 1
    other.rest()
    assert dogs() == []


@pytest.mark.fault(189)
def test_what_a_signals_handler_raises_never_leaves_it_waiting_for_ever() -> None:
    class Interrupted(Exception):
        pass

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise Interrupted

    def use() -> None:
        while True:
            watchdog.call_off(watchdog.call_at(time.monotonic() + 1000, lambda: None))
            watchdog.rest()  # which it does not, for there is a timer

    watchdog.call_at(time.monotonic() + 1000, lambda: None)
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        for number in range(2000):
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.0001 + number % 50 * 0.00001)
                use()
            except Interrupted:
                pass
        called = threading.Event()
        watchdog.call_at(time.monotonic(), called.set)
        assert called.wait(SOON)
    finally:
        signal.signal(signal.SIGALRM, before)
        for timer in tuple(watchdog._timers):
            watchdog.call_off(timer)
