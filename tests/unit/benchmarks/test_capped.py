"""The server that carries so many bytes a second in all."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from benchmarks.capped import CATCH_UP, LEAST_SLICE, MOST_SLICE, Link
from benchmarks.mirrored import Capped, MirrorList, capped, serving_mirrors

RATE = 1_000_000
SLICE = 5000  # what is carried of a load at once at that rate


class ScriptedClock:
    """Time that goes on when a timer fires, and as much later as the script says."""

    def __init__(self) -> None:
        self.now = 100.0
        self.timers: list[tuple[float, Callable[[], object]]] = []

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Callable[[], object], /) -> None:
        self.timers.append((when, callback))

    def fire(self, *, late: float = 0.0) -> None:
        when, callback = self.timers.pop(0)
        self.now = max(self.now, when + late)
        callback()


class Sink:
    """A load that keeps when each of its slices was sent."""

    def __init__(self, clock: ScriptedClock, left: int):
        self.clock = clock
        self.left = left
        self.sent: list[tuple[float, int]] = []

    def send(self, size: int) -> bool:
        self.left -= size
        self.sent.append((round(self.clock.now - 100, 6), size))
        return self.left > 0


def test_a_slice_is_sent_when_its_last_byte_would_have_come_through() -> None:
    clock = ScriptedClock()
    link, sink = Link(RATE, clock), Sink(clock, 12_000)
    link.carry(sink)
    while clock.timers:
        clock.fire()
    assert sink.sent == [(0.005, SLICE), (0.01, SLICE), (0.012, 2000)]


def test_loads_take_turns() -> None:
    clock = ScriptedClock()
    link, one, other = Link(RATE, clock), Sink(clock, 10_000), Sink(clock, 10_000)
    link.carry(one)
    link.carry(other)
    while clock.timers:
        clock.fire()
    assert [when for when, _ in one.sent] == [0.005, 0.015]
    assert [when for when, _ in other.sent] == [0.01, 0.02]


def test_a_link_at_rest_saves_nothing_up() -> None:
    clock = ScriptedClock()
    link, sink = Link(RATE, clock), Sink(clock, SLICE)
    clock.now = 107
    link.carry(sink)
    clock.fire()
    assert sink.sent == [(7.005, SLICE)]


def test_a_late_timer_costs_a_busy_link_nothing() -> None:
    clock = ScriptedClock()
    link, sink = Link(RATE, clock), Sink(clock, 3 * SLICE)
    link.carry(sink)
    clock.fire(late=0.05)
    clock.fire()
    clock.fire()
    assert [when for when, _ in sink.sent] == [0.055] * 3


def test_a_long_pause_is_not_made_up_for() -> None:
    clock = ScriptedClock()
    link, sink = Link(RATE, clock), Sink(clock, 100 * SLICE)
    link.carry(sink)
    clock.fire(late=9)
    while clock.timers:
        clock.fire()
    assert sink.sent[-1][0] == pytest.approx(9.005 + 99 * 0.005 - CATCH_UP)


@pytest.mark.parametrize(
    ("rate", "size"), [(10_000, LEAST_SLICE), (10_000_000, 50_000), (10**9, MOST_SLICE)]
)
def test_slices_are_neither_tiny_nor_more_than_a_transport_buffers(rate: int, size: int) -> None:
    assert Link(rate, ScriptedClock()).slice == size


@pytest.fixture
def fast(tmp_path: Path) -> Iterator[Capped]:
    """A server of two files at 100 MB a second."""
    (tmp_path / "digits").write_bytes(b"0123456789")
    (tmp_path / "empty").write_bytes(b"")
    with capped("127.0.0.2", tmp_path, 100_000_000) as server:
        yield server


def ask(server: Capped, path: str, *, method: str = "GET", **fields: str) -> HTTPResponse:
    connection = HTTPConnection(urlsplit(server.url).netloc, timeout=10)
    try:
        connection.request(
            method, path, headers={name.replace("_", "-"): text for name, text in fields.items()}
        )
        response = connection.getresponse()
        response.body = response.read()  # type: ignore[attr-defined]
        return response
    finally:
        connection.close()


def test_a_connection_is_kept_and_everything_is_counted(fast: Capped) -> None:
    connection = HTTPConnection(urlsplit(fast.url).netloc, timeout=10)
    bodies = []
    for path in ("/digits", "/missing", "/empty", "/digits"):
        connection.request("GET", path)
        bodies.append(connection.getresponse().read())
    connection.close()
    assert bodies == [b"0123456789", b"", b"", b"0123456789"]
    assert (fast.connections(), fast.body_bytes()) == (1, 20)


def test_requests_that_came_early_are_answered_in_their_order(fast: Capped) -> None:
    address = urlsplit(fast.url)
    with socket.create_connection((address.hostname, address.port or 0), timeout=10) as client:
        client.sendall(
            b"GET /digits HTTP/1.1\r\n\r\n"
            b"HEAD /digits HTTP/1.1\r\n\r\n"
            b"GET /missing HTTP/1.1\r\n\r\n"
            b"GET /digits HTTP/1.1\r\nConnection: close\r\n\r\n"
        )
        with client.makefile("rb") as answers:
            said = answers.read()  # until the server closes
    assert [line for line in said.split(b"\r\n") if line.startswith((b"HTTP", b"0123"))] == [
        b"HTTP/1.1 200 OK",
        b"0123456789HTTP/1.1 200 OK",
        b"HTTP/1.1 404 Not Found",
        b"HTTP/1.1 200 OK",
        b"0123456789",
    ]


@pytest.mark.parametrize(
    ("wanted", "part", "body"),
    [
        ("bytes=7-", "bytes 7-9/10", b"789"),
        ("bytes=2-4", "bytes 2-4/10", b"234"),
        ("bytes=-3", "bytes 7-9/10", b"789"),
        ("bytes=10-", None, b"0123456789"),
        ("bytes=4-2", None, b"0123456789"),
        ("bytes=-", None, b"0123456789"),
        ("bytes=0-1,4-5", None, b"0123456789"),
    ],
)
def test_one_range_is_served(fast: Capped, wanted: str, part: str | None, body: bytes) -> None:
    response = ask(fast, "/digits", Range=wanted)
    assert response.status == (206 if part else 200)
    assert response.getheader("content-range") == part
    assert response.body == body  # type: ignore[attr-defined]


def test_a_range_of_another_file_gets_all_of_this_one(fast: Capped) -> None:
    etag = ask(fast, "/digits", method="HEAD").getheader("etag")
    assert etag is not None
    assert ask(fast, "/digits", Range="bytes=7-", If_Range=etag).status == 206
    assert ask(fast, "/digits", Range="bytes=7-", If_Range='"another"').status == 200


def test_who_leaves_in_the_middle_keeps_nobody_waiting(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(bytes(20_000_000))
    (tmp_path / "small").write_bytes(b"small")
    with capped("127.0.0.2", tmp_path, RATE) as server:
        address = urlsplit(server.url)
        with socket.create_connection((address.hostname, address.port or 0)) as client:
            client.sendall(b"GET /large HTTP/1.1\r\n\r\n")
            client.recv(1000)
        began = time.monotonic()
        assert ask(server, "/small").body == b"small"  # type: ignore[attr-defined]
        assert time.monotonic() - began < 5  # alone "large" takes 20


def test_mirrors_of_one_folder_say_the_same_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "digits").write_bytes(b"0123456789")
    with capped("127.0.0.2", tmp_path, RATE) as one, capped("127.0.0.3", tmp_path, RATE) as other:
        answers = [ask(server, "/digits") for server in (one, other)]
    fields = [(a.getheader("etag"), a.getheader("last-modified")) for a in answers]
    assert fields[0] == fields[1]
    assert all(fields[0])


@pytest.mark.parametrize("refuses", [True, False])
def test_a_dead_mirror_refuses_or_hangs(tmp_path: Path, refuses: bool) -> None:
    (tmp_path / "file").write_bytes(bytes(1000))
    with serving_mirrors(tmp_path, MirrorList((RATE, 0), refuses=refuses)) as upstream:
        alive, dead = (urlsplit(url) for url in upstream.mirrors)
        assert (alive.hostname, dead.hostname) == ("127.0.0.2", "127.0.0.3")
        with socket.socket() as client:
            client.settimeout(0.5)
            with pytest.raises(ConnectionRefusedError if refuses else TimeoutError):
                client.connect((dead.hostname, dead.port))
        connection = HTTPConnection(alive.netloc, timeout=10)
        connection.request("GET", "/file")
        assert len(connection.getresponse().read()) == 1000
        connection.close()
        assert upstream.served() == [1000, 0]
        assert upstream.connections() == 1


@pytest.mark.slow
@pytest.mark.parametrize("connections", [1, 16])
def test_the_cap_holds_for_all_connections_together(tmp_path: Path, connections: int) -> None:
    rate, seconds = 5_000_000, 3
    (tmp_path / "file").write_bytes(bytes(rate * seconds // connections))

    def fetch() -> None:
        ask(server, "/file")

    with capped("127.0.0.2", tmp_path, rate) as server:
        threads = [threading.Thread(target=fetch) for _ in range(connections)]
        began = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        took = time.monotonic() - began
        assert seconds <= took < seconds * 1.05
        assert server.body_bytes() == rate * seconds // connections * connections
