"""Turns at hosts: who gets a place, who waits, and who is woken."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from pulp_download.errors import (
    ConnectionFailed,
    DigestMismatch,
    DownloadError,
    NotFound,
    ProxyFailed,
    ServerFailed,
    Throttled,
    TimedOut,
    TLSFailed,
    TokenFailed,
    Truncated,
)
from pulp_download.hosts import DEFAULT_PER_HOST, Hosts
from pulp_download.mirrors.mirror import Mirror
from pulp_download.mirrors.policies import POLICIES
from pulp_download.settings import Limits
from pulp_download.turns import Turn
from pulp_download.urls import Origin
from pulp_download.watchdog import watchdog

A, B, C = (Origin("http", name, 80) for name in "abc")


class Transfer:
    delivered = 0


class Bench:
    """Hosts, and turns that say when they were woken."""

    all: ClassVar[list[Bench]] = []

    def __init__(self, **limits: Any) -> None:
        self.all.append(self)
        self.hosts = Hosts(Limits(**limits))
        self.woken: list[Turn] = []
        self.changed = threading.Condition()

    def turn(self, *origins: Origin) -> Turn:
        """A turn that has a place at one of these, or waits for it."""
        turn = Turn(self.hosts, Transfer())
        turn.wake = lambda: self._wake(turn)
        turn.take([self.hosts.at(origin) for origin in origins or (A,)])
        return turn

    def _wake(self, turn: Turn) -> None:
        with self.changed:
            self.woken.append(turn)
            self.changed.notify_all()

    def wait_for(self, count: int) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.woken) >= count, 10)


@pytest.fixture(autouse=True)
def _over() -> Iterator[None]:
    yield
    while Bench.all:
        Bench.all.pop().hosts.close()


def places(*turns: Turn) -> str:
    """The hosts that they have a place at, a dot for none."""
    return "".join(turn.host.origin.host if turn.host else "." for turn in turns)


@pytest.mark.need("I9")
def test_a_host_has_as_many_places_as_its_limit_and_the_next_ones_wait_in_turn() -> None:
    bench = Bench(per_host=2)
    turns = [bench.turn() for _ in range(4)]
    assert places(*turns) == "aa.."
    turns[1].leave()
    assert places(*turns) == "a.a."
    assert bench.woken == [turns[2]]
    turns[0].leave()
    assert bench.woken == turns[2:]


def test_whoever_gives_up_waiting_is_not_given_a_place() -> None:
    bench = Bench(per_host=1)
    first, second, third = (bench.turn() for _ in range(3))
    second.leave()
    first.leave()
    assert places(first, second, third) == "..a"
    assert bench.woken == [third]


def test_a_place_that_was_given_and_is_not_wanted_any_more_goes_to_the_next() -> None:
    bench = Bench(per_host=1)
    first, second, third = (bench.turn() for _ in range(3))
    first.leave()
    second.leave()
    assert places(first, second, third) == "..a"


def test_leaving_twice_gives_back_one_place() -> None:
    bench = Bench(per_host=1)
    first, second, third = (bench.turn() for _ in range(3))
    first.leave()
    first.leave()
    assert places(second, third) == "a."


def test_of_several_hosts_the_first_that_is_free_is_taken_and_else_whichever_gets_free() -> None:
    bench = Bench(per_host=1)
    turns = [bench.turn(A, B, C) for _ in range(4)]
    assert places(*turns) == "abc."
    turns[1].leave()
    assert places(*turns) == "a.cb"
    turns[0].leave()
    assert bench.woken == [turns[3]], "once, at one host"
    assert not any(host.waiting for host in bench.hosts.known())


@pytest.mark.need("I9")
def test_all_hosts_together_have_as_many_places_as_the_remote_allows() -> None:
    bench = Bench(in_all=2)
    turns = [bench.turn(A), bench.turn(B), bench.turn(C), bench.turn(A)]
    assert places(*turns) == "ab.."
    turns[1].leave()
    turns[0].leave()
    assert sorted(places(*turns)) == list("..ac")


def test_unless_told_otherwise_a_host_has_eight_places_or_as_many_as_a_batch_runs() -> None:
    bench = Bench()
    assert bench.hosts.bound == DEFAULT_PER_HOST == 8
    turns = [bench.turn() for _ in range(9)]
    assert places(*turns) == "a" * 8 + "."
    bench.hosts.widen(4)
    assert bench.hosts.at(A).limit == 8
    bench.hosts.widen(16)
    assert (bench.hosts.at(A).limit, bench.hosts.at(B).limit) == (16, 16)


@pytest.mark.parametrize("limits", [{"per_host": 3}, {"in_all": 3}])
def test_a_batch_does_not_widen_what_a_setting_says(limits: dict[str, int]) -> None:
    hosts = Hosts(Limits(**limits))
    hosts.widen(16)
    assert hosts.bound == 3


BUSY: list[DownloadError] = [
    Throttled(429, "Too Many Requests"),
    ServerFailed(503, "Busy"),
    ServerFailed(421, "Too many connections"),
    ConnectionFailed("reset"),
    TimedOut("read", 30.0),
    Truncated(1, 2),
]


@pytest.mark.parametrize("error", BUSY, ids=lambda error: f"{type(error).__name__}{error.status}")
def test_what_says_that_a_host_is_busy_halves_its_limit(error: DownloadError) -> None:
    bench = Bench(per_host=8)
    bench.turn().leave(error)
    assert bench.hosts.at(A).limit == 4


@pytest.mark.parametrize(
    "error",
    [NotFound(404), ServerFailed(500), TLSFailed("x"), DigestMismatch("md5", "0", "1"), None],
    ids=lambda error: type(error).__name__,
)
def test_what_says_nothing_of_the_kind_leaves_the_limit_as_it_is(
    error: DownloadError | None,
) -> None:
    bench = Bench(per_host=8)
    bench.turn().leave(error)
    assert bench.hosts.at(A).limit == 8


def test_one_bad_moment_halves_the_limit_once_however_many_were_under_way() -> None:
    bench = Bench(per_host=8)
    turns = [bench.turn() for _ in range(8)]
    for turn in turns:
        turn.leave(ConnectionFailed("reset"))
    assert bench.hosts.at(A).limit == 4
    for _ in range(10):
        bench.turn().leave(ConnectionFailed("reset"))
    assert bench.hosts.at(A).limit == 1, "and never below one"


def test_successes_raise_the_limit_by_one_for_as_many_as_it_stands_at() -> None:
    bench = Bench(per_host=4)
    bench.turn().leave(ConnectionFailed("reset"))
    bench.turn().leave()
    bench.turn().leave()
    assert bench.hosts.at(A).limit == pytest.approx(2.9)
    for _ in range(20):
        bench.turn().leave()
    assert bench.hosts.at(A).limit == 4, "and never above the bound"


def asking_for(seconds: float) -> ServerFailed:
    error = ServerFailed(503, "Busy")
    error.retry_after = seconds
    return error


def test_a_host_that_asks_for_rest_is_left_alone_and_others_are_not() -> None:
    bench = Bench()
    bench.turn().leave(asking_for(60))
    waits, elsewhere, chooses = bench.turn(A), bench.turn(B), bench.turn(A, C)
    assert places(waits, elsewhere, chooses) == ".bc"
    waits.leave()


def test_after_its_rest_a_host_is_asked_again_by_those_who_waited() -> None:
    bench = Bench()
    bench.turn().leave(asking_for(0.2))
    began = time.monotonic()
    turns = [bench.turn(), bench.turn()]
    assert places(*turns) == ".."
    bench.wait_for(2)
    assert places(*turns) == "aa"
    assert time.monotonic() - began >= 0.19


def test_a_rest_longer_than_allowed_is_not_taken() -> None:
    bench = Bench(retry_after=10.0)
    bench.turn().leave(asking_for(11))
    assert places(bench.turn()) == "a"


@pytest.mark.need("I9")
def test_requests_are_as_far_apart_as_the_rate_says() -> None:
    bench = Bench(rate=20.0)
    began = time.monotonic()
    turns = [bench.turn() for _ in range(5)]
    assert places(*turns) == "a...."
    bench.wait_for(4)
    assert time.monotonic() - began >= 4 / 20
    assert places(bench.turn(A), bench.turn(B)) == ".b", "each host has a rate of its own"


def test_a_turn_moves_to_where_a_redirect_leads_and_the_first_is_judged() -> None:
    bench = Bench(per_host=1)
    turn = bench.turn(A)
    assert turn.move(bench.hosts.at(B))
    assert places(turn, bench.turn(A)) == "ba"
    turn.leave(ServerFailed(500))
    assert bench.hosts.at(A).score.failures == pytest.approx(1)
    assert bench.hosts.at(B).score.failures == 0


def test_a_move_to_a_full_host_waits_there() -> None:
    bench = Bench(per_host=1)
    there, turn = bench.turn(B), bench.turn(A)
    assert not turn.move(bench.hosts.at(B))
    there.leave()
    assert places(turn) == "b"


def ranking(bench: Bench, *hosts: str) -> str:
    mirrors = [Mirror(f"http://{host}/x") for host in hosts]
    return "".join(
        mirror.absolute.origin.host for mirror in bench.hosts.ranked(mirrors, POLICIES["best"])
    )


def test_mirrors_are_ranked_by_what_is_known_of_their_hosts() -> None:
    bench = Bench()
    assert ranking(bench, "a", "b", "c") == "abc"
    bench.turn(A).leave(ServerFailed(500))
    assert ranking(bench, "a", "b", "c") == "bca"
    busy = bench.turn(B)
    assert ranking(bench, "a", "b", "c")[0] == "c"
    busy.leave()


def test_one_that_sent_wrong_bytes_is_marked_down_for_other_files_too() -> None:
    bench = Bench()
    bench.turn(A).leave(DigestMismatch("md5", "0", "1"))
    bench.turn(B).leave(ServerFailed(500))
    assert ranking(bench, "a", "b") == "ba"


def test_a_file_that_is_not_there_says_nothing_about_a_mirror() -> None:
    bench = Bench()
    for _ in range(10):
        bench.turn(A).leave(NotFound(404))
    assert ranking(bench, "a", "b") == "ab"


@pytest.mark.fault(112)
def test_what_is_lacking_at_this_end_is_not_the_fault_of_a_host() -> None:
    bench = Bench(per_host=8)
    exhausted = ConnectionFailed("Too many open files")
    exhausted.is_local = True
    for _ in range(10):
        bench.turn(A).leave(exhausted)
    assert ranking(bench, "a", "b") == "ab"
    score = bench.hosts.at(A).score
    assert score.failures == 0
    assert not score.is_rested(time.monotonic())
    assert bench.hosts.at(A).limit < 8, "but less at once is what helps"


@pytest.mark.parametrize("failure", [ProxyFailed("proxy: refused"), TokenFailed("no token")])
def test_a_host_that_was_never_asked_is_neither_blamed_nor_asked_for_less(
    failure: DownloadError,
) -> None:
    bench = Bench(per_host=8)
    for _ in range(10):
        bench.turn(A).leave(failure)
    assert ranking(bench, "a", "b") == "ab"
    host = bench.hosts.at(A)
    assert (host.score.failures, host.limit) == (0, 8)


def test_a_proxy_that_is_too_busy_has_the_host_behind_it_asked_for_less() -> None:
    bench = Bench(per_host=8)
    bench.turn(A).leave(ProxyFailed("proxy: 503", status=503))
    assert bench.hosts.at(A).limit == 4


def test_closing_forgets_who_waits_and_leaves_no_timer() -> None:
    bench = Bench()
    bench.turn().leave(asking_for(60))
    bench.turn()
    bench.hosts.close()
    assert bench.woken == []
    watchdog.rest()  # which it does only if it has no timer
    assert watchdog._thread is None


def test_threads_that_take_and_leave_at_once_never_exceed_the_limit() -> None:
    bench = Bench(per_host=3)
    lock, active, peak = threading.Lock(), 0, 0

    def work() -> None:
        nonlocal active, peak
        for _ in range(300):
            turn, granted = Turn(bench.hosts, Transfer()), threading.Event()
            turn.wake = granted.set
            if not turn.take([bench.hosts.at(A)]):
                assert granted.wait(10)
            with lock:
                active += 1
                peak = max(peak, active)
            with lock:
                active -= 1
            turn.leave()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert peak <= 3
    assert bench.hosts.at(A).active == 0


@pytest.mark.need("I9")
def test_a_host_that_answers_nothing_takes_one_place_beside_others() -> None:
    bench = Bench(per_host=8)
    good, hanging = bench.turn(A), [bench.turn(B) for _ in range(5)]
    assert places(*hanging) == "b...."
    for _ in range(20):
        good.leave()
        good = bench.turn(A)
    assert places(*hanging) == "b....", "however much another one answers"
    hanging[0].leave(NotFound(404))
    assert places(*hanging) == ".bb..", "an answer, any, is credit for one more"
    hanging[1].leave()
    assert places(*hanging) == "..bbb"[:5]


def test_a_host_that_begins_to_hang_keeps_the_places_that_it_has_and_one() -> None:
    bench = Bench(per_host=8)
    others = bench.turn(A)
    for _ in range(4):
        pair = [bench.turn(B), bench.turn(B)]
        for turn in pair:
            turn.leave()
    turns = [bench.turn(B) for _ in range(8)]
    assert places(*turns) == "bb......"
    others.leave()


def test_a_host_that_is_alone_is_asked_for_as_much_as_its_limit_allows() -> None:
    bench = Bench(per_host=8)
    assert places(*(bench.turn(A) for _ in range(8))) == "a" * 8


def test_when_the_others_are_over_the_places_are_for_whoever_waits() -> None:
    bench = Bench(per_host=3)
    other, turns = bench.turn(A), [bench.turn(B) for _ in range(3)]
    assert places(*turns) == "b.."
    other.leave()
    bench.wait_for(2)
    assert places(*turns) == "bbb"
