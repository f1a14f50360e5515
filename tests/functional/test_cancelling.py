"""A download is cancelled, whatever it is doing: it ends at once and leaves nothing."""

from __future__ import annotations

import gc
import os
import pickle
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from pulp_download import (
    Batch,
    Cancelled,
    Download,
    DownloadError,
    Event,
    Progressed,
    TransferError,
    TryFailed,
)
from pulp_download.adapters.wire import Wire
from tests.functional.fetch import (
    AT_ONCE,
    BODY,
    OLD,
    SOON,
    cancels,
    remote_for,
    running,
)
from tests.servers import (
    Blackhole,
    FaultServer,
    Script,
    chunk,
    chunked,
    cut_response,
    endless_body,
    endless_trickle,
    head,
    hold,
    redirect,
    reply,
    send,
    stalled_before_head,
    stalled_body,
    stalled_in_head,
    steps,
    surplus,
    truncated,
)


class Heard:
    """An observer that tells the test when the first event of a kind has come."""

    def __init__(self, kind: type[Event]) -> None:
        self._kind = kind
        self._come = threading.Event()

    def __call__(self, event: Event) -> None:
        if isinstance(event, self._kind):
            self._come.set()

    def wait(self) -> None:
        assert self._come.wait(SOON)


@pytest.mark.fault(171)
def test_while_its_name_is_looked_up(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, over = threading.Event(), threading.Event()

    def look_up(*_: object, **__: object) -> list[Any]:
        asked.set()
        over.wait(SOON)
        raise socket.gaierror(socket.EAI_AGAIN, "too late")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    with remote_for() as remote:
        download = Download("http://slow.test/f", target, remote=remote)
        with running(download) as future:
            assert asked.wait(SOON)
            cancels(download, future)
            over.set()


@pytest.mark.fault(171)
def test_while_it_connects(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    connecting = threading.Event()

    class Telling(socket.socket):
        def connect_ex(self, address: Any) -> int:
            try:
                return super().connect_ex(address)
            finally:
                connecting.set()

    with Blackhole() as hole, remote_for() as remote:
        monkeypatch.setattr(socket, "socket", Telling)
        download = Download(hole.url("/f"), target, remote=remote)
        with running(download) as future:
            assert connecting.wait(SOON)
            cancels(download, future)


@pytest.mark.fault(171)
def test_at_the_moment_when_it_is_connected(
    server: FaultServer, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.default(reply(200, BODY))
    download: Download | None = None

    class Cancelling(socket.socket):
        def setblocking(self, flag: bool) -> None:
            super().setblocking(flag)
            if flag and download is not None:
                assert download.cancel()

    with remote_for() as remote, monkeypatch.context() as patch:
        patch.setattr(socket, "socket", Cancelling)
        download = Download(server.url("/f"), target, remote=remote)
        with pytest.raises(Cancelled):
            download.run()
    assert target.read_bytes() == OLD


@pytest.mark.fault(171)
def test_in_its_tls_handshake(secure: FaultServer, target: Path) -> None:
    secure.on_accept(hold)
    with remote_for() as remote:
        download = Download(secure.url("/f"), target, remote=remote)
        with running(download) as future:
            secure.wait_for(lambda: secure.held == 1)
            cancels(download, future)
        secure.wait_for(lambda: secure.open == 0)


@pytest.mark.fault(171)
@pytest.mark.parametrize(
    "answer",
    [stalled_before_head(), stalled_in_head(), steps(head(103), hold)],
    ids=["nothing", "half", "interim"],
)
def test_while_it_waits_for_the_head(either: FaultServer, target: Path, answer: Script) -> None:
    either.default(answer)
    with remote_for() as remote:
        download = Download(either.url("/f"), target, remote=remote)
        with running(download) as future:
            either.wait_for(lambda: either.held == 1)
            cancels(download, future)
        either.wait_for(lambda: either.open == 0)


@pytest.mark.fault(171)
def test_while_it_waits_behind_a_redirect(either: FaultServer, target: Path) -> None:
    either.on("/a", redirect("/b"))
    either.on("/b", hold)
    with remote_for() as remote:
        download = Download(either.url("/a"), target, remote=remote)
        with running(download) as future:
            either.wait_for(lambda: either.held == 1)
            cancels(download, future)


CHUNKED = {"Transfer-Encoding": "chunked"}
READING = [
    pytest.param(stalled_body(BODY, sent=5000), id="length"),
    pytest.param(steps(head(200, CHUNKED), send(chunk(BODY)), hold), id="chunked"),
    pytest.param(steps(head(200, CHUNKED), send(b"ff\r\n" + BODY[:5]), hold), id="in-a-chunk"),
    pytest.param(steps(head(200), send(BODY), hold), id="until-close"),
    pytest.param(endless_trickle(every=0.01), id="trickle"),
    pytest.param(endless_body(), id="endless"),
]


@pytest.mark.fault(171, 172)
@pytest.mark.parametrize("answer", READING)
def test_while_it_reads_and_never_takes_that_for_the_end_of_the_file(
    either: FaultServer, target: Path, answer: Script
) -> None:
    either.default(answer)
    heard = Heard(Progressed)
    with remote_for() as remote:
        download = Download(either.url("/f"), target, remote=remote)
        with running(download, heard) as future:
            heard.wait()
            cancels(download, future)
        either.wait_for(lambda: either.open == 0)


@pytest.mark.fault(172)
@pytest.mark.parametrize("answer", READING[:4])
def test_a_reader_of_a_stream_hears_that_it_was_cancelled(
    either: FaultServer, answer: Script
) -> None:
    either.default(answer)
    with (
        remote_for() as remote,
        Download(either.url("/f"), remote=remote).iter_content() as content,
        ThreadPoolExecutor(1) as pool,
    ):
        assert next(content)
        rest = pool.submit(list, content)
        started = time.monotonic()
        assert content.cancel()
        with pytest.raises(Cancelled):
            rest.result(SOON)
        assert time.monotonic() - started < AT_ONCE
        assert not content.is_verified
        assert not content.cancel()


@pytest.mark.fault(172)
@pytest.mark.parametrize("answer", READING[:4])
def test_a_reader_of_a_stream_hears_that_it_was_closed_by_another_thread(
    either: FaultServer, answer: Script
) -> None:
    either.default(answer)
    with (
        remote_for() as remote,
        Download(either.url("/f"), remote=remote).iter_content() as content,
        ThreadPoolExecutor(1) as pool,
    ):
        assert next(content)
        rest = pool.submit(list, content)
        content.close()
        with pytest.raises(Cancelled):
            rest.result(SOON)
        assert not content.is_verified


@pytest.mark.fault(172)
def test_closing_the_remote_cancels_what_uses_it(either: FaultServer, target: Path) -> None:
    either.default(READING[3].values[0])
    heard = Heard(Progressed)
    remote = remote_for()
    download = Download(either.url("/f"), target, remote=remote)
    with running(download, heard) as future:
        heard.wait()
        started = time.monotonic()
        remote.close()
        with pytest.raises(Cancelled, match="remote was closed"):
            future.result(SOON)
        assert time.monotonic() - started < AT_ONCE
    assert target.read_bytes() == OLD


@pytest.mark.fault(51, 171)
@pytest.mark.parametrize(
    "answer",
    [reply(503, headers={"Retry-After": "60"}), reply(429, headers={"Retry-After": "60"})],
)
def test_while_it_waits_for_another_try(server: FaultServer, target: Path, answer: Script) -> None:
    server.default(answer)
    heard = Heard(TryFailed)
    with remote_for(max_retries=9) as remote:
        download = Download(server.url("/f"), target, remote=remote)
        with running(download, heard) as future:
            heard.wait()
            cancels(download, future)
    assert len(server.requests) == 1


@pytest.mark.fault(171)
def test_while_it_waits_for_another_try_in_a_batch(server: FaultServer, target: Path) -> None:
    server.default(reply(503, headers={"Retry-After": "60"}))
    heard = Heard(TryFailed)
    with remote_for(max_retries=9) as remote:
        download = Download(server.url("/f"), target, remote=remote)
        with first_of([download], heard) as first:
            heard.wait()
            started = time.monotonic()
            assert download.cancel()
            assert isinstance(first(), Cancelled)
            assert time.monotonic() - started < AT_ONCE
    assert target.read_bytes() == OLD


@pytest.mark.fault(171)
@pytest.mark.parametrize("soon", [True, False])
def test_while_it_is_queued_in_a_batch(server: FaultServer, target: Path, soon: bool) -> None:
    server.default(stalled_body(BODY))
    queued = threading.Event()
    with remote_for() as remote:
        busy = Download(server.url("/busy"), target.with_name("busy"), remote=remote)
        download = Download(server.url("/f"), target, remote=remote)

        def downloads() -> Iterator[Download]:
            yield busy
            yield download
            queued.set()

        with first_of(downloads()) as first:
            assert queued.wait(SOON)
            server.wait_for(lambda: server.held == 1)
            assert download.cancel()
            if not soon:  # its outcome may wait for a worker; what is cancelled is not fetched
                busy.cancel()
                assert isinstance(first(), Cancelled)
            assert isinstance(first(), Cancelled)
    assert server.requests_to("/f") == []
    assert target.read_bytes() == OLD


class first_of:
    """A batch of one worker whose results are waited for in a thread of their own."""

    def __init__(self, downloads: Any, observer: Any = None) -> None:
        self._batch = Batch(downloads, concurrency=1, observer=observer)
        self._pool = ThreadPoolExecutor(1)

    def __enter__(self) -> Callable[[], BaseException | None]:
        results = iter(self._batch)
        waiting = self._pool.submit(next, results)

        def first() -> BaseException | None:
            nonlocal waiting
            future: Any = waiting.result(SOON)
            waiting = self._pool.submit(next, results, None)
            error: BaseException | None = future.exception()
            return error

        return first

    def __exit__(self, *_: object) -> None:
        self._batch.close()
        self._pool.shutdown()


@pytest.mark.fault(171)
def test_what_is_over_cannot_be_cancelled_and_is_not_harmed(
    server: FaultServer, target: Path
) -> None:
    server.on("/good", reply(200, BODY))
    with remote_for() as remote:
        good = Download(server.url("/good"), target, remote=remote)
        bad = Download(server.url("/bad"), target.with_name("bad"), remote=remote)
        for download in (good, bad):
            assert not download.cancel()
        good.run()
        with pytest.raises(TransferError):
            bad.run()
        for download in (good, bad):
            assert not download.cancel()
        assert target.read_bytes() == BODY


@pytest.mark.fault(171)
def test_a_cancelled_download_can_be_run_again(server: FaultServer, target: Path) -> None:
    server.default([hold, reply(200, BODY)])
    with remote_for() as remote:
        download = Download(server.url("/f"), target, remote=remote)
        with running(download) as future:
            server.wait_for(lambda: server.held == 1)
            cancels(download, future)
        assert download.run().size == len(BODY)


@pytest.mark.fault(171)
def test_cancelling_one_leaves_the_others_alone(server: FaultServer, target: Path) -> None:
    gate = server.gate()
    server.default(steps(gate, reply(200, BODY)))
    with remote_for() as remote:
        one = Download(server.url("/1"), target.with_name("1"), remote=remote)
        other = Download(server.url("/2"), target, remote=remote)
        with running(one) as stopped, running(other) as going_on:
            gate.wait_for(2)
            cancels(one, stopped)
            gate.open()
            assert going_on.result(SOON).size == len(BODY)


@pytest.mark.fault(171)
def test_cancelled_at_any_moment_a_run_has_one_outcome_and_leaves_nothing(
    either: FaultServer, absent: Path
) -> None:
    either.default(steps(head(200, {"Content-Length": "400000"}), send(bytes(400_000))))
    outcomes = set()
    with remote_for() as remote:
        for step in range(40):
            download = Download(either.url("/f"), absent, remote=remote)
            with running(download) as future:
                time.sleep(step * 0.0003)  # another moment each time, none of them meant
                download.cancel()
                try:
                    future.result(SOON)
                except Cancelled:
                    outcomes.add("cancelled")
                    assert os.listdir(absent.parent) == []
                else:
                    outcomes.add("downloaded")
                    assert absent.stat().st_size == 400_000
                    absent.unlink()
    assert outcomes


FAILING: list[Script] = [
    truncated(BODY, sent=5000),
    cut_response(20),
    reply(404, BODY),
    chunked([chunk(BODY, size_line=b"-5")]),
    endless_body(),
    redirect("file:///etc/passwd"),
    surplus(BODY, after=reply(200, BODY[:5])),
]


def open_things() -> set[int]:
    """What holds a connection: those of this process, which other tests' reports may keep."""
    gc.collect()
    kinds = (Wire, requests.Response)
    return {id(thing) for thing in gc.get_objects() if isinstance(thing, kinds)}


@pytest.mark.fault(180)
def test_kept_errors_of_a_batch_keep_nothing_else(either: FaultServer, tmp_path: Path) -> None:
    before = open_things()
    for number in range(49):
        either.on(f"/{number}", FAILING[number % len(FAILING)])
    with remote_for(max_size=3) as remote:
        downloads = (
            Download(either.url(f"/{number}"), tmp_path / str(number), remote=remote)
            for number in range(49)
        )
        with Batch(downloads) as batch:
            kept = [future.exception() for future in batch]
    assert len(kept) == 49
    for error in kept:
        assert isinstance(error, DownloadError)
        assert error.__traceback__ is error.__context__ is error.__cause__ is None
        assert str(pickle.loads(pickle.dumps(error))) == str(error)
    either.wait_for(lambda: either.open == 0)
    assert open_things() <= before


@pytest.mark.fault(180)
def test_kept_errors_of_single_runs_keep_no_connection(either: FaultServer, target: Path) -> None:
    either.default(FAILING)
    kept = []
    with remote_for(max_size=3) as remote:
        for _ in FAILING:
            with pytest.raises(DownloadError) as caught:
                Download(either.url("/f"), target, remote=remote).run()
            kept.append(caught.value)
    either.wait_for(lambda: either.open == 0)
    assert len(kept) == len(FAILING)
    assert target.read_bytes() == OLD
