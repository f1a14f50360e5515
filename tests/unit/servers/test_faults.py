"""Each wrong answer, as its client's socket sees it."""

import time

import pytest

from tests.servers import (
    LAST_CHUNK,
    Cut,
    FaultServer,
    Script,
    chunk,
    chunked,
    cut,
    cut_response,
    drip,
    dripped_body,
    dripped_head,
    endless_body,
    endless_continue,
    endless_headers,
    endless_trickle,
    head,
    hold,
    interim,
    pause,
    redirect,
    repeat,
    reply,
    response_bytes,
    send,
    stalled_before_head,
    stalled_body,
    stalled_in_head,
    steps,
    surplus,
    truncated,
    until_close,
    when,
)
from tests.unit.servers.clients import (
    all_of,
    ask,
    connected,
    get,
    http_client,
    read_exactly,
    read_to_end,
)

OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (steps(send(b"any \xff bytes"), cut()), b"any \xff bytes"),
        (reply(200, b"abc", close=True), OK + b"Connection: close\r\nContent-Length: 3\r\n\r\nabc"),
        (truncated(b"abcdef", sent=0), OK + b"Content-Length: 6\r\n\r\n"),
        (truncated(b"abcdef", sent=5), OK + b"Content-Length: 6\r\n\r\nabcde"),
        (cut_response(0, body=b"abc"), b""),
        (cut_response(23, body=b"abc"), OK + b"Conten"),
        (until_close(b"abc"), OK + b"\r\nabc"),
        (
            steps(interim(103, reply(200, b"x"), headers={"Link": "<a>"}), cut()),
            b"HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n" + OK + b"Content-Length: 1\r\n\r\nx",
        ),
        (
            steps(chunked([chunk(b"hello"), chunk(b"x", size_line=b"-5;e")]), cut()),
            OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n-5;e\r\nx\r\n0\r\n\r\n",
        ),
        (
            chunked([chunk(b"hello")], end=b"", keep=False),
            OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        ),
        (
            steps(redirect("file:///x", body=b"moved"), cut()),
            b"HTTP/1.1 302 Found\r\nLocation: file:///x\r\nContent-Length: 5\r\n\r\nmoved",
        ),
        (
            steps(head(299, [("A", "1"), ("A", "2")]), cut()),
            b"HTTP/1.1 299 Unnamed\r\nA: 1\r\nA: 2\r\n\r\n",
        ),
        (steps(drip(b"abcdef", every=0.001, size=4), cut()), b"abcdef"),
        (steps(repeat(b"ab", times=3), cut()), b"ababab"),
        (steps(dripped_body(b"abc", every=0.001), cut()), OK + b"Content-Length: 3\r\n\r\nabc"),
        (steps(dripped_head(every=0.001, body=b"a"), cut()), OK + b"Content-Length: 1\r\n\r\na"),
        (steps(send(b"1"), pause(0.001), send(b"2"), cut(), send(b"3")), b"12"),
    ],
)
def test_the_exact_bytes_of_an_answer_that_ends(script: Script, expected: bytes) -> None:
    with FaultServer() as server:
        server.default(script)
        assert all_of(server, "/") == expected


@pytest.mark.parametrize(
    "script",
    [
        truncated(b"abcdef", sent=3, how=Cut.RST),
        until_close(b"abc", how=Cut.RST),
        cut_response(10, how=Cut.RST),
        cut(Cut.RST),
    ],
)
def test_a_reset_reaches_the_client_as_one(script: Script) -> None:
    with FaultServer() as server, pytest.raises(ConnectionResetError):
        server.default(script)
        all_of(server, "/")


@pytest.mark.parametrize(
    ("script", "before"),
    [
        (stalled_before_head(), b""),
        (stalled_in_head(), OK + b"Content-Le"),
        (stalled_body(b"abcdef"), OK + b"Content-Length: 6\r\n\r\n"),
        (stalled_body(b"abcdef", sent=2), OK + b"Content-Length: 6\r\n\r\nab"),
        (steps(send(b"raw"), hold), b"raw"),
    ],
)
def test_a_stall_lasts_until_the_client_leaves(script: Script, before: bytes) -> None:
    with FaultServer() as server:
        server.default(script)
        with connected(server) as sock:
            ask(sock, "/")
            assert read_exactly(sock, len(before)) == before
            server.wait_for(lambda: server.held == 1)
            sock.setblocking(False)
            with pytest.raises(BlockingIOError):
                sock.recv(1)
        server.wait_for(lambda: server.held == 0 and server.open == 0)


@pytest.mark.parametrize(
    ("script", "start"),
    [
        (endless_body(), OK + b"\r\n\0\0"),
        (endless_body(length=7), OK + b"Content-Length: 7\r\n\r\n\0\0"),
        (
            endless_trickle(every=0.001, status=302, headers={"Location": "/b"}),
            b"HTTP/1.1 302 Found\r\n",
        ),
        (endless_continue(), b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"),
        (
            endless_continue(every=0.001),
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n",
        ),
        (endless_headers(), OK + b"X-More: and more\r\nX-More: and more\r\n"),
        (endless_headers(every=0.001), OK + b"X-More: and more\r\nX-More: and more\r\n"),
    ],
)
def test_what_is_endless_ends_when_the_client_leaves(script: Script, start: bytes) -> None:
    with FaultServer() as server:
        server.default(script)
        with connected(server) as sock:
            ask(sock, "/")
            assert read_exactly(sock, len(start)) == start
            read_exactly(sock, 50)
        server.wait_for(lambda: server.open == 0)


def test_a_slow_drip_ends_with_its_server() -> None:
    started = time.monotonic()
    with FaultServer() as server, connected(server) as sock:
        server.default(dripped_body(b"abc", every=3600))
        ask(sock, "/")
        first = OK + b"Content-Length: 3\r\n\r\na"
        assert read_exactly(sock, len(first)) == first
        server.close()
    assert time.monotonic() - started < 5


def test_a_good_chunked_body_keeps_the_connection() -> None:
    with FaultServer() as server, http_client(server) as client:
        server.default(chunked([chunk(b"hello "), chunk(b"there")], end=LAST_CHUNK))
        assert [get(client, "/"), get(client, "/")] == [(200, b"hello there")] * 2
        assert server.accepted == 1


def test_surplus_bytes_become_the_answer_to_the_next_request() -> None:
    with FaultServer() as server, http_client(server) as client:
        server.on("/a", surplus(response_bytes(200, b"foreign"), after=reply(200, b"A")))
        server.on("/b", reply(200, b"B"))
        assert [get(client, "/a"), get(client, "/b")] == [(200, b"A"), (200, b"foreign")]
        assert [request.target for request in server.wait_for_requests(2)] == ["/a", "/b"]


def test_surplus_bytes_can_come_by_time_alone() -> None:
    with FaultServer() as server, connected(server) as sock:
        server.on("/a", steps(surplus(b"extra", after=reply(200), wait=0.01), cut()))
        ask(sock, "/a")
        assert read_to_end(sock).endswith(b"Content-Length: 0\r\n\r\nextra")


def test_an_answer_can_depend_on_the_request() -> None:
    with FaultServer() as server, http_client(server) as client:
        known = lambda request: request.headers.get("Authorization") == "Bearer t"  # noqa: E731
        server.default(when(known, reply(200), reply(401)))
        assert (get(client, "/")[0], get(client, "/", Authorization="Bearer t")[0]) == (401, 200)


@pytest.mark.parametrize("at", range(0, 44, 7))
def test_a_response_can_be_cut_at_every_byte(at: int) -> None:
    with FaultServer() as server:
        server.default(cut_response(at, body=b"hello"))
        assert all_of(server, "/") == (OK + b"Content-Length: 5\r\n\r\nhello")[:at]
