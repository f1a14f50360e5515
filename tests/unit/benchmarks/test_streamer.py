"""Streamers that are compared do the same work, and the client believes none of them."""

import contextlib
import hashlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from benchmarks import nginx
from benchmarks.job import Item, Job, make_files
from benchmarks.streamers.client import Connection, Wrong, fetch_all
from benchmarks.streamers.servers import BRIDGE, NGINX, US, streaming
from benchmarks.upstream import serving
from tests.servers import FaultServer, reply, truncated
from tests.servers.conversation import Conversation
from tests.servers.steps import head_bytes

ALL = [
    US,
    BRIDGE,
    pytest.param(NGINX, marks=pytest.mark.skipif(not nginx.is_installed(), reason="needs nginx")),
]


def listed(body: bytes, path: str = "file") -> Item:
    return Item(path, len(body), hashlib.sha256(body).hexdigest())


def port_of(server: FaultServer) -> int:
    return urlsplit(server.url("/")).port or 0


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server


@pytest.fixture
def job(tmp_path: Path) -> Iterator[Job]:
    items = make_files(tmp_path / "root", [1, 10_000, 300_000, 70_000])
    with serving(tmp_path / "root") as upstream:
        yield Job(upstream.url, items, "", connections=2)


@pytest.mark.parametrize("name", ALL)
def test_each_passes_files_on_and_keeps_connections(job: Job, name: str) -> None:
    with streaming(name, job) as streamer:
        assert fetch_all(streamer.port, job.items * 3, 2, verifies=True) > 0


@pytest.mark.parametrize("name", [US, BRIDGE])
def test_those_in_python_check_digests(job: Job, name: str) -> None:
    wrong = job.items[2]._replace(sha256=hashlib.sha256(b"other bytes").hexdigest())
    job = Job(job.base_url, (wrong,), "", connections=2)
    with streaming(name, job) as streamer, pytest.raises((Wrong, ConnectionResetError)):
        # All bytes are there before the bridge knows; its connection has no next answer.
        fetch_all(streamer.port, [wrong] * 2, 1)


def test_a_client_takes_no_other_bytes_for_the_file(server: FaultServer) -> None:
    server.on("/file", reply(200, b"other"))
    assert fetch_all(port_of(server), [listed(b"bytes")], 1) > 0
    with pytest.raises(Wrong, match="wrong digest"):
        fetch_all(port_of(server), [listed(b"bytes")], 1, verifies=True)


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (reply(404, b"bytes"), "404"),
        (reply(200, b"byte"), "4 bytes announced"),
        (truncated(b"bytes", sent=4), "the connection ended"),
    ],
)
def test_a_client_takes_nothing_else_for_the_file(
    server: FaultServer, answer: object, complaint: str
) -> None:
    server.on("/file", answer)
    with pytest.raises(Wrong, match=complaint):
        fetch_all(port_of(server), [listed(b"bytes")], 1)


def test_the_first_byte_of_a_body_is_not_that_of_its_head(server: FaultServer) -> None:
    head_was_taken = threading.Event()

    def script(conn: Conversation, request: object) -> None:
        conn.send(head_bytes(200, {"Content-Length": "5"}))
        assert head_was_taken.wait(10)
        conn.send(b"bytes")

    server.on("/file", script)
    with contextlib.closing(Connection(port_of(server), verifies=True)) as connection:
        begun = time.perf_counter()
        connection.ask(listed(b"bytes"))
        assert connection.take() is None
        with_head_only = time.perf_counter() - begun
        head_was_taken.set()
        times = connection.take()
    assert times is not None
    assert with_head_only - 0.001 < times.first_byte <= times.whole
