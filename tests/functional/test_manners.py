"""Good manners towards upstreams: how many at once, how often, how fast, and when not at all."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from pulp_download import Batch, Cancelled, Download, MemoryWriter, Remote, TimedOut
from tests.functional.fetch import remote_for
from tests.functional.upstream import body_of, downloads_of, expectations, publish
from tests.servers import (
    Answer,
    Conversation,
    FaultServer,
    Request,
    head,
    hold,
    redirect,
    reply,
    steps,
)
from tests.servers.ftp import FtpFaultServer

SOON = 20.0


class Crowd:
    """Counts how many requests are being answered at once, at all servers that share it."""

    def __init__(self, then: Answer | None = None) -> None:
        self._then = then or reply(200, b"x")
        self._lock = threading.Lock()
        self._here = 0
        self.peak = 0

    def __call__(self, conn: Conversation, request: Request) -> None:
        with self._lock:
            self._here += 1
            self.peak = max(self.peak, self._here)
        time.sleep(0.005)  # so that those that may be here at once are
        with self._lock:
            self._here -= 1
        steps(self._then)(conn, request)  # type: ignore[arg-type]


@pytest.fixture
def four() -> Iterator[list[FaultServer]]:
    """Four servers on addresses of their own."""
    with ExitStack() as stack:
        yield [stack.enter_context(FaultServer(host=f"127.0.0.{n}")) for n in range(2, 6)]


def fetching(server: FaultServer, path: str, remote: Remote) -> Download:
    return Download(server.url(path), MemoryWriter(), remote=remote, attachment=path)


def fetched(downloads: list[Download], concurrency: int = 8) -> None:
    with Batch(downloads, concurrency=concurrency) as batch:
        for future in batch:
            future.result()


@pytest.mark.need("I9")
def test_two_batches_and_a_streamer_together_stay_within_the_limit_of_a_host(
    server: FaultServer,
) -> None:
    crowd = Crowd()
    server.default(crowd)
    with remote_for(per_host=3) as remote:

        def stream() -> None:
            for _ in range(30):
                with fetching(server, "/s", remote).iter_content() as content:
                    assert b"".join(content) == b"x"

        with ThreadPoolExecutor(3) as pool:
            batches = [
                pool.submit(fetched, [fetching(server, f"/{n}", remote) for n in range(50)])
                for _ in range(2)
            ]
            for future in [*batches, pool.submit(stream)]:
                future.result(SOON)
    assert crowd.peak == 3
    assert server.peak <= 3


@pytest.mark.need("I9")
def test_all_hosts_together_stay_within_download_concurrency(four: list[FaultServer]) -> None:
    crowd = Crowd()
    for host in four:
        host.default(crowd)
    with remote_for(download_concurrency=3) as remote:
        fetched([fetching(four[n % 4], f"/{n}", remote) for n in range(80)], concurrency=16)
    assert crowd.peak == 3


@pytest.mark.need("I9")
def test_where_a_redirect_leads_counts_as_well(four: list[FaultServer]) -> None:
    crowd = Crowd()
    four[1].default(crowd)
    four[0].default(lambda conn, r: redirect(four[1].url(r.path))(conn, r))
    with remote_for(per_host=2) as remote:
        fetched([fetching(four[0], f"/{n}", remote) for n in range(40)])
    assert crowd.peak == 2


@pytest.mark.need("I9")
def test_requests_to_a_host_are_no_more_than_the_rate_allows(four: list[FaultServer]) -> None:
    for host in four[:2]:
        host.default(reply(200, b"x"))
    with remote_for(rate_limit=50) as remote:
        fetched([fetching(four[n % 2], f"/{n}", remote) for n in range(40)])
    for host in four[:2]:
        times = [request.time for request in host.requests]
        assert len(times) == 20
        assert times[-1] - times[0] >= 19 / 50 * 0.95


@pytest.mark.need("I9")
@pytest.mark.slow
@pytest.mark.parametrize("concurrency", [1, 8])
def test_bytes_are_no_faster_than_the_limit_and_not_slower_either(
    server: FaultServer, concurrency: int
) -> None:
    body, count = body_of(1, 250_000), 40
    server.default(reply(200, body))
    with remote_for(max_speed=2_000_000) as remote:
        began = time.monotonic()
        fetched([fetching(server, f"/{n}", remote) for n in range(count)], concurrency)
        speed = count * len(body) / (time.monotonic() - began)
    assert speed == pytest.approx(2_000_000, rel=0.05)


@pytest.mark.need("I10")
def test_a_download_that_pauses_for_its_speed_is_cancelled_at_once(
    server: FaultServer, tmp_path: Path
) -> None:
    server.default(reply(200, body_of(1, 1_000_000)))
    begun = threading.Event()
    with remote_for(max_speed=1000) as remote, ThreadPoolExecutor(1) as pool:
        download = Download(server.url("/x"), tmp_path / "x", remote=remote)
        run = pool.submit(download.run, observer=lambda event: begun.set())
        assert begun.wait(SOON)
        server.wait_for_requests(1)
        began = time.monotonic()
        while not download.cancel():
            pass
        assert run.exception(SOON) is not None
        assert time.monotonic() - began < 1


def test_a_limited_speed_is_no_stall(server: FaultServer) -> None:
    body = body_of(1, 6000)
    server.default(reply(200, body))
    with remote_for(max_speed=2000, min_speed=100_000.0, stall_period=0.5) as remote:
        assert fetching(server, "/x", remote).run().size == len(body)


@pytest.mark.fault(51)
@pytest.mark.need("I9")
def test_a_host_that_asks_for_rest_gets_it_from_everybody_and_others_go_on(
    four: list[FaultServer],
) -> None:
    tired, awake = four[:2]
    tired.default(reply(200, b"x"))
    tired.on("/first", [reply(429, headers={"Retry-After": "1"}), reply(200, b"x")])
    awake.default(reply(200, b"x"))
    with remote_for(max_retries=1) as remote:
        fetched([fetching(tired, "/first", remote)], concurrency=1)
        order: list[str] = []
        tired.on("/again", [reply(429, headers={"Retry-After": "1"}), reply(200, b"x")])
        downloads = [fetching(tired, "/again", remote)]
        downloads += [fetching(tired, f"/t{n}", remote) for n in range(5)]
        downloads += [fetching(awake, f"/a{n}", remote) for n in range(10)]
        with Batch(downloads, concurrency=1, window=16) as batch:
            for future in batch:
                future.result()
                order.append(str(future.download.attachment))
    assert set(order[:10]) == {f"/a{n}" for n in range(10)}
    (refused, *after) = [r for r in tired.requests if r.path != "/first"]
    assert refused.path == "/again"
    assert min(request.time for request in after) - refused.time >= 0.99


@pytest.mark.need("I9")
@pytest.mark.parametrize("status", [429, 503])
def test_a_host_that_is_too_busy_is_asked_for_less_at_once_and_later_for_more_again(
    server: FaultServer, status: int
) -> None:
    with remote_for(per_host=8, max_retries=5) as remote:
        server.default(reply(status))
        server.on("/well", reply(200, b"x"))
        with pytest.raises(Exception, match=str(status)):
            Download(server.url("/x"), MemoryWriter(), remote=Remote(max_retries=0)).run()
        host = remote.hosts.at(Download(server.url("/x")).mirrors[0].absolute.origin)
        download = fetching(server, "/busy", remote)
        server.on("/busy", [reply(status), reply(status), reply(200, b"x")])
        download.run()
        assert host.limit == pytest.approx(8 / 2 / 2 + 1 / 2)
        fetched([fetching(server, "/well", remote) for _ in range(100)])
        assert host.limit == 8


def test_one_host_that_hangs_does_not_hold_back_the_others(four: list[FaultServer]) -> None:
    """All files of the other three come while it has not answered once."""
    hanging, others = four[0], four[1:]
    gate = hanging.gate()
    hanging.default(steps(gate, reply(200, b"late")))
    for host in others:
        host.default(reply(200, b"soon"))
    with remote_for(sock_read_timeout=60.0) as remote:
        downloads = [fetching(four[n % 4], f"/{n}", remote) for n in range(40)]
        with Batch(downloads, concurrency=8, window=40) as batch:
            results = iter(batch)
            came = [next(results).download.attachment for _ in range(30)]
            assert {int(str(path)[1:]) % 4 for path in came} == {1, 2, 3}
            assert len(hanging.requests) == 1
            gate.open()
            assert len(list(results)) == 10


def test_with_one_host_that_hangs_the_others_take_hardly_longer_than_alone(
    four: list[FaultServer],
) -> None:
    def seconds(hosts: list[FaultServer]) -> float:
        with remote_for(sock_read_timeout=60.0) as remote:
            downloads = [fetching(host, f"/{n}", remote) for n in range(60) for host in hosts]
            began = time.monotonic()
            with Batch(downloads, concurrency=8, window=4 * 60) as batch:
                results = iter(batch)
                for _ in range(180):
                    next(results).result()
                return time.monotonic() - began

    for host in four[1:]:
        host.default(steps(lambda conn, request: time.sleep(0.02), reply(200, b"x")))
    four[0].default(hold)
    alone = min(seconds(four[1:]) for _ in range(3))
    beside = min(seconds(four) for _ in range(3))
    assert beside < 1.2 * alone


@pytest.mark.need("I9")
def test_idle_connections_to_all_hosts_together_are_no_more_than_may_be_used_at_once(
    four: list[FaultServer],
) -> None:
    for host in four:
        host.default(reply(200, b"x"))
    with remote_for() as remote:
        fetched([fetching(four[n % 4], f"/{n}", remote) for n in range(200)], concurrency=6)
        four[0].wait_for(lambda: sum(host.open for host in four) <= 8)
        for host in four:
            gate = host.gate()
            host.default(steps(gate, reply(200, b"x")))
            runs = [fetching(host, f"/{n}", remote) for n in range(8)]
            with ThreadPoolExecutor(8) as pool:
                futures = [pool.submit(run.run) for run in runs]
                gate.wait_for(8)
                gate.open()
                for future in futures:
                    future.result(SOON)
        four[3].wait_for(lambda: sum(host.open for host in four) == 8)


def test_waiting_for_a_place_is_no_time_of_a_download(server: FaultServer) -> None:
    """Who is still queueing has not begun its total time."""
    gate = server.gate()
    server.default(reply(200, b"x"))
    server.on("/first", steps(gate, reply(200, b"x")))
    with remote_for(per_host=1, total_timeout=30.0) as remote, ThreadPoolExecutor(2) as pool:
        first = pool.submit(fetching(server, "/first", remote).run)
        gate.wait_for(1)
        second = pool.submit(fetching(server, "/second", remote).run)
        time.sleep(2.0)
        gate.open()
        first.result(SOON)
        assert second.result(SOON).elapsed < 1.8


@pytest.mark.need("I10")
def test_whoever_waits_for_a_place_is_cancelled_at_once(server: FaultServer) -> None:
    gate = server.gate()
    server.default(steps(gate, reply(200, b"x")))
    with remote_for(per_host=1) as remote:
        downloads = [fetching(server, f"/{n}", remote) for n in range(4)]
        with Batch(downloads, concurrency=4) as batch, ThreadPoolExecutor(1) as pool:
            results = iter(batch)
            came = pool.submit(next, results)
            gate.wait_for(1)
            while not downloads[2].cancel():
                pass
            assert came.result(SOON).download is downloads[2]
            gate.open()
            assert len(list(results)) == 3
    assert len(server.requests) == 3


def test_a_wait_for_a_place_ends_when_the_remote_is_closed(server: FaultServer) -> None:
    gate = server.gate()
    server.default(steps(gate, reply(200, b"x")))
    with ThreadPoolExecutor(3) as pool:
        with remote_for(per_host=1) as remote:
            runs = [pool.submit(fetching(server, f"/{n}", remote).run) for n in range(3)]
            gate.wait_for(1)
        for run in runs:
            assert type(run.exception(SOON)).__name__ == "Cancelled"
    gate.open()


@pytest.mark.need("I10")
def test_a_batch_that_is_closed_asks_nobody_in_the_place_of_those_it_drops(
    four: list[FaultServer],
) -> None:
    busy, *slow = four[:3]
    busy.default(reply(503, headers={"Retry-After": "5"}))
    busy.on("/open", steps(head(200, {"Content-Length": "3"}), hold))
    with remote_for(per_host=1) as remote, ThreadPoolExecutor(1) as consumer:
        content = fetching(busy, "/open", remote).iter_content()
        waiting = [fetching(busy, f"/{number}", remote) for number in range(10)]
        for server in slow:
            server.default(hold)
        at_work = [fetching(server, "/f", remote) for server in slow]
        batch = Batch([*waiting, *at_work], concurrency=2, window=12)
        results = consumer.submit(list, batch)
        for server in slow:
            server.wait_for(lambda server=server: server.held == 1)  # type: ignore[misc]
        content.close()  # its place is the first one's, which finds no worker
        batch.close()
        with pytest.raises(Cancelled):
            results.result(SOON)
    assert [request.path for request in busy.requests] == ["/open"]


def test_a_host_that_times_out_gives_its_place_to_the_next(server: FaultServer) -> None:
    server.default(reply(200, b"x"))
    server.on("/hangs", hold)
    with remote_for(per_host=1, sock_read_timeout=1.0) as remote:
        downloads = [fetching(server, "/hangs", remote), fetching(server, "/next", remote)]
        with Batch(downloads, concurrency=2) as batch:
            outcomes = {f.download.attachment: f.exception() for f in batch}
    assert isinstance(outcomes["/hangs"], TimedOut)
    assert outcomes["/next"] is None


def test_a_thousand_downloads_that_wait_for_one_place_all_come(server: FaultServer) -> None:
    publish(server, 50)
    with remote_for(per_host=1) as remote:
        downloads = [d for _ in range(20) for d in downloads_of(server, range(50), remote)]
        with Batch(downloads, concurrency=64, window=256) as batch:
            assert sum(future.result().size > 0 for future in batch) == 1000
    assert server.accepted == 1
    assert expectations(body_of(0))


@pytest.mark.need("I9")
def test_idle_connections_are_counted_over_all_protocols(
    server: FaultServer, ftp: FtpFaultServer
) -> None:
    server.default(reply(200, b"x"))
    for number in range(40):
        ftp.publish(f"/{number}", b"x")
    with remote_for(per_host=3) as remote:
        both = [Download(ftp.url(f"/{n}"), MemoryWriter(), remote=remote) for n in range(40)]
        both += [fetching(server, f"/{n}", remote) for n in range(40)]
        fetched(both[::2] + both[1::2], concurrency=3)
        server.wait_for(lambda: server.open + ftp.open <= 3)
        assert server.open + ftp.open > 0
