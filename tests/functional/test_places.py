"""Places at hosts are given back, and what is asked there is what was meant."""

from __future__ import annotations

import gc
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from pulp_download import (
    Batch,
    ConnectionFailed,
    Download,
    DownloadError,
    MemoryWriter,
    Mirror,
    Mirrors,
    Remote,
)
from pulp_download.urls import URL
from tests.functional.fetch import remote_for
from tests.functional.upstream import body_of, expectations
from tests.servers import Cut, FaultServer, published, redirect, reply, steps

SOON = 20.0
BODY = body_of(3, 3_000_000)


def active(remote: Remote) -> list[int]:
    return [host.active for host in remote.hosts.known()]


@pytest.mark.need("I10")
def test_hosts_that_lead_to_one_another_do_not_wait_for_one_another(server: FaultServer) -> None:
    with FaultServer(host="127.0.0.2") as other:
        for here, there in ((server, other), (other, server)):
            here.on("/end", reply(200, b"x"))
            here.on("/begin", redirect(there.url("/end")))
        with remote_for(per_host=1) as remote:
            downloads = [
                Download(host.url("/begin"), MemoryWriter(), remote=remote)
                for _ in range(40)
                for host in (server, other)
            ]
            with Batch(downloads, concurrency=8) as batch:
                assert all(future.result().size == 1 for future in batch)
            assert active(remote) == [0, 0]


@pytest.mark.need("I10")
def test_a_place_that_is_cancelled_while_it_is_given_is_not_lost(server: FaultServer) -> None:
    server.default(reply(200, b"x"))
    with remote_for(per_host=1) as remote, ThreadPoolExecutor(9) as pool:
        downloads = [
            Download(server.url(f"/{n}"), MemoryWriter(), remote=remote) for n in range(300)
        ]
        over = threading.Event()

        def cancel() -> None:
            while not over.is_set():
                for download in downloads:
                    download.cancel()

        canceller = pool.submit(cancel)
        for run in [pool.submit(download.run) for download in downloads]:
            assert isinstance(run.exception(SOON), (DownloadError, type(None)))
        over.set()
        canceller.result(SOON)
        assert active(remote) == [0]
        assert Download(server.url("/last"), MemoryWriter(), remote=remote).run().size == 1


def test_a_stream_that_nobody_holds_gives_its_place_back(server: FaultServer) -> None:
    server.default(reply(200, BODY))
    with remote_for(per_host=1) as remote:
        download = Download(server.url("/a"), remote=remote)
        content = download.iter_content()
        next(content)
        del content
        gc.collect()
        with ThreadPoolExecutor(1) as pool:
            again = pool.submit(download.iter_content).result(SOON)
        again.close()
        assert active(remote) == [0]


def test_a_policy_only_orders_what_it_leaves_out_is_asked_last(server: FaultServer) -> None:
    server.on("/a", reply(200, b"x"))
    settings: Any = {"mirror_policy": lambda standings: []}
    with remote_for(**settings) as remote:
        source = Mirrors([server.url("/none"), server.url("/a")])
        assert Download(source, MemoryWriter(), remote=remote).run().size == 1


@pytest.mark.fault(222)
def test_params_of_a_session_go_to_no_learnt_mirror(server: FaultServer) -> None:
    server.default(reply(404))
    with remote_for(max_retries=0) as remote:
        remote.session.params = {"token": "c4n4ry"}
        source = Mirrors([server.url("/given"), Mirror(server.url("/learnt"), is_learnt=True)])
        with pytest.raises(DownloadError):
            Download(source, MemoryWriter(), remote=remote).run()
    given, learnt = server.requests
    assert b"c4n4ry" in given.raw
    assert b"c4n4ry" not in learnt.raw


@pytest.mark.need("I9")
def test_redirects_of_one_host_are_requests_to_it_too(server: FaultServer) -> None:
    server.on("/begin", redirect("/end"))
    server.on("/end", reply(200, b"x"))
    with remote_for(rate_limit=50.0) as remote:
        downloads = [
            Download(server.url("/begin"), MemoryWriter(), remote=remote) for _ in range(15)
        ]
        with Batch(downloads, concurrency=4) as batch:
            assert all(future.result().size == 1 for future in batch)
    times = [request.time for request in server.requests]
    assert len(times) == 30
    assert times[-1] - times[0] >= 29 / 50 * 0.95


def test_queueing_is_no_part_of_the_total_time(server: FaultServer) -> None:
    server.default(steps(lambda conn, request: threading.Event().wait(0.3), reply(200, b"x")))
    with remote_for(per_host=1, total_timeout=1.2) as remote:
        downloads = [Download(server.url(f"/{n}"), MemoryWriter(), remote=remote) for n in range(8)]
        with Batch(downloads, concurrency=8) as batch:
            assert [future.exception() for future in batch] == [None] * 8


@pytest.mark.parametrize("etag", [None, '"1"'])
def test_parts_are_asked_for_only_where_something_tells_that_they_belong_together(
    server: FaultServer, tmp_path: Path, etag: str | None
) -> None:
    server.on("/big", published(BODY, etag=etag))
    with remote_for(segments=4, segments_from=1_000_000) as remote:
        Download(server.url("/big"), tmp_path / "big", remote=remote).run()
    assert (tmp_path / "big").read_bytes() == BODY
    assert any("Range" in request.headers for request in server.requests) == (etag is not None)


def test_without_a_digest_the_rest_of_a_broken_file_in_parts_comes_from_no_other_mirror(
    server: FaultServer, tmp_path: Path
) -> None:
    with FaultServer(host="127.0.0.2") as other:
        head = f'HTTP/1.1 200 OK\r\nContent-Length: {len(BODY)}\r\nETag: "1"\r\n\r\n'.encode()

        def breaks(conn: Any, request: Any) -> None:
            conn.send(head + BODY[:1_000_000])
            conn.cut(Cut.RST)

        server.on("/big", breaks)
        changed = BODY[::-1]
        other.on("/big", published(changed, etag='"1"'))
        with remote_for(
            segments=2, segments_from=1_000_000, mirror_policy="order", max_retries=0
        ) as remote:
            source = Mirrors([server.url("/big"), other.url("/big")])
            result = Download(source, tmp_path / "big", remote=remote).run()
    assert (tmp_path / "big").read_bytes() == changed
    assert ConnectionFailed.__name__ in {failed.type for failed in result.attempts}


def test_a_child_reads_the_mirror_list_that_its_parent_was_reading(server: FaultServer) -> None:
    gate = server.gate()
    server.on("/list", [steps(gate, reply(200, b"")), reply(200, server.url("/r").encode())])
    server.on("/r/file", reply(200, b"x"))
    with (
        remote_for(mirror_list=server.url("/list"), max_retries=0) as remote,
        ThreadPoolExecutor(1) as pool,
    ):
        download = Download("file", MemoryWriter(), remote=remote)
        reading = pool.submit(download.run)
        gate.wait_for(1)
        child = os.fork()
        if child == 0:
            try:
                os._exit(0 if download.run().size == 1 else 1)
            finally:
                os._exit(2)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        gate.open()
        assert reading.exception(SOON) is not None


def test_a_mirror_list_that_is_gone_does_not_take_given_bases_with_it(server: FaultServer) -> None:
    server.on("/r/file", reply(200, b"x"))
    with remote_for(
        base_urls=[server.url("/r")], mirror_list=server.url("/gone"), max_retries=0
    ) as remote:
        assert Download("file", MemoryWriter(), remote=remote).run().size == 1


def test_helpers_that_find_nothing_to_do_say_nothing_about_a_host(
    server: FaultServer, tmp_path: Path
) -> None:
    body = body_of(4, 1_500_000)
    server.on("/big", published(body, etag='"1"'))
    with remote_for(segments=8, segments_from=1_000_000, max_speed=2_000_000) as remote:
        host = remote.hosts.at(URL.parse(server.url("/")).origin)
        Download(
            server.url("/big"), tmp_path / "big", remote=remote, validations=expectations(body)
        ).run()
        assert host.active == 0
        carried = host.score.remembered(time.monotonic())
    assert len(server.requests) == 1
    assert carried.get("bytes", 0.0) <= len(body)
