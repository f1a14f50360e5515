"""Stops, closes and failures that fall between two steps: nothing is lost, nothing is left."""

import errno
import gc
import os
import signal
import threading
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import SimpleQueue
from types import FrameType

import pytest

from pulp_download import (
    Batch,
    Cancelled,
    ConnectionFailed,
    Download,
    FileWriter,
    Finished,
    MemoryWriter,
    Remote,
    SizeValidation,
    TimedOut,
    TooSlow,
    Truncated,
    TryFailed,
    WriteError,
)
from pulp_download.adapters.http import HttpAdapter
from pulp_download.events import Event
from pulp_download.mirrors.mirror import Mirrors
from pulp_download.validations import Chunk
from pulp_download.watch import Watch
from pulp_download.watchdog import watchdog
from pulp_download.writers import MemorySink
from tests.functional.upstream import expectations
from tests.servers import FaultServer, head, hold, reply, stalled_body, steps, truncated

BODY = bytes(1000)


@contextmanager
def interrupting() -> Iterator[None]:
    """Have an alarm's signal raise KeyboardInterrupt."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGALRM, before)


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server


@pytest.mark.fault(171)
def test_a_cancel_between_a_time_out_and_the_next_try_ends_the_run(
    server: FaultServer, tmp_path: Path
) -> None:
    server.default(stalled_body(BODY, sent=10))
    answers: list[bool] = []

    def observer(event: Event) -> None:
        if isinstance(event, TryFailed) and event.failed.type == TimedOut.__name__:
            answers.append(event.download.cancel())

    with Remote(sock_read_timeout=0.2, max_retries=5) as remote, pytest.raises(Cancelled):
        Download(server.url("/a"), tmp_path / "a", remote=remote).run(observer=observer)
    assert answers == [True]
    assert len(server.requests) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.fault(173)
def test_a_batch_closed_between_two_tries_leaves_nothing(
    server: FaultServer, tmp_path: Path
) -> None:
    server.default(truncated(BODY, sent=10))
    batches: list[Batch] = []

    def observer(event: Event) -> None:
        if isinstance(event, TryFailed):
            batches[0].close()

    download = Download(server.url("/a"), tmp_path / "a")
    batches.append(Batch([download], concurrency=1, observer=observer))
    with pytest.raises(Cancelled):
        list(batches[0])
    assert not download.cancel()  # nothing is left to stop
    assert list(tmp_path.iterdir()) == []


@pytest.mark.fault(189)
def test_an_exception_out_of_a_signals_handler_ends_a_waiting_run(
    server: FaultServer, tmp_path: Path
) -> None:
    server.default(reply(503, headers={"Retry-After": "100"}))
    download = Download(server.url("/a"), tmp_path / "a")

    def soon() -> None:
        server.wait_for_requests(1)
        signal.setitimer(signal.ITIMER_REAL, 0.3)

    thread = threading.Thread(target=soon)
    thread.start()
    with interrupting(), pytest.raises(KeyboardInterrupt):
        download.run()
    thread.join()
    assert not download.cancel()  # nothing is left to stop


@pytest.mark.fault(189)
def test_a_reader_who_is_interrupted_while_the_rest_is_awaited_hears_of_one_end(
    server: FaultServer,
) -> None:
    broken = truncated(BODY, sent=500, headers={"ETag": '"one"', "Accept-Ranges": "bytes"})
    server.on("/a", [broken, reply(503, headers={"Retry-After": "100"})])
    told: list[Event] = []

    def hear(event: Event) -> None:
        told.append(event)
        if isinstance(event, TryFailed) and len(server.requests) == 2:
            signal.setitimer(signal.ITIMER_REAL, 0.1)

    with (
        interrupting(),
        Download(server.url("/a")).iter_content(observer=hear, resume=True) as content,
        pytest.raises(KeyboardInterrupt),
    ):
        b"".join(content)
    assert [type(event) for event in told].count(Finished) == 1


def test_a_close_that_was_interrupted_can_be_done_again(
    server: FaultServer, tmp_path: Path
) -> None:
    class Sink(MemorySink):
        def __exit__(self, *exception: object) -> None:
            if not interrupted:
                interrupted.append(True)
                raise KeyboardInterrupt

    interrupted: list[bool] = []
    server.default(reply(503, headers={"Retry-After": "100"}))
    told: SimpleQueue[Event] = SimpleQueue()

    def hear(event: Event) -> None:
        if isinstance(event, TryFailed):
            told.put(event)

    downloads = [Download(server.url("/a"), Into(Sink(lambda value: None))) for _ in range(3)]
    batch = Batch(downloads, observer=hear)
    with ThreadPoolExecutor(1) as consumer:
        results = consumer.submit(list, batch)
        for _ in downloads:
            told.get(timeout=20)
        with pytest.raises(KeyboardInterrupt):
            batch.close()
        batch.close()
        with pytest.raises(Cancelled):
            results.result(20)
    assert not any(download.cancel() for download in downloads)


@pytest.mark.fault(136)
def test_a_batch_goes_on_with_the_threads_that_there_are(
    server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.default(reply(200, b"x"))
    start, started = threading.Thread.start, []

    def start_two(thread: threading.Thread) -> None:
        if thread.name.startswith("pulp-download"):
            if len(started) == 2:
                raise RuntimeError("can't start new thread")
            started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_two)
    downloads = [Download(server.url(f"/{number}"), MemoryWriter()) for number in range(40)]
    with Batch(downloads, concurrency=8) as batch:
        assert [result.result().size for result in batch] == [1] * 40
    assert len(started) == 2


def test_a_remote_closed_under_a_run_cancels_it(server: FaultServer) -> None:
    remote = Remote()

    class Closing(MemoryWriter):
        def open(self):  # type: ignore[no-untyped-def]
            remote.close()
            return super().open()

    with pytest.raises(Cancelled):
        Download(server.url("/a"), Closing(), remote=remote).run()


def test_a_connection_that_comes_back_while_its_pool_is_closed_is_closed_too(
    server: FaultServer,
) -> None:
    class Closing(list[object]):
        def append(self, connection: object) -> None:
            remote.close()  # as another thread might, just now
            super().append(connection)

    server.default(reply(200, BODY))
    remote = Remote()
    Download(server.url("/a"), MemoryWriter(), remote=remote).run()
    adapter = remote.session.get_adapter(server.url())
    assert isinstance(adapter, HttpAdapter)
    ((pool, _),) = adapter._direct.values()
    assert pool.pool is not None
    pool.pool.queue = Closing(pool.pool.queue)
    with suppress(Cancelled):
        Download(server.url("/a"), MemoryWriter(), remote=remote).run()
    assert server.requests[1].connection == 1
    server.wait_for(lambda: server.open == 0)


def test_a_connection_that_could_not_be_made_keeps_no_download(server: FaultServer) -> None:
    class Attachment:
        pass

    url = server.url("/a")
    server.close()
    with Remote(max_retries=0) as remote:
        attachment = Attachment()
        kept = weakref.ref(attachment)
        download = Download(url, MemoryWriter(), remote=remote, attachment=attachment)
        with pytest.raises(ConnectionFailed):
            download.run()
        del download, attachment
        gc.collect()
        assert kept() is None


@pytest.mark.fault(112)
def test_no_descriptor_for_the_lock_of_a_file_leaves_the_file_itself_closed(
    server: FaultServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(descriptor: int) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    server.default(reply(200, BODY))
    monkeypatch.setattr(os, "dup", refuse)
    with pytest.raises(WriteError, match="Too many open files"):
        Download(server.url("/a"), FileWriter(tmp_path / "a", keep=True)).run()
    assert list(tmp_path.iterdir()) == []


def test_a_try_that_is_stopped_while_it_waits_for_its_host_is_no_more_than_a_try(
    server: FaultServer,
) -> None:
    server.default(reply(200, BODY))
    server.on("/open", steps(head(200, {"Content-Length": "3"}), hold))
    with Remote(per_host=1) as remote, ThreadPoolExecutor(1) as consumer:
        content = Download(server.url("/open"), remote=remote).iter_content()
        places = [server.url("/a"), server.url("/b")]
        download = Download(Mirrors(places), MemoryWriter(), remote=remote)
        with Batch([download]) as batch:
            results = consumer.submit(list, batch)
            while not remote.hosts._waiting:
                pass
            (watch,) = (watch for watch in tuple(watchdog._watches) if download in watch.owners)
            assert isinstance(watch, Watch)
            watch.stop(TooSlow(1, 9))
            content.close()
            (future,) = results.result(20)
    assert [failed.type for failed in future.result().attempts] == ["TooSlow"]


def test_what_interrupts_the_end_of_a_run_leaves_its_place_to_others(
    server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*facts: object) -> None:
        raise KeyboardInterrupt

    server.default(reply(200, BODY))
    with Remote(per_host=1, total_timeout=20) as remote:
        with monkeypatch.context() as moment:
            moment.setattr("pulp_download.run.result_of", interrupt)
            with pytest.raises(KeyboardInterrupt):
                Download(server.url("/a"), MemoryWriter(), remote=remote).run()
        assert not watchdog._watches
        assert Download(server.url("/b"), MemoryWriter(), remote=remote).run().size == len(BODY)


class Into(MemoryWriter):
    """Writes into this sink."""

    def __init__(self, sink: MemorySink):
        super().__init__()
        self._sink = sink

    def open(self) -> MemorySink:
        return self._sink


def test_an_answer_that_is_stopped_before_it_is_shared_is_let_go_of(server: FaultServer) -> None:
    class Stopping(MemorySink):
        def write(self, chunk: Chunk) -> None:
            assert download.cancel()  # the first write makes room, before a helper is started

    body = bytes(2_000_000)
    server.default(reply(200, body))
    with Remote(segments=4, segments_from=1_000_000) as remote:
        writer = Into(Stopping(lambda value: None))
        download = Download(server.url("/a"), writer, remote=remote, validations=expectations(body))
        with pytest.raises(Cancelled):
            download.run()


def test_an_answer_that_nothing_can_be_written_of_is_let_go_of(server: FaultServer) -> None:
    class Stuck(MemorySink):
        def restart(self) -> None:
            raise WriteError("stuck")

    server.default(truncated(BODY, sent=10))
    with Remote(max_retries=5) as remote, pytest.raises(WriteError):
        Download(server.url("/a"), Into(Stuck(lambda value: None)), remote=remote).run()
    assert len(server.requests) == 2


def test_a_host_of_ones_own_is_the_only_one(server: FaultServer) -> None:
    server.default(reply(200, b"x"))
    with Remote() as remote:
        remote.session.headers["Host"] = "other.test"
        Download(server.url("/a"), MemoryWriter(), remote=remote).run()
    assert server.requests[0].headers.all("host") == ["other.test"]


@pytest.mark.parametrize(
    "headers", [{"If-None-Match": '"日"'}, {"Range": 5}, {"If-Range": " x"}, [5], {"Accept": "x"}]
)
def test_conditions_that_cannot_be_sent_are_refused(server: FaultServer, headers: object) -> None:
    with pytest.raises(ValueError):
        Download(server.url("/a")).iter_content(headers=headers)  # type: ignore[arg-type]
    assert server.requests == []


@pytest.mark.parametrize(
    "arguments",
    [
        {"source": 5},
        {"source": b"http://host/a"},
        {"writer": 5},
        {"remote": "http://proxy"},
        {"validations": SizeValidation(3)},
        {"validations": [5]},
    ],
    ids=str,
)
def test_arguments_of_the_wrong_type_are_told_at_once(arguments: dict[str, object]) -> None:
    with pytest.raises(TypeError):
        Download(**{"source": "http://host/a", **arguments})  # type: ignore[arg-type]


def test_reading_on_after_a_failure_raises_it_again(server: FaultServer) -> None:
    server.default(truncated(BODY, sent=10))
    with Download(server.url("/a")).iter_content() as content:
        with pytest.raises(Truncated):
            list(content)
        with pytest.raises(Truncated):
            next(content)
