"""HTTP/2: streams that share a connection and nothing else."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import h2.config
import h2.connection
import h2.events
import h2.settings
import pytest

from tests.functional.streamer.running import Shelf, Streamer, listed
from tests.functional.streamer.test_clients_that_leave import Last
from tests.servers import FaultServer, authority, chunk, chunked, head, reply, steps

BODY = bytes(range(256)) * 4096
HUGE = (1 << 31) - 1  # the largest window there is


class Http2Client:
    """One connection that takes what it is sent, and widens its windows only when told to."""

    def __init__(self, streamer: Streamer, *, window: int = 65_535, connection_window: int = 0):
        context = authority().client_context()
        context.set_alpn_protocols(["h2"])
        self.sock = context.wrap_socket(streamer.connect(), server_hostname="127.0.0.1")
        self.state = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self.state.local_settings = h2.settings.Settings(
            client=True, initial_values={h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: window}
        )
        self.state.initiate_connection()
        if connection_window:
            self.state.increment_flow_control_window(connection_window)
        self.events: list[h2.events.Event] = []
        self.bodies: dict[int, bytearray] = {}
        self.heads: dict[int, dict[str, str]] = {}
        self.ended: dict[int, int] = {}  # the streams that are over, and by which error, or -1
        self.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def flush(self) -> None:
        self.sock.sendall(self.state.data_to_send())

    def ask(self, path: str, method: str = "GET") -> int:
        """Ask for a path; return the number of the stream."""
        stream = self.state.get_next_available_stream_id()
        fields = {":method": method, ":path": path, ":scheme": "https", ":authority": "streamer"}
        self.state.send_headers(stream, list(fields.items()), end_stream=True)
        self.bodies[stream] = bytearray()
        self.flush()
        return stream

    def receive(self, *, widening: bool = True) -> None:
        """Take what is sent next; give the windows back unless told otherwise."""
        data = self.sock.recv(65_536)
        assert data, "the connection ended"
        for event in self.state.receive_data(data):
            self._note(event, widening=widening)
        self.flush()

    def until_over(self, *streams: int, widening: bool = True) -> None:
        while not set(streams) <= self.ended.keys():
            self.receive(widening=widening)

    def _note(self, event: Any, *, widening: bool) -> None:
        if isinstance(event, h2.events.ResponseReceived):
            self.heads[event.stream_id] = dict(event.headers)
        elif isinstance(event, h2.events.DataReceived):
            self.bodies[event.stream_id] += event.data
            if widening:
                self.state.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            self.ended[event.stream_id] = -1
        elif isinstance(event, h2.events.StreamReset):
            self.ended[event.stream_id] = int(event.error_code)


@pytest.fixture
def streamer(shelf: Shelf, tmp_path: Path) -> Iterator[Streamer]:
    with Streamer(shelf, tls=tmp_path, stall_timeout=0.5) as streamer:
        yield streamer


@pytest.mark.need("S3", "S7")
def test_a_file_and_its_head_arrive(server: FaultServer, shelf: Shelf, streamer: Streamer) -> None:
    listed(server, shelf, "f", BODY, reply(200, BODY, headers={"ETag": '"e"'}))
    with Http2Client(streamer) as client:
        whole, only_head = client.ask("/f"), client.ask("/f", "HEAD")
        client.until_over(whole, only_head)
    assert bytes(client.bodies[whole]) == BODY
    assert client.bodies[only_head] == b""
    for stream in (whole, only_head):
        assert client.heads[stream][":status"] == "200"
        assert client.heads[stream]["etag"] == '"e"'
        assert client.heads[stream]["content-length"] == str(len(BODY))
        assert client.ended[stream] == -1


@pytest.mark.need("S3")
@pytest.mark.fault(193, 196)
def test_a_wrong_file_is_reset_by_an_error_and_its_neighbours_live(
    server: FaultServer, shelf: Shelf, streamer: Streamer
) -> None:
    wrong = BODY[:-1] + b"!"
    gate = server.gate()
    listed(server, shelf, "good", BODY, steps(gate, reply(200, BODY)))
    listed(server, shelf, "bad", BODY, reply(200, wrong))
    listed(server, shelf, "unknown", BODY, chunked([chunk(wrong)]))
    with Http2Client(streamer) as client:
        good = client.ask("/good")
        bad = [client.ask("/bad"), client.ask("/unknown")]
        client.until_over(*bad)
        gate.open()
        client.until_over(good)
    assert bytes(client.bodies[good]) == BODY
    assert [client.ended[stream] for stream in (good, *bad)] == [-1, 2, 2]  # 2: INTERNAL_ERROR


@pytest.mark.fault(191)
def test_a_reset_by_the_client_lets_go_of_upstream(
    server: FaultServer, shelf: Shelf, streamer: Streamer
) -> None:
    last = Last(BODY)
    listed(server, shelf, "other", BODY, reply(200, BODY))
    server.on("/f", steps(head(200, {"Content-Length": str(1 << 30)}), last))
    shelf.put("f", server.url("/f"))
    with Http2Client(streamer) as client:
        stream = client.ask("/f")
        while not client.bodies[stream]:
            client.receive(widening=False)
        client.state.reset_stream(stream)
        client.flush()
        assert last.gone.wait(0.5)
        other = client.ask("/other")
        while other not in client.ended:
            client.state.increment_flow_control_window(65_535)
            client.receive()
    assert bytes(client.bodies[other]) == BODY


@pytest.mark.fault(191, 192)
@pytest.mark.parametrize("window", [65_535, HUGE])
def test_what_is_held_for_a_client_that_reads_nothing_is_bounded_and_dropped(
    server: FaultServer, shelf: Shelf, streamer: Streamer, window: int
) -> None:
    last = Last(BODY)
    server.on("/f", steps(head(200, {"Content-Length": str(1 << 30)}), last))
    shelf.put("f", server.url("/f"))
    held = []

    def note_what_twisted_holds() -> None:
        for stream in streamer.resource._streams:
            queues = stream._request.channel._conn._outboundStreamQueues.values()
            held.append(sum(len(piece) for queue in queues for piece in queue))

    with Http2Client(streamer, window=window, connection_window=window - 65_535) as client:
        stream = client.ask("/f")
        while not client.bodies[stream]:
            client.receive(widening=False)
        while not last.gone.wait(0.02):
            streamer.in_reactor(note_what_twisted_holds)
        (served,) = streamer.wait_for_served()
    assert not served.is_complete
    assert max(held) <= 65_536


@pytest.mark.fault(192)
def test_streams_share_a_small_window_of_their_connection(
    server: FaultServer, shelf: Shelf, streamer: Streamer
) -> None:
    listed(server, shelf, "f", BODY, reply(200, BODY))
    with Http2Client(streamer, window=HUGE) as client:  # the connection's is 64 KiB
        streams = [client.ask("/f") for _ in range(5)]
        client.until_over(*streams)
    assert all(bytes(client.bodies[stream]) == BODY for stream in streams)
    assert set(client.ended.values()) == {-1}


@pytest.mark.fault(192, 211)
def test_a_window_that_is_shut_costs_no_time(
    server: FaultServer, shelf: Shelf, tmp_path: Path
) -> None:
    listed(server, shelf, "f", BODY, reply(200, BODY))
    with Streamer(shelf, tls=tmp_path) as streamer, Http2Client(streamer, window=HUGE) as client:
        streams = [client.ask("/f") for _ in range(3)]
        while sum(map(len, client.bodies.values())) < 65_535:
            client.receive(widening=False)
        before, begun = streamer.in_reactor(time.thread_time), time.monotonic()
        while time.monotonic() - begun < 0.5:
            time.sleep(0.05)  # the client does nothing, and so does the reactor
        used = streamer.in_reactor(time.thread_time) - before
        client.state.increment_flow_control_window(1 << 30)
        client.flush()
        client.until_over(*streams)
    assert used < 0.1
    assert all(bytes(client.bodies[stream]) == BODY for stream in streams)


@pytest.mark.fault(205, 209)
def test_tricks_are_refused_as_in_http1(shelf: Shelf, streamer: Streamer) -> None:
    with Http2Client(streamer) as client:
        told = {
            path: client.ask(path, method)
            for path, method in [("/../f", "GET"), ("//f", "GET"), ("/f", "POST")]
        }
        client.until_over(*told.values())
        assert [client.heads[stream][":status"] for stream in told.values()] == [
            "400",
            "400",
            "405",
        ]
    assert shelf.asked == []
