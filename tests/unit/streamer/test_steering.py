"""Who is at the helm of a streamer's openings, and when loops are told."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from pulp_download.opening import Aside
from pulp_download.streamer.steering import Job, Steering
from pulp_download.watchdog import watchdog

# A bound that a busy machine keeps, in seconds.
SOON = 10.0


class Crew:
    """Threads to be hired, and the steering that hires them."""

    def __init__(self, threads: int = 4):
        self.executor = ThreadPoolExecutor(threads)
        self.over = threading.Event()
        self.steering = Steering(self.hire, self.over.set)
        self.hired = 0

    def hire(self, work: Callable[[], None]) -> bool:
        self.hired += 1
        self.executor.submit(work)
        return True

    def do(self, *jobs: Job) -> None:
        for job in jobs:
            self.steering.add(job)
        self.steering.begin()

    def is_free(self) -> bool:
        return self.steering._helm.is_free


@pytest.fixture
def crew() -> Iterator[Crew]:
    crew = Crew()
    yield crew
    crew.steering.close()
    crew.executor.shutdown()
    watchdog.rest()


def wait_for(predicate: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SOON
    while not predicate():
        assert time.monotonic() < deadline
        os.sched_yield()


class Steps:
    """A job that waits once, until ``answer``; notes its threads, and what it was given."""

    def __init__(self, ended: Callable[[], None] = lambda: None) -> None:
        self.here, self._there = socket.socketpair()
        self.threads: list[int] = []
        self.given: list[bool] = []
        self.is_over = threading.Event()
        self._ended = ended

    def __call__(self, on_block: Callable[[], None] | None) -> Any:
        self.threads.append(threading.get_ident())
        self.given.append(on_block is not None)
        if len(self.threads) == 1:
            return self.here
        self.here.recv(1)  # blocks, where it goes on too early
        self._ended()
        self.here.close()
        self._there.close()
        self.is_over.set()
        return None

    def answer(self) -> None:
        self._there.send(b"!")


def test_one_thread_does_all_that_does_not_block(crew: Crew) -> None:
    jobs = [Steps() for _ in range(20)]
    crew.do(*jobs)
    wait_for(lambda: all(job.threads for job in jobs))
    for job in reversed(jobs):
        job.answer()
    assert all(job.is_over.wait(SOON) for job in jobs)
    assert len({thread for job in jobs for thread in job.threads}) == 1
    assert crew.hired == 1


def test_nobody_is_at_the_helm_when_there_is_nothing_to_do(crew: Crew) -> None:
    for turn in (1, 2):
        job = Steps()
        crew.do(job)
        wait_for(lambda: len(job.threads) == 1)  # noqa: B023 (waited for at once)
        assert not crew.is_free()
        job.answer()
        assert job.is_over.wait(SOON)
        wait_for(crew.is_free)
        assert crew.hired == turn


def test_who_says_that_it_blocks_holds_up_nobody(crew: Crew) -> None:
    other = threading.Event()

    def blocks(on_block: Callable[[], None] | None) -> None:
        assert on_block is not None
        on_block()
        assert other.wait(SOON)
        is_over.set()

    is_over = threading.Event()
    crew.do(blocks, lambda _: other.set())
    assert is_over.wait(SOON)


def test_who_blocks_without_a_word_holds_up_others_for_a_moment(crew: Crew) -> None:
    other, is_over = threading.Event(), threading.Event()

    def blocks(on_block: Callable[[], None] | None) -> None:
        assert other.wait(SOON)
        is_over.set()

    crew.do(blocks, lambda _: other.set())
    assert is_over.wait(SOON)


def test_what_is_to_be_waited_for_by_one_who_has_given_up_the_helm_is_waited_for_at_it(
    crew: Crew,
) -> None:
    job, other = Steps(), Steps()

    def is_slept_at() -> bool:
        return crew.steering._helm.is_asleep

    def gives_up(on_block: Callable[[], None] | None) -> Any:
        if not job.threads:
            assert on_block is not None
            on_block()
            wait_for(is_slept_at)  # by another, who waits for the other job
        return job(on_block)

    crew.do(other, gives_up)
    wait_for(lambda: len(job.threads) == 1)
    job.answer()
    assert job.is_over.wait(SOON)
    assert job.given == [True, True]
    assert len({*job.threads, *other.threads}) == 2
    other.answer()
    assert other.is_over.wait(SOON)


def test_loops_are_told_together_of_what_came_together(crew: Crew) -> None:
    story: list[str] = []

    def job(name: str) -> Job:
        def step(on_block: object) -> None:
            story.append(name)
            crew.steering.tell(lambda: story.append(name.upper()))

        return step

    last = Steps(lambda: crew.steering.tell(is_over.set))
    is_over = threading.Event()
    last.answer()
    crew.do(*map(job, "abcdefghij"), last)
    assert is_over.wait(SOON)
    assert "".join(story) == "abcdefghABCDEFGHijIJ"


def test_who_has_given_up_the_helm_tells_at_once(crew: Crew) -> None:
    told: list[str] = []

    def job(on_block: Callable[[], None] | None) -> None:
        assert on_block is not None
        crew.steering.tell(lambda: told.append("at the helm"))
        assert told == []
        on_block()
        assert told == ["at the helm"]
        crew.steering.tell(lambda: told.append("elsewhere"))
        assert told == ["at the helm", "elsewhere"]
        is_over.set()

    is_over = threading.Event()
    crew.do(job)
    assert is_over.wait(SOON)


def test_jobs_from_many_threads_are_done_each_once(crew: Crew) -> None:
    done: list[int] = []

    def give(numbers: range) -> None:
        for number in numbers:
            crew.do(lambda on_block, number=number: done.append(number))  # type: ignore[misc]

    threads = [threading.Thread(target=give, args=(range(n, 2000, 4),)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wait_for(lambda: len(done) >= 2000)
    assert sorted(done) == list(range(2000))


def test_closed_while_a_job_waits_it_comes_to_its_end_and_the_bell_is_taken_down(
    crew: Crew,
) -> None:
    job = Steps()
    crew.do(job)
    wait_for(lambda: len(job.threads) == 1)
    crew.steering.close()
    job.answer()
    assert job.is_over.wait(SOON)
    crew.executor.shutdown()
    assert not crew.is_free()  # and nobody will be at the helm any more


def test_where_no_thread_is_to_be_had_the_job_waits_for_the_next(crew: Crew) -> None:
    is_over = threading.Event()
    hire = crew.steering._hire_thread
    crew.steering._hire_thread = lambda work: False
    crew.do(lambda on_block: is_over.set())
    crew.steering._hire_thread = hire
    crew.do(lambda on_block: None)
    assert is_over.wait(SOON)


class Parked(Aside):
    """Something to wait for that a test has come about."""

    def __init__(self) -> None:
        self.is_set = threading.Event()
        self.ends = 0

    def wake_by(self, wake: Callable[[], None]) -> None:
        self.wake = wake
        self.is_set.set()

    def end(self) -> None:
        self.ends += 1


def test_what_is_put_aside_holds_nobody_and_goes_on_once(crew: Crew) -> None:
    aside, over = Parked(), threading.Event()
    turns: list[bool] = []

    def job(on_block: Callable[[], None] | None) -> Parked | None:
        turns.append(on_block is not None)
        if len(turns) == 1:
            return aside
        over.set()
        return None

    crew.do(job)
    assert aside.is_set.wait(SOON)
    wait_for(crew.is_free)
    for _ in range(3):
        aside.wake()
    assert over.wait(SOON)
    wait_for(crew.is_free)
    assert (turns, aside.ends) == ([True, True], 1)


def test_closed_it_is_over_when_what_is_under_way_is(crew: Crew) -> None:
    connected, closed = threading.Event(), threading.Event()
    job = Steps()

    def blocks(on_block: Callable[[], None] | None) -> Any:
        if not closed.is_set():
            assert on_block is not None
            on_block()
            connected.set()
            assert closed.wait(SOON)
        return job(on_block)

    crew.do(blocks)
    assert connected.wait(SOON)
    crew.steering.close()
    closed.set()
    wait_for(lambda: len(job.threads) == 1)
    assert not crew.over.is_set()
    job.answer()
    assert job.is_over.wait(SOON)
    assert crew.over.wait(SOON)


def test_a_job_that_fails_is_over_and_disturbs_no_other(
    crew: Crew, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(_: object) -> None:
        raise OSError("a bug")

    job = Steps()
    crew.do(job, fails)
    wait_for(lambda: len(job.threads) == 1)
    job.answer()
    assert job.is_over.wait(SOON)
    crew.steering.close()
    assert crew.over.wait(SOON)
    assert "a job failed" in caplog.text


def test_a_wake_up_that_fails_keeps_no_other(crew: Crew, caplog: pytest.LogCaptureFixture) -> None:
    woken = threading.Event()

    def fails() -> None:
        raise OSError("a bug")

    def tells(_: object) -> None:
        crew.steering.tell(fails)
        crew.steering.tell(woken.set)

    crew.do(tells)
    assert woken.wait(SOON)
    assert "a wake-up failed" in caplog.text


def test_it_goes_on_without_a_watchdog_where_no_thread_is_to_be_had(
    crew: Crew, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(watchdog, "add", refused)
    job = Steps()
    crew.do(job)
    wait_for(lambda: len(job.threads) == 1)
    job.answer()
    assert job.is_over.wait(SOON)
    wait_for(crew.is_free)


def test_a_thread_that_was_not_to_be_had_is_asked_for_again() -> None:
    refusals, over = [True, True], threading.Event()
    with ThreadPoolExecutor(1) as executor:

        def hire(work: Callable[[], None]) -> bool:
            if refusals:
                refusals.pop()
                return False
            executor.submit(work)
            return True

        steering = Steering(hire, lambda: None)
        steering.add(lambda _: over.set())
        steering.begin()
        assert over.wait(SOON)
        steering.close()
    watchdog.rest()
