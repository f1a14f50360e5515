"""Connections that are used again, and those that must not be."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path

import pytest

from pulp_download import (
    BadStatus,
    ConnectionFailed,
    DigestMismatch,
    Download,
    ProtocolViolation,
    SizeMismatch,
)
from tests.functional.fetch import BODY, SOON, fetched, refused, remote_for, whole
from tests.servers import (
    Conversation,
    Cut,
    FaultServer,
    Request,
    Script,
    chunk,
    chunked,
    cut,
    head,
    interim,
    next_request_begins,
    published,
    reply,
    response_bytes,
    send,
    steps,
    surplus,
    when,
)

FOREIGN = response_bytes(200, bytes(reversed(BODY)))
A = b"the first file"


class Sending:
    """A script that sends, and tells the test when that is done or cannot be done."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.done = threading.Event()

    def __call__(self, conn: Conversation, request: Request) -> None:
        try:
            conn.send(self._data)
        finally:
            self.done.set()


def first_then(first: Script) -> Script:
    """``first`` on each connection's first request, then good answers."""
    return when(lambda request: request.connection == 1, first, reply(200, BODY))


DOUBTFUL = [
    pytest.param(reply(200, A), id="after-a-length"),
    pytest.param(chunked([chunk(A)]), id="after-chunks"),
    pytest.param(interim(103, reply(200, A)), id="after-103"),
]


@pytest.mark.fault(12)
@pytest.mark.parametrize("answer", DOUBTFUL)
@pytest.mark.parametrize("wait", [None, 0.0, 0.1])
def test_bytes_of_no_answer_never_become_the_next_file(
    either: FaultServer, target: Path, answer: Script, wait: float | None
) -> None:
    either.on("/a", surplus(FOREIGN, after=answer, wait=wait))
    either.on("/b", reply(200, BODY))
    with remote_for(max_retries=1) as remote:
        fetched(either.url("/a"), target, remote=remote, validations=whole(A))
        result = fetched(either.url("/b"), target, remote=remote, validations=whole(BODY))
        assert target.read_bytes() == BODY
    assert either.accepted == 2
    assert [failed.type for failed in result.attempts] in ([], ["DigestMismatch"])


@pytest.mark.fault(12)
@pytest.mark.parametrize("answer", DOUBTFUL)
def test_bytes_that_arrived_before_the_next_request_cost_the_connection(
    either: FaultServer, target: Path, answer: Script
) -> None:
    sending = Sending(FOREIGN)
    either.on("/a", steps(answer, sending))
    either.on("/b", reply(200, BODY))
    with remote_for() as remote:
        fetched(either.url("/a"), target, remote=remote)
        assert sending.done.wait(SOON)
        result = fetched(either.url("/b"), target, remote=remote)
        assert target.read_bytes() == BODY
        assert result.attempts == ()
    assert either.accepted == 2


@pytest.mark.fault(12)
def test_a_foreign_answer_is_refused_by_the_digest_and_its_connection_is_dropped(
    server: FaultServer, target: Path
) -> None:
    server.on("/a", surplus(FOREIGN, after=reply(200, A)))
    server.on("/b", reply(200, BODY))
    with remote_for() as remote:
        fetched(server.url("/a"), target, remote=remote)
        refused(DigestMismatch, server.url("/b"), target, remote=remote, validations=whole(BODY))
        server.wait_for(lambda: server.open == 0)
        fetched(server.url("/b"), target, remote=remote, validations=whole(BODY))


NO_BODY = [
    pytest.param(204, [("Content-Length", str(len(BODY)))], id="204-length"),
    pytest.param(304, [("Content-Length", str(len(BODY)))], id="304-length"),
    pytest.param(204, [("Transfer-Encoding", "chunked")], id="204-chunked"),
    pytest.param(304, [], id="304"),
    pytest.param(204, [], id="204"),
]


@pytest.mark.fault(12, 81)
@pytest.mark.parametrize(("status", "fields"), NO_BODY)
@pytest.mark.parametrize("wait", [None, 0.0])
def test_a_body_where_none_can_be_never_becomes_the_next_answer(
    either: FaultServer,
    target: Path,
    status: int,
    fields: list[tuple[str, str]],
    wait: float | None,
) -> None:
    either.on("/a", surplus(FOREIGN, after=head(status, fields), wait=wait))
    either.on("/b", reply(200, BODY))
    with remote_for() as remote:
        error = refused((BadStatus, ProtocolViolation), either.url("/a"), target, remote=remote)
        assert error.status == status
        with contextlib.suppress(DigestMismatch, SizeMismatch):
            fetched(either.url("/b"), target, remote=remote, validations=whole(BODY))
        fetched(either.url("/b"), target, remote=remote, validations=whole(BODY))
        assert target.read_bytes() == BODY


@pytest.mark.fault(81)
@pytest.mark.parametrize(("status", "fields"), NO_BODY[:3])
def test_a_connection_on_which_a_body_was_promised_in_vain_is_not_used_again(
    server: FaultServer, target: Path, status: int, fields: list[tuple[str, str]]
) -> None:
    server.on("/a", head(status, fields))
    server.on("/b", reply(200, BODY))
    with remote_for() as remote:
        refused((BadStatus, ProtocolViolation), server.url("/a"), target, remote=remote)
        fetched(server.url("/b"), target, remote=remote)
    assert server.accepted == 2


@pytest.mark.fault(81)
@pytest.mark.parametrize("together", [True, False])
def test_a_body_behind_the_answer_to_head_is_not_read(
    either: FaultServer, target: Path, together: bool
) -> None:
    whole_answer = response_bytes(200, BODY)
    at = 0 if together else len(whole_answer) - len(BODY)
    sending = Sending(whole_answer[at:])
    script = steps(send(whole_answer[:at]), sending)
    get = reply(200, b"the right one")
    either.default(when(lambda request: request.method == "HEAD", script, get))
    with remote_for() as remote:
        with Download(either.url("/f"), remote=remote).head() as content:
            assert (content.status, content.size, list(content)) == (200, len(BODY), [])
        assert sending.done.wait(SOON)
        fetched(either.url("/f"), target, remote=remote)
        assert target.read_bytes() == b"the right one"
    assert either.accepted == 2


@pytest.mark.fault(80)
@pytest.mark.parametrize("how", [Cut.FIN, Cut.BARE, Cut.RST])
def test_an_idle_connection_that_was_closed_is_replaced(
    either: FaultServer, target: Path, how: Cut
) -> None:
    either.default(first_then(steps(reply(200, A), cut(how))))
    with remote_for() as remote:
        fetched(either.url("/a"), target, remote=remote)
        either.wait_for(lambda: either.open == 0)
        result = fetched(either.url("/b"), target, remote=remote)
        assert target.read_bytes() == BODY
    assert result.attempts == ()
    assert len(either.requests) == 2


@pytest.mark.fault(80)
@pytest.mark.parametrize("how", [Cut.FIN, Cut.BARE, Cut.RST])
def test_a_reused_connection_that_closes_on_the_request_is_no_failed_try(
    either: FaultServer, target: Path, how: Cut
) -> None:
    dying = when(lambda request: request.number == 1, reply(200, A), cut(how))
    either.default(first_then(dying))
    with remote_for(max_retries=0) as remote:
        fetched(either.url("/a"), target, remote=remote)
        result = fetched(either.url("/b"), target, remote=remote)
        assert target.read_bytes() == BODY
    assert result.attempts == ()
    assert [request.connection for request in either.requests] == [1, 1, 2]


@pytest.mark.fault(80)
def test_a_reused_connection_that_closes_while_the_request_is_sent_is_no_failed_try(
    server: FaultServer, target: Path
) -> None:
    server.default(first_then(steps(reply(200, A), next_request_begins, cut(Cut.RST))))
    with remote_for(max_retries=0) as remote:
        fetched(server.url("/a"), target, remote=remote)
        result = fetched(server.url("/b"), target, remote=remote)
    assert (result.attempts, server.accepted) == ((), 2)


@pytest.mark.fault(80)
def test_a_fresh_connection_that_closes_on_the_request_is_a_failed_try(
    server: FaultServer, target: Path
) -> None:
    server.default(when(lambda request: request.target == "/a", reply(200, A), cut()))
    with remote_for(max_retries=0) as remote:
        fetched(server.url("/a"), target, remote=remote)
        error = refused(ConnectionFailed, server.url("/b"), target, remote=remote)
    assert error.retryable
    assert [request.connection for request in server.requests] == [1, 1, 2]


@pytest.mark.fault(80)
def test_a_reused_connection_that_closes_inside_its_answer_is_a_failed_try(
    server: FaultServer, target: Path
) -> None:
    half = steps(send(b"HTTP/1.1 20"), cut())
    server.default(when(lambda request: request.target == "/a", reply(200, A), half))
    with remote_for(max_retries=0) as remote:
        fetched(server.url("/a"), target, remote=remote)
        refused(ProtocolViolation, server.url("/b"), target, remote=remote)
    assert server.accepted == 1


@pytest.mark.fault(82)
@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.0 200 OK\r\nContent-Length: 10240\r\n\r\n" + BODY,
        b"HTTP/1.0 200 OK\r\n\r\n" + BODY,
        b"HTTP/1.1 200 OK\r\nconnection: Close\r\ncontent-length: 10240\r\n\r\n" + BODY,
        b"HTTP/1.1 200 OK\r\nConnection: foo, close\r\nCoNTeNT-LeNGTH:10240\r\n\r\n" + BODY,
        b"HTTP/1.1 200 OK\r\nConnection: foo\r\nConnection: close\r\n"
        b"TRANSFER-ENCODING: Chunked\r\n\r\n" + chunk(BODY) + b"0\r\n\r\n",
    ],
)
@pytest.mark.parametrize("closes", [True, False])
def test_old_servers_and_those_that_close_are_asked_on_fresh_connections(
    server: FaultServer, target: Path, answer: bytes, closes: bool
) -> None:
    framed = b"length" in answer.lower() or b"chunked" in answer.lower()
    server.default(steps(send(answer), cut()) if closes or not framed else send(answer))
    with remote_for() as remote:
        for _ in range(2):
            result = fetched(server.url("/f"), target, remote=remote)
            assert target.read_bytes() == BODY
            assert result.length_verified is framed
    assert server.accepted == 2


@pytest.mark.fault(82)
@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 10240\r\n\r\n" + BODY,
        b"HTTP/1.1 200 OK\r\nContent-Length: 10240\r\n\r\n" + BODY,
    ],
)
def test_a_connection_that_is_kept_alive_is_used_again(
    either: FaultServer, target: Path, answer: bytes
) -> None:
    either.default(send(answer))
    with remote_for() as remote:
        for _ in range(3):
            fetched(either.url("/f"), target, remote=remote)
    assert either.accepted == 1


@pytest.mark.fault(84)
def test_cookies_that_a_server_plants_are_not_sent_back(server: FaultServer, target: Path) -> None:
    cookies = [("Set-Cookie", f"c{number}={'x' * 4000}; Path=/") for number in range(30)]
    server.default(reply(200, BODY, headers=cookies))
    server.on("/a", reply(302, headers=[*cookies, ("Location", "/b")]))
    with remote_for() as remote:
        for _ in range(3):
            fetched(server.url("/a"), target, remote=remote)
        assert len(remote.session.cookies) == 0
    assert len(server.requests) == 6
    assert all("Cookie" not in request.headers for request in server.requests)


@pytest.mark.fault(84)
def test_cookies_that_the_program_sets_are_sent_and_not_replaced(
    server: FaultServer, target: Path
) -> None:
    server.default(published(BODY))
    server.on("/a", reply(200, BODY, headers={"Set-Cookie": "mine=theirs; Path=/"}))
    with remote_for() as remote:
        remote.session.cookies.set("mine", "yes")
        for _ in range(2):
            fetched(server.url("/a"), target, remote=remote)
    assert [request.headers["Cookie"] for request in server.requests] == ["mine=yes"] * 2
