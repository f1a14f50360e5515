"""Memory, threads and disk, seen from outside: a streamer in a process of its own."""

from __future__ import annotations

import hashlib
import selectors
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.functional.streamer.child import Child, streaming_child
from tests.functional.streamer.running import get
from tests.servers import FaultServer, reply
from tests.servers.conversation import Conversation
from tests.servers.steps import head_bytes

BLOCK = bytes(1 << 20)
GIGABYTE = 1 << 30
SMALL = bytes(10_000)
MB = 1_000_000


def blocks(count: int):  # type: ignore[no-untyped-def]
    """A script that sends so many megabytes of zeros."""

    def script(conn: Conversation, request: object) -> None:
        conn.send(head_bytes(200, {"Content-Length": str(count * len(BLOCK))}))
        for _ in range(count):
            conn.send(BLOCK)

    return script


@pytest.fixture
def upstream(server: FaultServer) -> FaultServer:
    server.on("/big", blocks(1024))
    server.on("/small", reply(200, SMALL))
    return server


class SlowClients:
    """Clients of ``/big`` that each take so many bytes a second, behind small buffers."""

    def __init__(self, child: Child, count: int, speed: int, stack: ExitStack):
        self.speed = speed
        self.selector = stack.enter_context(selectors.DefaultSelector())
        self.taken: dict[socket.socket, int] = {}
        for _ in range(count):
            sock = stack.enter_context(socket.socket())
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
            sock.connect(("127.0.0.1", child.port))
            sock.sendall(get("/big"))
            sock.setblocking(False)
            self.taken[sock] = 0
        self.begun = time.monotonic()

    def take(self) -> None:
        """Let each take what it may have taken by now."""
        due = int((time.monotonic() - self.begun) * self.speed)
        for sock, taken in self.taken.items():
            while taken < due:
                try:
                    taken += len(sock.recv(min(65_536, due - taken)))
                except BlockingIOError:
                    break
            self.taken[sock] = taken

    def for_seconds(self, seconds: float) -> Iterator[None]:
        """Go on for so long; yield twenty times a second."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.take()
            yield
            time.sleep(0.05)  # the pace of these clients


@contextmanager
def slow_clients(child: Child, count: int, speed: int) -> Iterator[SlowClients]:
    with ExitStack() as stack:
        yield SlowClients(child, count, speed, stack)


def seconds_for_small(child: Child) -> float:
    """Return what a client in a process of its own, which is not this busy one, waits."""
    curl = ("curl", "-s", "-o", "/dev/null", "-w", "%{size_download} %{time_total}")
    told = subprocess.run([*curl, child.url("/small")], capture_output=True, check=True).stdout
    size, seconds = told.split()
    assert int(size) == len(SMALL)
    return float(seconds)


def growth_with_one_slow_client(upstream: FaultServer, seconds: float) -> int:
    with streaming_child(upstream.url("/")) as child:
        for _ in range(10):
            seconds_for_small(child)
        before = child.memory()
        with slow_clients(child, 1, MB) as clients:
            most = max(child.memory() for _ in clients.for_seconds(seconds))
        assert all(taken > MB * seconds / 2 for taken in clients.taken.values())
    return most - before


@pytest.mark.alone
@pytest.mark.need("S6")
@pytest.mark.fault(192)
def test_a_slow_client_takes_little_memory(upstream: FaultServer) -> None:
    assert growth_with_one_slow_client(upstream, 1.5) < 3 * MB


@pytest.mark.alone
@pytest.mark.slow
@pytest.mark.need("S6")
@pytest.mark.fault(192)
def test_a_slow_client_takes_little_memory_for_long(upstream: FaultServer) -> None:
    assert growth_with_one_slow_client(upstream, 15) < 3 * MB


def crowd(upstream: FaultServer, count: int, speed: int, seconds: float) -> tuple[int, float]:
    """Return the growth by slow clients on 8 threads, and a fast client's typical wait."""
    with streaming_child(upstream.url("/"), threads=8, max_streams=count + 1) as child:
        for _ in range(10):
            seconds_for_small(child)
        before = child.memory()
        with slow_clients(child, count, speed) as clients:
            for _ in clients.for_seconds(1):
                pass  # until all buffers are full
            waits = [seconds_for_small(child) for _ in clients.for_seconds(seconds)]
            growth = child.memory() - before
            assert child.threads() < 8 + 5
    return growth, sorted(waits)[len(waits) // 2]


@pytest.mark.alone
@pytest.mark.need("S4")
@pytest.mark.fault(192, 211)
def test_a_crowd_of_slow_clients_leaves_room_for_a_fast_one(upstream: FaultServer) -> None:
    growth, wait = crowd(upstream, 40, 100_000, 1)
    assert growth < 40 * 750_000
    assert wait < 0.1


@pytest.mark.alone
@pytest.mark.slow
@pytest.mark.need("S4")
@pytest.mark.fault(192, 211)
def test_two_hundred_slow_clients_leave_room_for_a_fast_one(upstream: FaultServer) -> None:
    growth, wait = crowd(upstream, 200, MB, 8)
    assert growth < 150 * MB
    assert wait < 0.1


@pytest.mark.need("S6")
def test_nothing_is_written_to_disk(server: FaultServer, tmp_path: Path) -> None:
    assert files_opened_for_writing(server, tmp_path, 32) == []


@pytest.mark.slow
@pytest.mark.need("S6")
def test_nothing_is_written_to_disk_for_a_gigabyte(server: FaultServer, tmp_path: Path) -> None:
    assert files_opened_for_writing(server, tmp_path, 1024) == []


def files_opened_for_writing(server: FaultServer, tmp_path: Path, blocks_of: int) -> list[str]:
    """Stream a verified file under strace, and return what was opened, made or renamed."""
    whole = hashlib.sha256()
    for _ in range(blocks_of):
        whole.update(BLOCK)
    server.on("/big", blocks(blocks_of))
    trace = tmp_path / "trace"
    calls = "trace=open,openat,creat,rename,renameat,renameat2,mkdir,mkdirat,link,linkat,symlink"
    strace = ("strace", "-f", "-qq", "-e", "signal=none", "-e", calls, "-o", str(trace))
    upstream = server.url("/")
    with streaming_child(upstream, wrapper=strace, sha256=whole.hexdigest()) as child:
        before = len(trace.read_text())
        brought = urllib.request.Request(child.url("/big"), data=BLOCK, method="GET")
        with urllib.request.urlopen(brought) as answer:
            got = sum(iter(lambda: len(answer.read(len(BLOCK))), 0))
        assert got == blocks_of * len(BLOCK)
    lines = trace.read_text()[before:].splitlines()
    return [line for line in lines if "O_WRONLY" in line or "O_RDWR" in line or "open" not in line]
