"""A request between its sending and its answer, the idle connections it may use, and the head."""

from __future__ import annotations

import os
import queue
import select
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulp_download.adapters.awaited import Awaited
from pulp_download.adapters.connections import WatchedConnection
from pulp_download.adapters.head import Head, parse_head
from pulp_download.adapters.idle import Idle
from pulp_download.adapters.pools import Pool, _Stack
from pulp_download.adapters.wire import NoAnswer, Wire
from pulp_download.errors import Cancelled, ProtocolViolation, TimedOut
from pulp_download.settings import TimeLimits
from pulp_download.watch import Watch
from tests.servers import Cut, FaultServer, cut, hold, reply, send, steps

# A bound that a busy machine keeps (milliseconds).
SOON = 5000


@contextmanager
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    here, there = socket.socketpair()
    with here, there:
        yield here, there


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as server:
        server.default(reply(200, b"a file"))
        yield server


@pytest.fixture
def pool(server: FaultServer) -> Iterator[Pool]:
    pool = Pool("127.0.0.1", server.port, maxsize=2, idle=Idle(2))
    yield pool
    pool.close()


def sent(pool: Pool, path: str, method: str = "GET", watch: Watch | None = None) -> Awaited:
    message = f"{method} {path} HTTP/1.1\r\nHost: test\r\n\r\n".encode()
    return pool.send(method, message, watch or Watch(TimeLimits()), tunnel=False)


def body_of(awaited: Awaited) -> bytes:
    exchange = awaited.answer()
    body = b""
    while piece := bytes(exchange.receive(100)):
        body += piece
    exchange.close()
    return body


def idle(pool: Pool) -> WatchedConnection:
    """Return the connection that came back last."""
    assert pool.pool is not None
    connection = pool.pool.queue[-1]
    assert isinstance(connection, WatchedConnection)
    return connection


def socket_of(connection: WatchedConnection) -> socket.socket:
    assert isinstance(connection.sock, socket.socket)
    return connection.sock


def shows(sock: socket.socket | Awaited, event: int, milliseconds: int = SOON) -> bool:
    """Tell whether the socket shows this event, at once or within the time."""
    poll = select.poll()
    poll.register(sock.fileno(), event)
    return bool(poll.poll(milliseconds))


def requests_of(server: FaultServer) -> list[tuple[int, str]]:
    """Return number of connection and target of each request."""
    return [(request.connection, request.target) for request in server.requests]


@pytest.fixture
def dead(server: FaultServer, pool: Pool) -> Callable[[Cut], None]:
    """Leave an idle connection in the pool that the server has ended since."""

    def die(how: Cut) -> None:
        gate = server.gate()
        server.on("/first", steps(reply(200, b"first"), gate, cut(how)))
        assert body_of(sent(pool, "/first")) == b"first"
        gate.let()
        assert shows(socket_of(idle(pool)), select.POLLRDHUP)

    return die


# A dead connection.


@pytest.mark.parametrize("method", ["GET", "OPTIONS", "HEAD"])
@pytest.mark.parametrize("how", [Cut.FIN, Cut.RST])
def test_a_request_over_an_idle_connection_that_is_dead_is_sent_anew(
    server: FaultServer, pool: Pool, dead: Callable[[Cut], None], how: Cut, method: str
) -> None:
    dead(how)
    expected = b"" if method == "HEAD" else b"a file"
    assert body_of(sent(pool, "/second", method)) == expected
    assert requests_of(server) == [(1, "/first"), (2, "/second")]
    assert body_of(sent(pool, "/third")) == b"a file"
    assert server.accepted == 2


def test_a_connection_that_was_reset_is_noticed_in_sending(
    server: FaultServer, pool: Pool, dead: Callable[[Cut], None]
) -> None:
    dead(Cut.RST)
    awaited = sent(pool, "/second")
    server.wait_for_requests(2)
    assert requests_of(server) == [(1, "/first"), (2, "/second")]
    assert body_of(awaited) == b"a file"


@pytest.mark.parametrize("how", [Cut.FIN, Cut.RST])
def test_a_request_that_may_have_had_an_effect_is_not_repeated(
    server: FaultServer, pool: Pool, dead: Callable[[Cut], None], how: Cut
) -> None:
    dead(how)
    with pytest.raises(ConnectionError):
        body_of(sent(pool, "/second", "POST"))
    assert (server.accepted, requests_of(server)) == (1, [(1, "/first")])
    assert (idle(pool).sock, idle(pool).wire) == (None, None)
    assert body_of(sent(pool, "/third", "POST")) == b"a file"


@pytest.mark.parametrize("how", [Cut.FIN, Cut.RST])
def test_a_request_is_sent_anew_once(server: FaultServer, pool: Pool, how: Cut) -> None:
    server.on("/never", cut(how))
    assert body_of(sent(pool, "/first")) == b"a file"
    with pytest.raises(ConnectionResetError):
        body_of(sent(pool, "/never"))
    assert requests_of(server) == [(1, "/first"), (1, "/never"), (2, "/never")]
    assert (idle(pool).sock, idle(pool).wire) == (None, None)


def test_a_request_over_an_idle_connection_that_was_sent_anew_is_not_sent_a_third_time(
    server: FaultServer, pool: Pool, dead: Callable[[Cut], None]
) -> None:
    server.on("/never", cut())
    dead(Cut.RST)
    with pytest.raises(NoAnswer):
        body_of(sent(pool, "/never"))
    assert requests_of(server) == [(1, "/first"), (2, "/never")]


def test_a_request_over_a_fresh_connection_is_not_sent_anew(
    server: FaultServer, pool: Pool
) -> None:
    server.on("/never", cut())
    with pytest.raises(NoAnswer):
        body_of(sent(pool, "/never"))
    assert requests_of(server) == [(1, "/never")]


def test_an_answer_that_has_begun_is_not_asked_for_again(server: FaultServer, pool: Pool) -> None:
    server.on("/broken", steps(send(b"HTTP/1.1 200 OK\r\nContent-Le"), cut()))
    assert body_of(sent(pool, "/first")) == b"a file"
    with pytest.raises(ProtocolViolation):
        sent(pool, "/broken").answer()
    assert requests_of(server) == [(1, "/first"), (1, "/broken")]
    assert (idle(pool).sock, idle(pool).wire) == (None, None)


def test_an_answer_that_has_begun_is_not_asked_for_again_after_a_reset(
    server: FaultServer, pool: Pool
) -> None:
    gate = server.gate()
    begun = send(b"HTTP/1.1 200 OK\r\nContent-Le")
    server.on("/broken", [steps(begun, gate, cut(Cut.RST)), reply(200, b"again")])
    assert body_of(sent(pool, "/first")) == b"a file"
    watch = Watch(TimeLimits())
    awaited = sent(pool, "/broken", watch=watch)
    assert shows(awaited, select.POLLIN)
    watch.on_block = gate.let  # when what has begun was read, and more is waited for
    with pytest.raises(ConnectionError):
        body_of(awaited)


# Idle connections.


def test_an_idle_connection_is_used_again(server: FaultServer, pool: Pool) -> None:
    for _ in range(3):
        assert body_of(sent(pool, "/a")) == b"a file"
    assert server.accepted == 1


def test_an_idle_connection_on_which_something_has_come_is_not_used(
    server: FaultServer, pool: Pool
) -> None:
    gate = server.gate()
    server.on("/first", steps(reply(200, b"first"), gate, send(b"HTTP/1.1 200 OK\r\n\r\nforged")))
    assert body_of(sent(pool, "/first")) == b"first"
    gate.let()
    assert shows(socket_of(idle(pool)), select.POLLIN)
    assert body_of(sent(pool, "/second")) == b"a file"
    assert requests_of(server) == [(1, "/first"), (2, "/second")]


def test_whoever_hurries_is_told_of_a_fresh_connection_and_not_of_an_idle_one(
    server: FaultServer, pool: Pool, dead: Callable[[Cut], None]
) -> None:
    def told(path: str) -> bool:
        watch, calls = Watch(TimeLimits()), []
        watch.on_block = lambda: calls.append("told")
        awaited = sent(pool, path, watch=watch)
        assert shows(awaited, select.POLLIN)
        body_of(awaited)
        return calls == ["told"]

    assert told("/a")
    assert not told("/a")
    dead(Cut.RST)
    assert told("/a")


def test_the_last_that_came_back_is_the_first_to_go() -> None:
    waiting = _Stack(3)
    for item in ("a", "b", "c"):
        waiting.put(item, block=False)
    assert [waiting.get(block=False) for _ in range(2)] == ["c", "b"]
    waiting.put("d", block=False)
    assert [waiting.get(block=False) for _ in range(2)] == ["d", "a"]


@pytest.mark.parametrize("block", [False, True])
def test_nobody_waits_for_an_idle_connection_or_for_room(block: bool) -> None:
    waiting = _Stack(2)
    with pytest.raises(queue.Empty):
        waiting.get(block=block)
    waiting.put("a", block=block)
    waiting.put(None, block=block)
    with pytest.raises(queue.Full):
        waiting.put("c", block=block)
    assert [waiting.get(block=block) for _ in range(2)] == [None, "a"]
    with pytest.raises(queue.Empty):
        waiting.get(block=block)


def test_a_pool_keeps_as_many_as_it_may_and_closes_the_rest(
    server: FaultServer, pool: Pool
) -> None:
    exchanges = [sent(pool, "/a").answer() for _ in range(3)]
    for exchange in exchanges:
        assert bytes(exchange.receive(100)) == b"a file"
        exchange.close()
    assert server.accepted == 3
    server.wait_for(lambda: server.open == 2)


# Waiting.


def test_what_is_awaited_can_be_read_when_the_answer_begins(
    server: FaultServer, pool: Pool
) -> None:
    assert body_of(sent(pool, "/a")) == b"a file"
    connection = idle(pool)
    gate = server.gate()
    server.on("/b", steps(gate, reply(200, b"another")))
    awaited = sent(pool, "/b")
    assert awaited.fileno() == socket_of(connection).fileno()
    gate.wait_for(1)
    assert not shows(awaited, select.POLLIN, 0)
    gate.let()
    assert shows(awaited, select.POLLIN)
    assert body_of(awaited) == b"another"


def test_what_is_abandoned_comes_back_closed(server: FaultServer, pool: Pool) -> None:
    server.on("/held", hold)
    watch = Watch(TimeLimits(read=1))
    awaited = sent(pool, "/held", watch=watch)
    sock = os.dup(awaited.fileno())  # still open, for whoever would shut it down
    try:
        awaited.abandon()
        assert awaited.fileno() == -1
        assert (idle(pool).sock, idle(pool).wire) == (None, None)
        watch.inspect(10**12)
        watch.check()
    finally:
        os.close(sock)
    server.wait_for(lambda: server.open == 0)
    assert body_of(sent(pool, "/a")) == b"a file"
    assert server.accepted == 2


def test_a_connection_that_was_abandoned_is_not_the_watchs_any_more(
    server: FaultServer, pool: Pool
) -> None:
    server.on("/held", hold)
    watch = Watch(TimeLimits())
    sent(pool, "/held", watch=watch).abandon()
    other = sent(pool, "/a")
    assert watch.cancel()
    assert body_of(other) == b"a file"


# Stopping.


@pytest.mark.parametrize("has_idle", [False, True])
def test_the_wait_for_a_head_has_its_limit_over_any_connection(
    server: FaultServer, pool: Pool, has_idle: bool
) -> None:
    server.on("/held", hold)
    if has_idle:
        assert body_of(sent(pool, "/a")) == b"a file"
    watch = Watch(TimeLimits(connect=7, read=3))
    awaited = sent(pool, "/held", watch=watch)
    watch.inspect(10**12)
    with pytest.raises(TimedOut) as caught:
        awaited.answer()
    assert (caught.value.limit, caught.value.seconds) == ("read", 3)
    server.wait_for(lambda: server.accepted == 1)


def test_a_verdict_is_no_dead_connection(server: FaultServer, pool: Pool) -> None:
    server.on("/held", hold)
    assert body_of(sent(pool, "/a")) == b"a file"
    watch = Watch(TimeLimits())
    awaited = sent(pool, "/held", watch=watch)
    watch.cancel()
    with pytest.raises(Cancelled):
        awaited.answer()
    assert (idle(pool).sock, idle(pool).wire) == (None, None)
    assert server.accepted == 1


def test_a_dead_connection_is_not_replaced_for_one_who_was_stopped(
    server: FaultServer, pool: Pool
) -> None:
    gate = server.gate()
    server.on("/never", steps(gate, cut(Cut.RST)))
    assert body_of(sent(pool, "/a")) == b"a file"
    watch = Watch(TimeLimits())
    awaited = sent(pool, "/never", watch=watch)
    gate.let()
    assert shows(awaited, select.POLLIN)
    watch.cancel()
    with pytest.raises(Cancelled):
        awaited.answer()
    assert server.accepted == 1


@pytest.mark.parametrize("has_idle", [False, True])
def test_one_who_was_stopped_sends_nothing(server: FaultServer, pool: Pool, has_idle: bool) -> None:
    if has_idle:
        assert body_of(sent(pool, "/a")) == b"a file"
    watch = Watch(TimeLimits())
    watch.cancel()
    with pytest.raises(Cancelled):
        sent(pool, "/b", watch=watch)
    assert (idle(pool).sock, idle(pool).wire) == (None, None)
    server.wait_for(lambda: server.open == 0)
    assert [target for _, target in requests_of(server)] == ["/a"] * has_idle


# The wire: looking without reading, and whom it tells that it may block.


@pytest.mark.parametrize("count", [1, 256, 65_536])  # of which C's int has zeros in front
def test_bytes_that_nobody_has_read_are_seen_and_left(count: int) -> None:
    with pair() as (here, there):
        wire = Wire(here)
        assert not wire.has_more()
        there.sendall(bytes(count))
        assert wire.has_more()
        assert wire.has_more()
        left = count
        while left:
            assert wire.has_more()
            left -= len(here.recv(left))
        assert not wire.has_more()


def test_a_closed_peer_is_no_more_bytes() -> None:
    with pair() as (here, there):
        wire = Wire(here)
        there.send(b"the last")
        there.close()
        assert wire.has_more()
        assert here.recv(100) == b"the last"
        assert not wire.has_more()
        assert here.recv(100) == b""


def hurried_wire(here: socket.socket, on_block: Callable[[], object]) -> Wire:
    wire = Wire(here)
    wire.watch = Watch(TimeLimits())
    wire.watch.on_block = lambda: (on_block(), None)[1]
    return wire


def test_a_read_that_will_not_block_is_not_told() -> None:
    with pair() as (here, there):
        told: list[str] = []
        wire = hurried_wire(here, lambda: told.append("told"))
        there.send(b"HTTP/1.1 200 OK\r\n\r\nbody")
        assert wire.head().status == 200
        there.send(b"more")
        assert wire.fill() == 4
        assert (bytes(wire.take(100)), told) == (b"bodymore", [])


def test_a_read_that_would_block_is_told_before_it_does() -> None:
    with pair() as (here, there):
        wire = hurried_wire(here, lambda: there.send(b"bytes"))
        assert wire.fill() == 5


def test_the_rest_of_a_head_is_told_to_be_waited_for_and_its_beginning_is_not() -> None:
    with pair() as (here, there):
        told: list[str] = []

        def go_on() -> None:
            told.append("told")
            there.send(b"OK\r\n\r\n")

        there.send(b"HTTP/1.1 200 ")
        assert hurried_wire(here, go_on).head().reason == "OK"
        assert told == ["told"]
    with pair() as (here, there):
        there.close()
        with pytest.raises(NoAnswer):
            hurried_wire(here, lambda: told.append("twice")).head()
        assert told == ["told"]


def test_hurried_reads_end_in_time_together_and_later_ones_wait_again() -> None:
    with pair() as (here, there):
        wire = Wire(here)
        wire.watch = Watch(TimeLimits())
        wire.watch.cancel()  # no judge of what nobody wants
        there.send(b"a rest")
        with wire.hurried(0.05):
            assert wire.fill() == 6
            with pytest.raises(TimeoutError):
                wire.fill()
        assert here.gettimeout() is None


# The head, of which fields are looked for in its text.


def head_of(*lines: bytes, end: bytes = b"\r\n") -> Head:
    return parse_head(end.join([b"HTTP/1.1 200 OK", *lines, b"", b""]))


@pytest.mark.parametrize(
    ("lines", "name", "value"),
    [
        pytest.param([b"a: 1"], "a", "1", id="the only one"),
        pytest.param([b"A: 1", b"B: 2", b"C: 3"], "a", "1", id="the first"),
        pytest.param([b"A: 1", b"B: 2", b"C: 3"], "b", "2", id="in the middle"),
        pytest.param([b"A: 1", b"B: 2", b"C: 3"], "c", "3", id="the last"),
        pytest.param([b"CONTENT-length: 5"], "content-length", "5", id="any case"),
        pytest.param([b"A: MiXed"], "a", "MiXed", id="the case of its value"),
        pytest.param([b"A:1"], "a", "1", id="no blank"),
        pytest.param([b"A: \t 1 2 \t"], "a", "1 2", id="blanks around"),
        pytest.param([b"A: b:c"], "a", "b:c", id="a colon"),
        pytest.param([b"A:", b"B: 2"], "a", "", id="empty"),
        pytest.param([b"A: \t", b"B: 2"], "a", "", id="blanks alone"),
        pytest.param([b"B: 2", b"A:"], "a", "", id="empty and the last"),
        pytest.param([b"X: \xc0\xb5\xd7\xdf\xff", b"A: \xc4"], "a", "\u00c4", id="Latin-1"),
        # Repeats.
        pytest.param([b"A: 1", b"a: 2"], "a", "1, 2", id="twice"),
        pytest.param([b"a: 1", b"B: 2", b"A: 3", b"A: 4"], "a", "1, 3, 4", id="thrice"),
        pytest.param([b"A: 1", b"A: 1"], "a", "1, 1", id="twice the same"),
        pytest.param([b"A:", b"A: 1"], "a", ", 1", id="first empty"),
        pytest.param([b"A: 1", b"A:"], "a", "1, ", id="last empty"),
        # Names within others.
        pytest.param([b"Content-Length: 5"], "length", None, id="an end of a name"),
        pytest.param([b"Content-Length: 5"], "content", None, id="a beginning of a name"),
        pytest.param([b"X-Length: 9", b"Length: 5"], "length", "5", id="behind a longer name"),
        pytest.param([b"Length: 5", b"X-Length: 9"], "length", "5", id="before a longer name"),
        pytest.param([b"X: length: 9"], "length", None, id="a name in a value"),
        pytest.param([b"A: 1"], "b", None, id="another"),
        pytest.param([], "a", None, id="no fields"),
        # Folds.
        pytest.param([b"A: 1", b" 2"], "a", "1 2", id="folded"),
        pytest.param([b"A: 1", b"\t \t2", b" 3", b"B: 4"], "a", "1 2 3", id="folded twice"),
        pytest.param([b"A:", b" 1"], "a", "1", id="folded at once"),
        pytest.param([b"A: 1", b" ", b"B: 2"], "a", "1", id="folded to nothing"),
        pytest.param([b"X: 1", b" A: 2"], "a", None, id="a field in a fold"),
        pytest.param([b"A: 1", b" 2", b"A: 3"], "a", "1 2, 3", id="folded and repeated"),
    ],
)
@pytest.mark.parametrize("end", [b"\r\n", b"\n"], ids=["CRLF", "LF"])
def test_a_field_is_found(lines: list[bytes], name: str, value: str | None, end: bytes) -> None:
    head = head_of(*lines, end=end)
    assert head.get(name) == value
    assert head.headers.get(name) == value
    assert head.get(name) == value


NAMES = st.sampled_from(["A", "a", "B-A", "a-b", "AA", "Length", "Content-Length"])
VALUES = st.text(
    st.characters(min_codepoint=1, max_codepoint=255, exclude_characters="\r\n"), max_size=8
)


@given(st.lists(st.tuples(NAMES, VALUES), max_size=8))
def test_any_field_is_found_as_it_is_among_all_fields(pairs: list[tuple[str, str]]) -> None:
    lines = [f"{name}: {value}".encode("latin-1") for name, value in pairs]
    for name in ("a", "b-a", "a-b", "aa", "length", "content-length", "b"):
        values = [value.strip(" \t") for other, value in pairs if other.lower() == name]
        assert head_of(*lines).get(name) == (", ".join(values) if values else None)
