"""A download that is opened step by step, by somebody who has more to do than wait for it."""

from __future__ import annotations

import select
import threading
from collections.abc import Iterator

import pytest

from pulp_download import Cancelled, Content, Download, Remote
from pulp_download.adapters.awaited import Awaited
from pulp_download.opening import Aside, Opening
from tests.functional.fetch import remote_for
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


def wait_for(awaited: Content | Awaited | Aside) -> None:
    assert isinstance(awaited, Awaited)
    assert select.select([awaited], [], [], 10)[0]


def put_aside(opening: Opening, told: Told) -> tuple[Aside, threading.Event]:
    """Have an answer that is tried again later; return what is waited for, and what that sets."""
    wait_for(opening.advance(told))
    aside = opening.advance(told)
    assert isinstance(aside, Aside)
    woken = threading.Event()
    aside.wake_by(woken.set)
    return aside, woken


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


def test_it_is_put_aside_until_another_try(server: FaultServer, remote: Remote, told: Told) -> None:
    server.on("/f", [reply(503), reply(200, BODY)])
    opening = download(server, remote).opening()
    aside, woken = put_aside(opening, told)
    assert woken.wait(10)
    aside.end()
    wait_for(opening.advance(told))
    content = opening.advance(told)
    assert isinstance(content, Content)
    assert told == []
    assert b"".join(content) == BODY


def test_put_aside_for_long_it_is_woken_to_say_that_it_was_cancelled(
    server: FaultServer, remote: Remote, told: Told
) -> None:
    server.on("/f", reply(503, headers={"Retry-After": "60"}))
    opening = download(server, remote).opening()
    aside, woken = put_aside(opening, told)
    assert not woken.is_set()
    assert opening.cancel()
    assert woken.wait(10)
    aside.end()
    with pytest.raises(Cancelled):
        opening.advance(told)


def test_one_of_two_openings_of_a_download_is_cancelled_alone_and_before_it_begins(
    server: FaultServer, remote: Remote, told: Told
) -> None:
    server.on("/f", reply(200, BODY))
    what = download(server, remote)
    one, other = what.opening(), what.opening()
    assert one.cancel()
    with pytest.raises(Cancelled):
        one.advance(told)
    assert b"".join(other.content()) == BODY
    assert len(server.requests_to("/f")) == 1


def test_it_says_so_before_it_takes_what_tls_sends_first_for_an_answer(secure: FaultServer) -> None:
    gate = secure.gate()
    secure.on("/f", steps(gate, reply(200, BODY)))
    with remote_for() as remote:
        opening = download(secure, remote).opening()
        wait_for(opening.advance(lambda: None))  # which tickets end
        content = opening.advance(gate.open)
        assert isinstance(content, Content)
        assert b"".join(content) == BODY


def test_it_says_so_before_it_waits_behind_an_interim_answer(
    server: FaultServer, remote: Remote
) -> None:
    gate = server.gate()
    server.on("/f", steps(head(103), gate, reply(200, BODY)))
    opening = download(server, remote).opening()
    wait_for(opening.advance(lambda: None))
    content = opening.advance(gate.open)
    assert isinstance(content, Content)
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
