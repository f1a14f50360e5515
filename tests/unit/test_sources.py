"""Where one run may get its file: what it is told of its sources, step by step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pulp_download import Download, MemoryWriter, Mirrors, Remote
from pulp_download.adapters.awaited import Awaited
from pulp_download.errors import DigestMismatch, NotFound, ServerFailed, WriteError
from pulp_download.mirrors.mirror import Mirror
from pulp_download.retries import Wait
from pulp_download.segments import Setback
from pulp_download.sources import Sources
from pulp_download.turns import Turn
from pulp_download.watch import Watch

A, B, C = (f"http://{host}/file" for host in "abc")


class Asking:
    """One run's sources, in their order, at hosts that nobody connects to."""

    def __init__(self, remote: Remote, *urls: str) -> None:
        remote.retry_policy = remote.retry_policy._replace(backoff=0.0)
        self.remote = remote
        self.watch = Watch(remote.time_limits)
        download = Download(Mirrors(urls), MemoryWriter(), remote=remote)
        self.sources = Sources(download, remote, self.watch)

    def steps(self) -> Iterator[Wait | Awaited | Turn]:
        return self.sources.next()

    def next(self) -> str | None:
        """The next source, for which there is nothing to wait."""
        with pytest.raises(StopIteration) as end:
            next(self.steps())
        chosen: Mirror | None = end.value.value
        return None if chosen is None else str(chosen)

    def active(self) -> str:
        """The hosts that a place is taken at."""
        return "".join(host.origin.host for host in self.remote.hosts.known() if host.active)


@pytest.fixture
def asking() -> Iterator[Callable[..., Asking]]:
    remotes: list[Remote] = []

    def asking(*urls: str, **fields: Any) -> Asking:
        remotes.append(Remote(**({"mirror_policy": "order", "max_retries": 0} | fields)))
        return Asking(remotes[-1], *urls)

    yield asking
    for remote in remotes:
        remote.close()


def test_each_source_is_chosen_once_in_the_order_of_the_policy(
    asking: Callable[..., Asking],
) -> None:
    run = asking(A, B, C)
    for url, host in ((A, "a"), (B, "b"), (C, "c")):
        assert run.next() == url
        assert str(run.sources.current) == url
        assert run.active() == host, "and none at those before"
        run.sources.failed(NotFound(404))
    assert run.next() is None
    assert isinstance(run.sources.error, NotFound)
    assert run.active() == ""


def test_a_source_whose_host_is_full_is_passed_over(asking: Callable[..., Asking]) -> None:
    run = asking(A, B, per_host=1)
    hosts = run.remote.hosts
    other = Turn(hosts, Watch(run.remote.time_limits))
    assert other.take([hosts.at(Mirror(A).absolute.origin)])
    assert run.next() == B


def test_where_all_are_full_it_waits_for_whichever_is_free_first(
    asking: Callable[..., Asking],
) -> None:
    run = asking(A, B, per_host=1)
    hosts = run.remote.hosts
    others = [Turn(hosts, Watch(run.remote.time_limits)) for _ in "ab"]
    for other, url in zip(others, (A, B), strict=True):
        assert other.take([hosts.at(Mirror(url).absolute.origin)])
    woken: list[str] = []
    run.sources.wake_by(lambda: woken.append("woken"))
    steps = run.steps()
    assert isinstance(next(steps), Turn)
    assert not run.sources.has_place
    others[1].leave()
    assert woken == ["woken"]
    assert run.sources.has_place
    with pytest.raises(StopIteration) as end:
        next(steps)
    assert str(end.value.value) == B
    others[0].leave()


def test_the_time_of_a_run_begins_when_it_has_its_first_place(
    asking: Callable[..., Asking],
) -> None:
    run = asking(A, per_host=1)
    other = Turn(run.remote.hosts, Watch(run.remote.time_limits))
    other.take([run.remote.hosts.at(Mirror(A).absolute.origin)])
    steps = run.steps()
    next(steps)
    assert run.watch.started == 0.0
    other.leave()
    with pytest.raises(StopIteration):
        next(steps)
    assert run.watch.started > 0.0


def test_there_are_rivals_as_long_as_another_source_has_not_failed(
    asking: Callable[..., Asking],
) -> None:
    run = asking(A, B, max_retries=5)
    run.next()
    assert run.watch.rivals is not None
    run.sources.failed(ServerFailed(500))
    assert run.next() == B
    assert run.watch.rivals is None, "the last one is kept, however slow"
    run.sources.failed(ServerFailed(500))
    run.next()
    assert run.watch.rivals is None


def test_an_only_source_has_no_rivals(asking: Callable[..., Asking]) -> None:
    run = asking(A)
    run.next()
    assert run.watch.rivals is None


def test_a_repeat_is_waited_for_and_holds_no_place_meanwhile(
    asking: Callable[..., Asking],
) -> None:
    run = asking(A, max_retries=1)
    run.next()
    error = ServerFailed(503)
    error.retry_after = 60.0
    assert run.sources.failed(error) == pytest.approx(60.0, abs=1.0)
    assert isinstance(next(run.steps()), Wait)
    assert run.active() == ""


def test_a_failure_at_this_end_is_the_last_one(asking: Callable[..., Asking]) -> None:
    run = asking(A, B, max_retries=5)
    run.next()
    assert run.sources.failed(WriteError("no space")) is None
    assert run.next() is None
    assert isinstance(run.sources.error, WriteError)


def test_what_failed_helpers_is_in_the_history_and_costs_no_try(
    asking: Callable[..., Asking],
) -> None:
    run = asking(A, B)
    assert run.sources.history == ()
    assert run.sources.untried == ()
    run.next()
    setbacks = [
        Setback(Mirror(B), NotFound(404), 0),
        Setback(Mirror(B), DigestMismatch("md5", "0", "1"), 7),
    ]
    run.sources.note(setbacks)
    assert setbacks == []
    assert [(t.url, t.type, t.received) for t in run.sources.history] == [
        (B, "NotFound", 0),
        (B, "DigestMismatch", 7),
    ]
    assert [str(source) for source in run.sources.untried] == [A, B]
    run.sources.failed(ServerFailed(500))
    assert run.next() == B


def test_whoever_leaves_is_woken_no_more(asking: Callable[..., Asking]) -> None:
    run = asking(A, per_host=1)
    other = Turn(run.remote.hosts, Watch(run.remote.time_limits))
    other.take([run.remote.hosts.at(Mirror(A).absolute.origin)])
    woken: list[str] = []
    run.sources.wake_by(lambda: woken.append("woken"))
    next(run.steps())
    run.sources.leave(None)
    other.leave()
    assert woken == []
    assert run.watch.turn is None
    assert not run.sources.has_place
    assert run.active() == ""


# Relative sources.


def test_a_relative_source_is_looked_for_below_every_base(asking: Callable[..., Asking]) -> None:
    run = asking("d/file", base_urls=["http://a/r", "http://b/"])
    assert run.next() == "http://a/r/d/file"
    run.sources.failed(NotFound(404))
    assert run.next() == "http://b/d/file"


def test_while_another_run_reads_the_list_it_looks_again_every_now_and_then(
    asking: Callable[..., Asking],
) -> None:
    run = asking("file", mirror_list="http://list/")
    assert run.remote.bases.claim(), "by another run"
    steps = run.steps()
    assert isinstance(next(steps), Wait)
    assert isinstance(next(steps), Wait)
    run.remote.bases.learn(b"http://a/\n")
    with pytest.raises(StopIteration) as end:
        next(steps)
    assert str(end.value.value) == A


def test_a_list_that_another_run_could_not_read_is_this_ones_failure_too(
    asking: Callable[..., Asking],
) -> None:
    run = asking("file", mirror_list="http://list/")
    assert run.remote.bases.claim()
    run.remote.bases.failed(NotFound(404))
    with pytest.raises(NotFound) as caught:
        next(run.steps())
    assert run.sources.failed(caught.value) is None
    assert [failed.type for failed in run.sources.history] == ["NotFound"]
    assert run.next() is None
