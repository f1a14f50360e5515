"""Small documents about files: read whole, with the remote's retries and within its limits."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pulp_download.adapters.awaited import Awaited
from pulp_download.documents import document
from pulp_download.errors import (
    Cancelled,
    ConnectionFailed,
    DigestMismatch,
    NotFound,
    ServerFailed,
    SizeMismatch,
    Throttled,
    Truncated,
)
from pulp_download.mirrors.mirror import Mirror
from pulp_download.remote import Remote
from pulp_download.retries import Wait
from pulp_download.turns import Turn
from pulp_download.watch import Watch
from tests.servers import (
    Cut,
    FaultServer,
    Script,
    chunk,
    chunked,
    cut,
    endless_body,
    head,
    hold,
    redirect,
    reply,
    steps,
    truncated,
    until_close,
)

LIST = b"http://a/\nhttp://b/\n"
LARGEST = 10_000_000

Step = Awaited | Turn | Wait


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as server:
        server.default(reply(200, LIST))
        yield server


class Reading:
    """Reads a document of the server through one remote, made of ``fields``, that never waits."""

    def __init__(self, server: FaultServer, remote: Remote) -> None:
        remote.retry_policy = remote.retry_policy._replace(backoff=0.0)
        self.server = server
        self.remote = remote
        self.watch = Watch(remote.time_limits)
        self.place = Mirror(server.url("/list"))
        self.host = remote.hosts.at(self.place.absolute.origin)

    def steps(self) -> Iterator[Step]:
        """The steps of one reading; its bytes are what the last one returns."""
        return document(self.remote, self.place, self.watch)

    def __call__(self) -> bytes:
        steps = self.steps()
        try:
            while True:
                next(steps)
        except StopIteration as end:
            content: bytes = end.value
            return content


@pytest.fixture
def through(server: FaultServer) -> Iterator[Callable[..., Reading]]:
    remotes: list[Remote] = []

    def through(**fields: Any) -> Reading:
        remotes.append(Remote(environment_proxies=False, **({"max_retries": 0} | fields)))
        return Reading(server, remotes[-1])

    yield through
    for remote in remotes:
        remote.close()


@pytest.mark.parametrize(
    "framed",
    [reply(200, LIST), chunked([chunk(LIST[:3]), chunk(LIST[3:])]), until_close(LIST)],
    ids=["length", "chunked", "until close"],
)
def test_a_document_comes_whole_however_it_is_framed(
    server: FaultServer, through: Callable[..., Reading], framed: Script
) -> None:
    server.default(framed)
    assert through()() == LIST


def test_an_empty_document_is_one_too(server: FaultServer, through: Callable[..., Reading]) -> None:
    server.default(reply(200, b""))
    assert through()() == b""


def test_it_is_read_where_a_redirect_leads(
    server: FaultServer, through: Callable[..., Reading]
) -> None:
    server.on("/list", redirect("/elsewhere"))
    server.on("/elsewhere", reply(200, b"there"))
    assert through()() == b"there"


def test_its_connection_serves_again(through: Callable[..., Reading]) -> None:
    reading = through()
    assert [reading(), reading()] == [LIST, LIST]
    assert reading.server.accepted == 1


# Retries.


@pytest.mark.parametrize(
    "fault",
    [reply(500), reply(503), reply(429), truncated(LIST, sent=3), cut(Cut.RST)],
    ids=["500", "503", "429", "truncated", "reset"],
)
def test_what_may_pass_is_tried_again(
    server: FaultServer, through: Callable[..., Reading], fault: Script
) -> None:
    server.default([fault, fault, reply(200, LIST)])
    assert through(max_retries=2)() == LIST
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (reply(500), ServerFailed),
        (truncated(LIST, sent=3), Truncated),
        (cut(Cut.RST), ConnectionFailed),
    ],
    ids=["500", "truncated", "reset"],
)
def test_as_often_as_the_remote_says_and_then_the_last_failure_is_raised(
    server: FaultServer, through: Callable[..., Reading], fault: Script, kind: type[Exception]
) -> None:
    server.default(fault)
    with pytest.raises(kind) as caught:
        through(max_retries=2)()
    error: Any = caught.value
    assert error.url == server.url("/list")
    assert [failed.type for failed in error.attempts] == [kind.__name__] * 3
    assert len(server.requests) == 3


def test_what_is_not_there_is_asked_for_once(
    server: FaultServer, through: Callable[..., Reading]
) -> None:
    server.default(reply(404))
    with pytest.raises(NotFound):
        through(max_retries=5)()
    assert len(server.requests) == 1


@pytest.mark.fault(51)
def test_a_wait_is_left_to_whoever_goes_through_the_steps(
    server: FaultServer, through: Callable[..., Reading]
) -> None:
    server.default([reply(503, headers={"Retry-After": "60"}), reply(200, LIST)])
    steps = through(max_retries=1).steps()
    kinds = [type(next(steps)) for _ in range(3)]
    assert kinds == [Awaited, Wait, Wait]
    assert len(server.requests) == 1


@pytest.mark.fault(51)
def test_a_longer_rest_than_allowed_is_not_waited_for(
    server: FaultServer, through: Callable[..., Reading]
) -> None:
    server.default(reply(503, headers={"Retry-After": "60"}))
    with pytest.raises(Throttled):
        through(max_retries=1, retry_after_limit=59)()
    assert len(server.requests) == 1


def test_its_errors_show_no_credentials(
    server: FaultServer, through: Callable[..., Reading]
) -> None:
    server.default(reply(404))
    reading = through()
    reading.place = Mirror(server.url("/list?key=c4n4ry", userinfo="me:c4n4ry"))
    with pytest.raises(NotFound) as caught:
        reading()
    assert "c4n4ry" not in str(caught.value)
    assert "c4n4ry" not in str(caught.value.attempts)


# The largest.


@pytest.mark.fault(236)
def test_ten_megabytes_are_a_document(server: FaultServer, through: Callable[..., Reading]) -> None:
    server.default(reply(200, bytes(LARGEST)))
    assert len(through()()) == LARGEST


@pytest.mark.fault(14, 236)
@pytest.mark.parametrize(
    "answer",
    [
        steps(head(200, {"Content-Length": str(LARGEST + 1)}), hold),
        steps(chunked([chunk(bytes(LARGEST + 1))], end=b""), hold),
        endless_body(),
    ],
    ids=["announced", "chunked", "endless"],
)
def test_one_byte_more_is_none_and_not_asked_for_again(
    server: FaultServer, through: Callable[..., Reading], answer: Script
) -> None:
    server.default(answer)
    reading = through(max_retries=5)
    with pytest.raises(SizeMismatch) as caught:
        reading()
    assert caught.value.expected == LARGEST
    assert LARGEST < caught.value.actual < LARGEST + 1_000_000
    assert len(server.requests) == 1
    server.wait_for(lambda: server.open == 0)
    assert reading.host.active == 0


@pytest.mark.fault(14)
def test_a_smaller_limit_of_the_remote_holds(
    server: FaultServer, through: Callable[..., Reading]
) -> None:
    server.default(reply(200, LIST))
    with pytest.raises(SizeMismatch):
        through(max_size=len(LIST) - 1)()


@pytest.mark.fault(242)
def test_a_digest_that_the_answer_claims_must_hold(
    server: FaultServer, through: Callable[..., Reading]
) -> None:
    digest = base64.b64encode(hashlib.sha256(LIST).digest()).decode()
    fields = {"Repr-Digest": f"sha-256=:{digest}:"}
    server.default([reply(200, LIST[::-1], headers=fields), reply(200, LIST, headers=fields)])
    reading = through()
    with pytest.raises(DigestMismatch):
        reading()
    assert reading() == LIST


# A place at the host.


def test_it_has_a_place_at_its_host_while_it_is_read_and_gives_it_back(
    through: Callable[..., Reading],
) -> None:
    reading = through()
    own = reading.watch.turn = Turn(reading.remote.hosts, reading.watch)
    steps = reading.steps()
    assert isinstance(next(steps), Awaited)
    assert reading.host.active == 1
    assert reading.watch.turn is not own
    with pytest.raises(StopIteration):
        next(steps)
    assert reading.host.active == 0
    assert reading.watch.turn is own


def test_at_a_host_that_is_full_it_waits_for_one(through: Callable[..., Reading]) -> None:
    reading = through(per_host=1)
    other = Turn(reading.remote.hosts, Watch(reading.remote.time_limits))
    assert other.take([reading.host])
    steps = reading.steps()
    turn = next(steps)
    assert isinstance(turn, Turn)
    assert reading.watch.turn is turn, "whoever wakes the run wakes this"
    assert next(steps) is turn
    assert reading.server.requests == []
    other.leave()
    assert turn.host is reading.host
    assert isinstance(next(steps), Awaited)
    with pytest.raises(StopIteration) as end:
        next(steps)
    assert end.value.value == LIST


def test_a_failure_is_told_of_the_host_and_costs_no_place(
    server: FaultServer, through: Callable[..., Reading]
) -> None:
    server.default(reply(500))
    reading = through()
    with pytest.raises(ServerFailed):
        reading()
    assert reading.host.active == 0
    assert reading.host.score.failures == pytest.approx(1, rel=0.01)


# Stopping.


@pytest.mark.need("I10")
def test_a_reading_that_is_stopped_while_it_waits_for_a_place_gives_up(
    through: Callable[..., Reading],
) -> None:
    reading = through(per_host=1, max_retries=5)
    other = Turn(reading.remote.hosts, Watch(reading.remote.time_limits))
    assert other.take([reading.host])
    steps = reading.steps()
    next(steps)
    reading.watch.cancel()
    with pytest.raises(Cancelled):
        next(steps)
    other.leave()
    assert reading.host.active == 0
    assert not reading.host.waiting
    assert reading.server.requests == []


@pytest.mark.need("I10")
def test_a_reading_that_is_stopped_is_not_tried_again(through: Callable[..., Reading]) -> None:
    reading = through(max_retries=5)
    steps = reading.steps()
    assert isinstance(next(steps), Awaited)
    reading.watch.cancel()
    with pytest.raises(Cancelled):
        next(steps)
    assert reading.host.active == 0


def test_steps_that_nobody_goes_on_with_leave_nothing(
    server: FaultServer, through: Callable[..., Reading]
) -> None:
    reading = through()
    steps: Any = reading.steps()
    assert isinstance(next(steps), Awaited)
    steps.close()
    assert reading.host.active == 0
    server.wait_for(lambda: server.open == 0)
