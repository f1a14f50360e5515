"""A download that is opened step by step, by somebody who has more to do than wait for it."""

from __future__ import annotations

import select
from collections.abc import Iterator

import pytest

from pulp_download import Cancelled, Content, Download, Remote
from pulp_download.adapters.awaited import Awaited
from tests.functional.upstream import body_of, expectations
from tests.servers import FaultServer, head, published, reply, send, steps, truncated

BODY = body_of(1, 1000)


class Told(list[None]):
    """Counts how often it was said that something may block."""

    def __call__(self) -> None:
        self.append(None)


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def remote(server: FaultServer) -> Iterator[Remote]:
    """A remote that has a connection already."""
    server.on("/warm", reply(200, b"warm"))
    with Remote() as remote:
        with Download(server.url("/warm"), remote=remote).iter_content() as content:
            assert b"".join(content) == b"warm"
        yield remote


def download(server: FaultServer, remote: Remote) -> Download:
    return Download(server.url("/f"), remote=remote, validations=expectations(BODY))


def wait_for(awaited: Content | Awaited) -> None:
    assert isinstance(awaited, Awaited)
    assert select.select([awaited], [], [], 10)[0]


def test_it_is_left_while_its_answer_is_awaited_and_blocks_nowhere(
    server: FaultServer, remote: Remote, told: Told
) -> None:
    gate = server.gate()
    server.on("/f", steps(gate, reply(200, BODY)))
    opening = download(server, remote).opening()
    awaited = opening.advance(told)
    assert isinstance(awaited, Awaited)
    assert select.select([awaited], [], [], 0)[0] == []
    gate.open()
    wait_for(awaited)
    content = opening.advance(told)
    assert isinstance(content, Content)
    assert b"".join(content) == BODY
    assert told == []


def test_it_says_so_before_it_connects(server: FaultServer, told: Told) -> None:
    server.on("/f", reply(200, BODY))
    with Remote() as remote:
        opening = download(server, remote).opening()
        wait_for(opening.advance(told))
        assert len(told) == 1
        opening.content().close()


def test_it_says_so_before_it_waits_for_another_try(
    server: FaultServer, remote: Remote, told: Told
) -> None:
    server.on("/f", [reply(503), reply(200, BODY)])
    opening = download(server, remote).opening()
    wait_for(opening.advance(told))
    content = opening.advance(told)  # waits, and asks again, in this thread
    assert isinstance(content, Content)
    assert len(told) == 1
    assert b"".join(content) == BODY


def test_whoever_reads_is_told_before_a_body_that_has_not_come(
    server: FaultServer, remote: Remote, told: Told
) -> None:
    gate = server.gate()
    server.on("/f", steps(head(200, {"Content-Length": str(len(BODY))}), gate, send(BODY)))
    opening = download(server, remote).opening()
    wait_for(opening.advance(told))
    content = opening.advance(lambda: (told(), gate.open()))
    assert isinstance(content, Content)
    assert not told
    assert b"".join(content) == BODY
    assert len(told) == 1


def test_whoever_reads_is_told_before_the_rest_of_a_body_that_broke_is_asked_for(
    server: FaultServer, remote: Remote, told: Told
) -> None:
    seen: list[int] = []
    server.on("/f", [truncated(BODY, sent=500), published(BODY)])
    opening = download(server, remote).opening(resume=True)
    wait_for(opening.advance(told))
    content = opening.advance(lambda: seen.append(len(server.requests_to("/f"))))
    assert isinstance(content, Content)
    assert b"".join(content) == BODY
    assert seen == [1]


def test_cancelled_while_its_answer_is_awaited_it_goes_on_to_say_so(
    server: FaultServer, remote: Remote, told: Told
) -> None:
    server.on("/f", steps(server.gate(), reply(200, BODY)))
    what = download(server, remote)
    opening = what.opening()
    awaited = opening.advance(told)
    assert what.cancel()
    wait_for(awaited)
    with pytest.raises(Cancelled):
        opening.advance(told)
    assert told == []
