"""FaultServer: routes, records, counts, and how it ends."""

import contextlib
import http.client
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.servers import Conversation, FaultServer, Request, hold, nothing_left, reply, send, steps
from tests.unit.servers.clients import ask, connected, get, http_client, read_exactly, read_to_end


def test_a_path_answers_the_same_each_time_on_one_kept_connection() -> None:
    with FaultServer() as server, http_client(server) as client:
        server.on("/a", reply(200, b"hello"))
        assert [get(client, "/a?x=1"), get(client, "/a")] == [(200, b"hello"), (200, b"hello")]
        assert get(client, "/elsewhere")[0] == 404
        assert (server.accepted, server.open, server.peak) == (1, 1, 1)


def test_a_list_answers_in_turn_and_its_last_repeats() -> None:
    with FaultServer() as server, http_client(server) as client:
        server.on("/b", [reply(503, headers={"Retry-After": "1"}), reply(200, b"x")])
        assert [get(client, "/b")[0] for _ in range(3)] == [503, 200, 200]


def test_any_callable_is_an_answer() -> None:
    def script(conn: Conversation, request: Request) -> None:
        conn.send(
            b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n" + request.headers["x-four"].encode()
        )

    with FaultServer() as server, http_client(server) as client:
        server.default(script)
        assert get(client, "/any", X_Four="four") == (200, b"four")


def test_head_gets_the_length_and_no_body() -> None:
    with FaultServer() as server, http_client(server) as client:
        server.on("/a", reply(200, b"hello"))
        client.request("HEAD", "/a")
        answer = client.getresponse()
        assert (answer.getheader("Content-Length"), answer.read()) == ("5", b"")
        assert get(client, "/a") == (200, b"hello")


def test_a_client_that_wants_the_connection_closed_gets_that() -> None:
    with FaultServer() as server, connected(server) as sock:
        server.on("/a", reply(200, b"hello"))
        ask(sock, "/a", extra="Connection: close\r\n")
        assert b"Connection: close\r\n" in read_to_end(sock)


def test_every_request_is_kept_with_its_exact_bytes() -> None:
    with FaultServer() as server:
        before = time.monotonic()
        for due in (2, 4):
            with connected(server) as sock:
                sock.sendall(
                    b"POST /p?q HTTP/1.1\r\nX-Twice: 1\r\nx-twice:  2 \r\n"
                    b"Content-Length: 3\r\n\r\nabc"
                    b"GET /second HTTP/1.1\r\n\r\n"
                )
                server.wait_for_requests(due)
        first, second, third, _ = server.requests
        assert (first.method, first.target, first.path, first.body) == (
            "POST",
            "/p?q",
            "/p",
            b"abc",
        )
        assert first.headers.all("X-TWICE") == ["1", "2"]
        assert "content-length" in first.headers
        assert first.raw.startswith(b"POST /p?q HTTP/1.1\r\nX-Twice: 1\r\nx-twice:  2 \r\n")
        assert [(r.connection, r.number) for r in (first, second, third)] == [
            (1, 1),
            (1, 2),
            (2, 1),
        ]
        assert before <= first.time <= second.time <= third.time
        assert [r.target for r in server.requests_to("/p")] == ["/p?q", "/p?q"]


def test_what_is_no_request_is_answered_400_and_kept() -> None:
    with FaultServer() as server, connected(server) as sock:
        sock.sendall(b"\x16\x03\x01\x02\x00")
        assert read_to_end(sock).startswith(b"HTTP/1.1 400 ")
        assert server.malformed == [b"\x16\x03\x01\x02\x00"]
        assert server.requests == []


def test_connections_one_after_another_have_a_peak_of_one() -> None:
    with FaultServer() as server:
        server.default(reply())
        for _ in range(200):
            with http_client(server) as client:
                get(client, "/")
            # The kernel may deliver a close after the next connection when the machine is busy.
            server.wait_for(lambda: server.open == 0)
        assert (server.accepted, server.peak) == (200, 1)


def test_peak_is_the_most_at_once() -> None:
    with FaultServer() as server, contextlib.ExitStack() as stack:
        for _ in range(5):
            stack.enter_context(connected(server))
        server.wait_for(lambda: server.accepted == 5)
        stack.close()
        server.wait_for(lambda: server.open == 0)
        with connected(server):
            server.wait_for(lambda: server.accepted == 6)
        assert server.peak == 5


def test_5000_requests_on_8_kept_connections_take_seconds() -> None:
    def fetch_many(_: int) -> int:
        with http_client(server) as client:
            return sum(get(client, f"/{n % 3}")[0] == 200 for n in range(625))

    with FaultServer() as server:
        server.default(reply(200, b"x" * 100))
        started = time.monotonic()
        with ThreadPoolExecutor(8) as pool:
            assert sum(pool.map(fetch_many, range(8))) == 5000
        took = time.monotonic() - started
        assert (server.accepted, len(server.requests)) == (8, 5000)
        assert server.peak <= 8
    assert took < 20  # seconds; 2 when measured, the rest is for a busy machine


def test_close_ends_64_stalled_connections_at_once_and_leaves_nothing() -> None:
    with contextlib.ExitStack() as stack, nothing_left():
        server = FaultServer().start()
        server.default(hold)
        for _ in range(64):
            ask(stack.enter_context(connected(server)), "/")
        server.wait_for(lambda: server.held == 64)
        assert (server.open, server.peak) == (64, 64)
        started = time.monotonic()
        server.close()
        server.close()
        assert time.monotonic() - started < 2
        stack.close()


def test_a_script_that_fails_fails_the_test() -> None:
    def script(conn: Conversation, request: Request) -> None:
        assert request.target == "/expected"

    with (
        pytest.raises(ExceptionGroup) as caught,
        FaultServer() as server,
        connected(server) as sock,
    ):
        server.default(script)
        ask(sock, "/other")
        with pytest.raises(ConnectionResetError):
            sock.recv(1)
    assert caught.group_contains(AssertionError)


def test_waiting_ends_at_once_when_a_script_fails() -> None:
    def script(conn: Conversation, request: Request) -> None:
        pytest.fail("in a script")

    server = FaultServer().start()
    server.default(script)
    with connected(server) as sock:
        ask(sock, "/")
        with pytest.raises(BaseExceptionGroup, match="scripts failed"):
            server.wait_for(lambda: False, timeout=60)
    with pytest.raises(BaseExceptionGroup, match="scripts failed"):
        server.close()


def test_the_error_of_the_test_is_not_hidden_by_that_of_a_script() -> None:
    def script(conn: Conversation, request: Request) -> None:
        raise KeyError("script")

    with pytest.raises(ZeroDivisionError) as caught, FaultServer() as server:
        server.default(script)
        with connected(server) as sock:
            ask(sock, "/")
            with contextlib.suppress(ConnectionResetError):
                sock.recv(1)
        _ = 1 / 0
    assert "KeyError('script')" in caught.value.__notes__[0]


def test_a_client_that_leaves_is_no_failure() -> None:
    with FaultServer() as server:
        server.default(send(bytes(50_000_000)))
        with connected(server) as sock:
            ask(sock, "/")
            read_exactly(sock, 10)
        server.wait_for(lambda: server.open == 0)


def test_waiting_in_vain_says_what_there_was() -> None:
    with FaultServer() as server, pytest.raises(TimeoutError, match="accepted=0 open=0"):
        server.wait_for_requests(1, timeout=0.01)


@pytest.mark.parametrize(("host", "shown"), [("::1", "[::1]"), ("127.0.0.2", "127.0.0.2")])
def test_other_loopback_addresses(host: str, shown: str) -> None:
    with FaultServer(host=host) as server:
        server.default(reply(200, b"here"))
        assert server.url("/a") == f"http://{shown}:{server.port}/a"
        with http_client(server) as client:
            assert get(client, "/a") == (200, b"here")


def test_urls_can_name_the_server_another_way() -> None:
    with FaultServer() as server:
        url = server.url("/a", host="localhost", userinfo="u:p")
        assert url == f"http://u:p@localhost:{server.port}/a"


def test_an_accept_script_runs_before_any_request() -> None:
    with FaultServer() as server:
        server.on_accept([hold, steps(send(b"220 slow banner\r\n"))])
        with connected(server):
            server.wait_for(lambda: server.held == 1)
            assert server.requests == []
        with connected(server) as sock:
            assert read_exactly(sock, 17) == b"220 slow banner\r\n"
            ask(sock, "/after")
            assert read_exactly(sock, 12) == b"HTTP/1.1 404"


def test_a_script_learns_that_its_client_left() -> None:
    seen = []

    def script(conn: Conversation, request: Request) -> None:
        seen.append(conn.wait_closed_by_peer(timeout=0))
        seen.append(conn.wait_closed_by_peer(timeout=10))

    with FaultServer() as server:
        server.default(script)
        with connected(server) as sock:
            ask(sock, "/")
            server.wait_for_requests(1)
            sock.shutdown(socket.SHUT_WR)
            assert read_to_end(sock) == b""
    assert seen in ([False, True], [True, True])


def test_a_port_answers_no_more_after_close() -> None:
    with FaultServer() as server:
        port = server.port
    with pytest.raises(ConnectionRefusedError):
        http.client.HTTPConnection("127.0.0.1", port, timeout=1).connect()
