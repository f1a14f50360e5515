"""One large file over several connections, and from several mirrors, at once."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from pulp_download import (
    Batch,
    Cancelled,
    DigestMismatch,
    Download,
    MemoryWriter,
    Mirrors,
    Pieces,
    Progressed,
    Result,
    WriteError,
)
from pulp_download.events import Event
from pulp_download.urls import URL
from tests.functional.fetch import remote_for
from tests.functional.upstream import body_of, expectations, sha256
from tests.servers import Conversation, Cut, FaultServer, Request, published, reply, steps
from tests.servers.files import RANGE

BODY = body_of(7, 12_000_000)
SLICE = 100_000
SOON = 30.0


class Paced:
    """A server of BODY that sends a slice at a time, each when the others have had theirs.

    So nobody is done before somebody else has begun. ``ranges`` are those asked for; ``spoil`` says
    what is wrong with a part.
    """

    def __init__(self, body: bytes = BODY, *, etag: str = '"1"', pause: float = 0.01) -> None:
        self.body = body
        self.etag = etag
        self.pause = pause
        self.ranges: list[tuple[int, int]] = []
        self._lock = threading.Lock()
        self._open = 0
        self.peak = 0

    def __call__(self, conn: Conversation, request: Request) -> None:
        with self._lock:
            self._open += 1
            self.peak = max(self.peak, self._open)
        try:
            self.answer(conn, request)
        finally:
            with self._lock:
                self._open -= 1

    def answer(self, conn: Conversation, request: Request) -> None:
        asked = RANGE.fullmatch(request.headers.get("Range", ""))
        start = int(asked[1]) if asked else 0
        stop = int(asked[2]) + 1 if asked and asked[2] else len(self.body)
        pause = self.pause
        with self._lock:
            self.ranges.append((start, stop))
        status = "206 Partial Content" if asked else "200 OK"
        head = f"HTTP/1.1 {status}\r\nContent-Length: {stop - start}\r\nETag: {self.etag}\r\n"
        if asked:
            head += f"Content-Range: bytes {start}-{stop - 1}/{len(self.body)}\r\n"
        conn.send(f"{head}\r\n".encode())
        for at in range(start, stop, SLICE):
            threading.Event().wait(pause)
            conn.send(self.body[at : min(at + SLICE, stop)])


@pytest.fixture
def hosts() -> Iterator[list[FaultServer]]:
    with ExitStack() as stack:
        yield [stack.enter_context(FaultServer(host=f"127.0.0.{n}")) for n in range(2, 5)]


def fetch(source: Any, writer: Any, *validations: Any, **settings: Any) -> Result:
    defaults = {"segments": 4, "segments_from": 1_000_000, "mirror_policy": "order"}
    with remote_for(**(defaults | settings)) as remote:
        return Download(
            source, writer, remote=remote, validations=validations or expectations(BODY)
        ).run()


def test_a_large_file_comes_over_several_connections_at_once(
    server: FaultServer, tmp_path: Path
) -> None:
    paced = Paced()
    server.on("/big", paced)
    result = fetch(server.url("/big"), tmp_path / "big")
    assert (tmp_path / "big").read_bytes() == BODY
    assert paced.peak == 4
    assert paced.ranges[0] == (0, len(BODY))
    helped = paced.ranges[1:]  # in whatever order they came
    assert max(stop for _, stop in helped) == len(BODY), "from somewhere in the middle to the end"
    assert min(start for start, _ in helped) > 0
    assert result.digests == {"sha256": sha256(BODY)}
    assert (result.size, result.attempts, result.length_verified) == (len(BODY), (), True)


def test_every_byte_is_written_by_one_of_them_and_the_slowest_is_relieved(
    server: FaultServer, tmp_path: Path
) -> None:
    class Uneven(Paced):
        """The second connection is ten times as slow as the others."""

        def answer(self, conn: Conversation, request: Request) -> None:
            self.pause = 0.1 if len(self.ranges) == 1 else 0.01
            super().answer(conn, request)

    uneven = Uneven()
    server.on("/big", uneven)
    fetch(server.url("/big"), tmp_path / "big")
    assert (tmp_path / "big").read_bytes() == BODY
    assert len(uneven.ranges) > 4, "who is done helps the others"
    starts = [start for start, _ in uneven.ranges]
    assert len(set(starts)) == len(starts)


def test_in_memory_as_well(server: FaultServer) -> None:
    server.on("/big", Paced())
    memory = MemoryWriter()
    fetch(server.url("/big"), memory)
    assert memory.getvalue() == BODY


@pytest.mark.need("I8")
def test_parts_come_from_several_mirrors_at_once(hosts: list[FaultServer], tmp_path: Path) -> None:
    paced = [Paced(etag=f'"{number}"') for number in range(3)]
    for host, script in zip(hosts, paced, strict=True):
        host.on("/big", script)
    fetch(
        Mirrors(host.url("/big") for host in hosts),
        tmp_path / "big",
        mirror_policy="spread",
        segments=6,
    )
    assert (tmp_path / "big").read_bytes() == BODY
    assert all(script.ranges for script in paced)


def test_without_a_digest_parts_come_from_where_the_first_came_from(
    hosts: list[FaultServer], tmp_path: Path
) -> None:
    for host in hosts:
        host.on("/big", Paced())
    with remote_for(segments=4, segments_from=1_000_000, mirror_policy="order") as remote:
        Download(Mirrors(host.url("/big") for host in hosts), tmp_path / "big", remote=remote).run()
    assert (tmp_path / "big").read_bytes() == BODY
    assert len(hosts[0].requests) > 1
    assert hosts[1].requests == hosts[2].requests == []
    assert hosts[0].requests[1].headers["If-Range"] == '"1"'


@pytest.mark.parametrize(
    "settings",
    [
        {"segments": 1},
        {"segments_from": len(BODY) + 1},
        {"segments": 4, "segments_from": 20_000_000},
    ],
)
def test_a_file_that_is_not_large_enough_comes_over_one(
    server: FaultServer, tmp_path: Path, settings: dict[str, int]
) -> None:
    server.on("/big", published(BODY))
    fetch(server.url("/big"), tmp_path / "big", **settings)
    assert len(server.requests) == 1


@pytest.mark.fault(40)
@pytest.mark.parametrize("how", ["ignores ranges", "says that it has none"])
def test_a_server_without_ranges_is_as_good_as_ever(
    server: FaultServer, tmp_path: Path, how: str
) -> None:
    if how == "ignores ranges":
        server.on("/big", reply(200, BODY))
    else:
        server.on("/big", published(BODY, ranges=False))
    result = fetch(server.url("/big"), tmp_path / "big")
    assert (tmp_path / "big").read_bytes() == BODY
    assert {failed.type for failed in result.attempts} <= {"ProtocolViolation"}


class Spoilt(Paced):
    """Parts that a helper asks for are wrong in some way."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.way = way

    def answer(self, conn: Conversation, request: Request) -> None:
        if "Range" not in request.headers:
            return super().answer(conn, request)
        if self.way == "404":
            return reply(404)(conn, request)
        if self.way == "reset":
            return conn.cut(Cut.RST)
        if self.way == "another edition":
            self.etag = '"2"'
            return super().answer(conn, request)
        if self.way == "another offset":
            part = {"Content-Range": f"bytes 0-9/{len(BODY)}"}
            return reply(206, BODY[:10], headers=part)(conn, request)
        assert self.way == "another total"
        start = int(request.headers["Range"][6:].split("-")[0])
        part = {"Content-Range": f"bytes {start}-{len(BODY) - 1}/{len(BODY) + 1}"}
        return reply(206, BODY[start:], headers=part)(conn, request)


@pytest.mark.parametrize(
    "way",
    [
        "404",
        pytest.param("reset", marks=pytest.mark.fault(2)),
        pytest.param("another edition", marks=pytest.mark.fault(42)),
        pytest.param("another offset", marks=pytest.mark.fault(38)),
        pytest.param("another total", marks=pytest.mark.fault(38)),
    ],
)
def test_a_helper_that_fails_is_no_failure_of_the_file(
    server: FaultServer, tmp_path: Path, way: str
) -> None:
    server.on("/big", Spoilt(way))
    result = fetch(server.url("/big"), tmp_path / "big", max_retries=0)
    assert (tmp_path / "big").read_bytes() == BODY
    assert result.attempts, "but it is told"


def test_a_mirror_that_fails_in_its_part_is_replaced_by_another(
    hosts: list[FaultServer], tmp_path: Path
) -> None:
    good, bad = Paced(), Paced()
    hosts[0].on("/big", good)
    hosts[1].on("/big", steps(lambda conn, request: conn.cut(Cut.RST)))
    result = fetch(
        Mirrors(host.url("/big") for host in hosts[:2]), tmp_path / "big", mirror_policy="order"
    )
    assert (tmp_path / "big").read_bytes() == BODY
    assert bad.ranges == []
    assert {failed.url for failed in result.attempts} <= {hosts[1].url("/big")}


@pytest.mark.fault(44)
def test_parts_that_do_not_belong_together_are_begun_anew_over_one_connection(
    hosts: list[FaultServer], tmp_path: Path
) -> None:
    hosts[0].on("/big", Paced())
    hosts[1].on("/big", Paced(body=BODY[::-1]))
    result = fetch(
        Mirrors(host.url("/big") for host in hosts[:2]), tmp_path / "big", mirror_policy="spread"
    )
    assert (tmp_path / "big").read_bytes() == BODY
    assert result.digests == {"sha256": sha256(BODY)}


def test_with_digests_of_pieces_only_what_is_wrong_is_fetched_again(
    server: FaultServer, tmp_path: Path
) -> None:
    length = 1_000_000
    pieces = Pieces(
        "sha256",
        length,
        tuple(sha256(BODY[at : at + length]) for at in range(0, len(BODY), length)),
    )
    wrong = bytearray(BODY)
    wrong[7_500_000] ^= 1

    class Once(Paced):
        def answer(self, conn: Conversation, request: Request) -> None:
            is_first = len(self.ranges) < 4
            self.body = bytes(wrong) if is_first else BODY
            super().answer(conn, request)

    paced = Once()
    server.on("/big", paced)
    fetch(server.url("/big"), tmp_path / "big", *expectations(BODY), pieces)
    assert (tmp_path / "big").read_bytes() == BODY


def test_a_wrong_file_is_wrong_in_parts_too(server: FaultServer, tmp_path: Path) -> None:
    server.on("/big", Paced(body=BODY[::-1]))
    with pytest.raises(DigestMismatch):
        fetch(server.url("/big"), tmp_path / "big", max_retries=0)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.fault(1)
def test_a_broken_transfer_goes_on_with_the_parts_that_are_missing(
    server: FaultServer, tmp_path: Path
) -> None:
    class Breaks(Paced):
        """Every connection breaks after two megabytes."""

        def answer(self, conn: Conversation, request: Request) -> None:
            asked = RANGE.fullmatch(request.headers.get("Range", ""))
            start = int(asked[1]) if asked else 0
            stop = int(asked[2]) + 1 if asked and asked[2] else len(BODY)
            with self._lock:
                self.ranges.append((start, stop))
            whole = published(BODY, etag=self.etag)
            if stop - start <= 2_000_000:
                return whole(conn, request)
            status = "206 Partial Content" if asked else "200 OK"
            part = f"Content-Range: bytes {start}-{stop - 1}/{len(BODY)}\r\n" if asked else ""
            head = f"HTTP/1.1 {status}\r\nContent-Length: {stop - start}\r\nETag: {self.etag}\r\n"
            conn.send(f"{head}{part}\r\n".encode() + BODY[start : start + 2_000_000])
            return conn.cut(Cut.FIN)

    breaks = Breaks()
    server.on("/big", breaks)
    fetch(server.url("/big"), tmp_path / "big", max_retries=10)
    assert (tmp_path / "big").read_bytes() == BODY
    assert breaks.ranges.count((0, len(BODY))) == 1, "never from the beginning"


@pytest.mark.need("I9")
def test_helpers_stay_within_the_limits_of_host_and_batch(
    server: FaultServer, tmp_path: Path
) -> None:
    """Counted here: a connection that was left may look open at the server's end for a while."""
    active: list[int] = []

    class Counting(Paced):
        def answer(self, conn: Conversation, request: Request) -> None:
            active.append(host.active)
            super().answer(conn, request)

    server.default(Counting(pause=0.002))
    with remote_for(segments=8, segments_from=1_000_000, per_host=3) as remote:
        host = remote.hosts.at(URL.parse(server.url("/")).origin)
        downloads = [
            Download(
                server.url(f"/{n}"),
                tmp_path / str(n),
                remote=remote,
                validations=expectations(BODY),
            )
            for n in range(4)
        ]
        with Batch(downloads, concurrency=8) as batch:
            assert all(future.result().size == len(BODY) for future in batch)
        assert host.active == 0
    assert max(active) == 3


@pytest.mark.need("I9")
def test_helpers_take_no_place_that_a_download_of_the_batch_waits_for(
    hosts: list[FaultServer], tmp_path: Path
) -> None:
    paced = [Paced(pause=0.002) for _ in hosts]
    for host, script in zip(hosts, paced, strict=True):
        host.default(script)
    with remote_for(segments=8, segments_from=1_000_000) as remote:
        downloads = [
            Download(host.url(f"/{n}"), tmp_path / f"{n}-{i}", remote=remote)
            for n in range(3)
            for i, host in enumerate(hosts)
        ]
        with Batch(downloads, concurrency=2) as batch:
            for future in batch:
                future.result()
    assert max(script.peak for script in paced) <= 8


@pytest.mark.need("I10")
@pytest.mark.parametrize("way", ["cancel", "close"])
def test_nothing_is_left_of_a_segmented_download_that_is_stopped(
    server: FaultServer, tmp_path: Path, way: str
) -> None:
    paced = Paced(pause=60.0)
    server.on("/big", paced)
    with (
        remote_for(segments=4, segments_from=1_000_000) as remote,
        ThreadPoolExecutor(1) as pool,
    ):
        server.on("/big", steps(Paced(pause=0.05)))
        download = Download(
            server.url("/big"), tmp_path / "big", remote=remote, validations=expectations(BODY)
        )
        run = pool.submit(download.run)
        server.wait_for_requests(4)
        assert download.cancel() if way == "cancel" else remote.close() is None
        assert isinstance(run.exception(SOON), Cancelled)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.fault(109)
def test_a_full_disk_ends_all_of_them(
    server: FaultServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.pwrite

    def full(descriptor: int, chunk: Any, offset: int) -> int:
        if offset > 6_000_000:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(descriptor, chunk, offset)

    monkeypatch.setattr(os, "pwrite", full)
    server.on("/big", Paced())
    with pytest.raises(WriteError) as caught:
        fetch(server.url("/big"), tmp_path / "big", max_retries=3)
    assert caught.value.errno == errno.ENOSPC
    assert list(tmp_path.iterdir()) == []


def test_progress_counts_what_all_of_them_have(server: FaultServer, tmp_path: Path) -> None:
    server.on("/big", Paced())
    told: list[int] = []

    def observer(event: Event) -> None:
        if isinstance(event, Progressed):
            assert event.total == len(BODY)
            told.append(event.received)

    with remote_for(segments=4, segments_from=1_000_000) as remote:
        download = Download(server.url("/big"), tmp_path / "big", remote=remote)
        download.run(observer=observer)
    assert told == sorted(told)
    assert told[-1] > len(BODY) // 2


def test_a_limit_of_speed_holds_for_all_of_them_together(
    server: FaultServer, tmp_path: Path
) -> None:
    server.on("/big", published(BODY, etag='"1"'))
    began = time.monotonic()
    fetch(server.url("/big"), tmp_path / "big", max_speed=6_000_000)
    assert time.monotonic() - began > 0.95 * len(BODY) / 6_000_000
