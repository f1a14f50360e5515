"""Clients that go, or stop reading, at any moment; upstream is let go at once."""

from __future__ import annotations

import random
import socket
import struct
import threading
import time
from typing import Any

import pytest

from pulp_download import Download, Remote
from tests.functional.streamer.running import PATIENCE, Shelf, Streamer, get, listed
from tests.servers import (
    FaultServer,
    endless_body,
    head,
    hold,
    reply,
    send,
    stalled_before_head,
    steps,
)
from tests.servers.conversation import Conversation

BODY = bytes(range(256)) * 4096
LETTING_GO = 0.5  # seconds within which upstream is released


def leave(sock: socket.socket, how: str) -> None:
    if how == "reset":
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    if how == "half":
        sock.shutdown(socket.SHUT_WR)
    else:
        sock.close()


class Last:
    """A script's last step: tell that it is reached, and when upstream's client has gone.

    With ``block`` it sends that again and again meanwhile.
    """

    def __init__(self, block: bytes = b"") -> None:
        self.reached, self.gone = threading.Event(), threading.Event()
        self.block = block

    def __call__(self, conn: Conversation, request: object) -> None:
        self.reached.set()
        try:
            while self.block:
                conn.send(self.block)
            conn.wait_closed_by_peer(PATIENCE)
        except OSError:
            pass
        self.gone.set()


@pytest.mark.need("S1", "S4")
@pytest.mark.fault(191)
@pytest.mark.parametrize(
    ("moment", "how"),
    [
        *((moment, how) for moment in ("opening", "reading") for how in ("close", "reset", "half")),
        # A client that reads nothing and has sent its last may yet go on to read.
        *(("parked", how) for how in ("close", "reset")),
    ],
)
def test_upstream_is_released_when_the_client_goes(
    server: FaultServer, shelf: Shelf, moment: str, how: str
) -> None:
    last = Last(BODY if moment == "parked" else b"")
    begun = steps(head(200, {"Content-Length": str(1 << 30)}), send(BODY[:1000]))
    server.on("/f", last if moment == "opening" else steps(begun, last))
    shelf.put("f", server.url("/f"))
    with Streamer(shelf, threads=1) as streamer, streamer.connect(receive_buffer=4096) as sock:
        sock.sendall(get("/f"))
        assert last.reached.wait(PATIENCE)
        if moment != "opening":
            assert sock.recv(4) == b"HTTP"
        left = time.monotonic()
        leave(sock, how)
        assert last.gone.wait(PATIENCE)
        assert time.monotonic() - left < LETTING_GO
        (served,) = streamer.wait_for_served()
        assert streamer.resource.open_streams == 0
    assert (served.is_complete, served.error) == (False, None)


@pytest.mark.fault(191)
def test_a_client_that_goes_while_a_thread_is_waited_for_asks_nobody(
    server: FaultServer, shelf: Shelf
) -> None:
    gate = server.gate()
    begun = head(200, {"Content-Length": str(len(BODY))})
    listed(server, shelf, "f", BODY, steps(begun, gate, send(BODY)))
    # The thread that may block, and the one at the helm, which then may as well.
    with (
        Streamer(shelf, threads=1) as streamer,
        streamer.connect() as one,
        streamer.connect() as two,
    ):
        for sock in (one, two):
            sock.sendall(get("/f"))
            assert sock.recv(4) == b"HTTP"  # its thread waits for the body now
        with streamer.connect() as third:
            third.sendall(get("/other"))
        streamer.wait_for_served()
        gate.open()
        for sock in (one, two):
            assert b"".join(iter(lambda: sock.recv(65536), b"")).endswith(BODY)  # noqa: B023
    assert shelf.asked == ["f", "f"]


@pytest.mark.fault(191)
def test_who_shares_a_download_with_one_that_goes_keeps_it(
    server: FaultServer, remote: Remote
) -> None:
    gate = server.gate()
    server.on("/f", steps(gate, reply(200, BODY)))
    shelf = Shelf(remote)
    shelf.put("f", server.url("/f"), BODY)
    shared = shelf.get_download("f")
    shelf.get_download = lambda path: shared  # type: ignore[method-assign]
    with Streamer(shelf) as streamer, streamer.connect() as stays:
        goes = streamer.connect()
        for sock in (goes, stays):
            sock.sendall(get("/f"))
        gate.wait_for(2)
        goes.close()
        streamer.wait_for_served()
        gate.open()
        assert b"".join(iter(lambda: stays.recv(65536), b"")).endswith(BODY)


@pytest.mark.fault(191, 192)
def test_a_client_that_reads_nothing_is_dropped(server: FaultServer, shelf: Shelf) -> None:
    last = Last(BODY)
    server.on("/f", steps(head(200, {"Content-Length": str(1 << 30)}), last))
    shelf.put("f", server.url("/f"))
    with Streamer(shelf, stall_timeout=0.3) as streamer:
        sock = streamer.connect(receive_buffer=4096)
        sock.sendall(get("/f"))
        assert last.gone.wait(PATIENCE)
        (served,) = streamer.wait_for_served()
        with sock, pytest.raises(ConnectionResetError):
            while sock.recv(65536):
                pass
    assert not served.is_complete


@pytest.mark.fault(192)
@pytest.mark.parametrize(("length", "pause"), [(1024, 0.02), (16_384, 0.4)])
def test_a_client_that_reads_slowly_or_now_and_then_is_not(
    server: FaultServer, shelf: Shelf, length: int, pause: float
) -> None:
    server.on("/f", endless_body(length=1 << 30))
    shelf.put("f", server.url("/f"))
    with (
        Streamer(shelf, stall_timeout=1.0) as streamer,
        streamer.connect(receive_buffer=4096) as sock,
    ):
        sock.sendall(get("/f"))
        until = time.monotonic() + 2.2
        while time.monotonic() < until:
            assert sock.recv(length)
            time.sleep(pause)  # the pace of this client: 50 KB a second, behind larger buffers
        assert streamer.served == []


@pytest.mark.fault(22, 24, 193)
def test_an_upstream_that_stalls_is_not_taken_for_a_slow_client(server: FaultServer) -> None:
    server.on("/f", steps(head(200, {"Content-Length": "500000"}), send(BODY[:300_000]), hold))
    with Remote(max_retries=0, sock_read_timeout=0.3) as remote:
        shelf = Shelf(remote)
        shelf.put("f", server.url("/f"))
        with Streamer(shelf, stall_timeout=0.05) as streamer, streamer.connect() as sock:
            sock.sendall(get("/f"))
            with pytest.raises(ConnectionResetError):
                while sock.recv(65536):
                    pass
            (served,) = streamer.wait_for_served()
    assert type(served.error).__name__ == "TimedOut"


@pytest.mark.need("S1")
@pytest.mark.fault(191, 212)
def test_many_clients_that_leave_anywhere_leave_nothing(server: FaultServer, shelf: Shelf) -> None:
    random_moments(server, shelf, 150)


@pytest.mark.slow
@pytest.mark.fault(191, 212)
def test_a_thousand_clients_that_leave_anywhere_leave_nothing(
    server: FaultServer, shelf: Shelf
) -> None:
    random_moments(server, shelf, 1000)


def random_moments(server: FaultServer, shelf: Shelf, clients: int) -> None:
    """Have clients leave at random moments; the fixture looks for what is left."""
    dice = random.Random(7)
    listed(server, shelf, "good", BODY, reply(200, BODY))
    listed(server, shelf, "bad", BODY, reply(200, BODY[:-1] + b"!"))
    listed(server, shelf, "mute", BODY, stalled_before_head())
    listed(server, shelf, "half", BODY, steps(head(200, {"Content-Length": str(len(BODY))}), hold))
    paths = ("/good", "/good", "/bad", "/mute", "/half", "/unlisted")
    with Streamer(shelf, threads=8, max_streams=clients) as streamer:
        for _ in range(clients):
            sock = streamer.connect(receive_buffer=dice.choice((4096, 1 << 20)))
            sock.sendall(get(dice.choice(paths)))
            sock.setblocking(False)
            for _ in range(dice.choice((0, 0, 1, 3, 30))):
                time.sleep(dice.random() / 1000)  # the moment is what is tried
                try:
                    if not sock.recv(65536):
                        break
                except OSError:
                    pass
            leave(sock, dice.choice(("close", "reset")))
            sock.close()
        streamer.wait_for_served(clients)
        assert streamer.resource.open_streams == 0
        with streamer.connect() as sock:
            sock.sendall(get("/good"))
            assert b"".join(iter(lambda: sock.recv(65536), b"")).endswith(BODY)


class Lingering(Download):
    """A download whose content takes a moment to say that it is over, once it has given all."""

    __slots__ = ()
    client_has_left = threading.Event()

    def iter_content(self, *arguments: Any, **options: Any) -> Any:
        content = super().iter_content(*arguments, **options)
        kind = type(content)

        class Content(kind):  # type: ignore[misc, valid-type]
            def __next__(self) -> bytes:
                try:
                    return kind.__next__(self)
                except StopIteration:
                    Lingering.client_has_left.wait(PATIENCE)
                    raise

        content.__class__ = Content
        return content


def test_a_client_that_goes_with_the_whole_file_has_it_whole(
    server: FaultServer, remote: Remote
) -> None:
    class Supplier:
        def get_download(self, path: str) -> Download:
            return Lingering(server.url(f"/{path}"), remote=remote)

    Lingering.client_has_left.clear()
    server.on("/f", reply(200, BODY))
    with Streamer(Supplier()) as streamer:
        with streamer.connect() as sock:
            sock.sendall(get("/f"))
            received = b""
            while not received.endswith(BODY):
                received += sock.recv(1 << 20)
        (served,) = streamer.wait_for_served()
        Lingering.client_has_left.set()
    assert served.is_complete
