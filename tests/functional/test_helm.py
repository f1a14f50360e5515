"""Nobody waits at the helm: what an upstream, a writer or an observer holds up is its own affair.

Downloads over idle connections are begun at the helm, so that these stories first leave some.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

import pytest

from pulp_download import (
    Batch,
    Cancelled,
    Download,
    DownloadFuture,
    Finished,
    MemoryWriter,
    Progressed,
    Remote,
    Started,
    TryFailed,
)
from pulp_download.events import Event
from pulp_download.validations import Chunk
from pulp_download.watchdog import watchdog
from pulp_download.writers import MemorySink
from tests.functional.fetch import AT_ONCE, SOON, remote_for
from tests.functional.upstream import body_of, downloads_of, publish
from tests.servers import (
    Conversation,
    FaultServer,
    Gate,
    Request,
    Script,
    drip,
    head_bytes,
    interim,
    reply,
    response_bytes,
    send,
    steps,
)

FAR = 1000.0  # seconds, of which no test sees the end
OTHERS = 20
BODY = bytes(10)
WHOLE = response_bytes(200, BODY)
CHUNKED = head_bytes(200, {"Transfer-Encoding": "chunked"}) + b"a\r\n" + BODY + b"\r\n0\r\n\r\n"


@pytest.fixture
def remote() -> Iterator[Remote]:
    """A remote whose time limits end a story that hangs."""
    with remote_for(sock_read_timeout=SOON, per_host=16) as remote:
        yield remote


@pytest.fixture
def no_relief(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the helm taken from nobody: who would wait must have given it up before."""
    monkeypatch.setattr("pulp_download.helm._PATIENCE", FAR)


def leave_idle(server: FaultServer, remote: Remote, count: int) -> None:
    """Leave this many connections behind on which nothing is asked."""
    gate = server.gate()
    server.on("/idle", steps(gate, reply(200, b"x")))
    with ThreadPoolExecutor(count) as pool:
        runs = [pool.submit(fetching(server, "/idle", remote).run) for _ in range(count)]
        gate.wait_for(count)
        gate.open()
        for run in runs:
            run.result(SOON)
    assert server.open == count


def fetching(server: FaultServer, path: str, remote: Remote) -> Download:
    return Download(server.url(path), MemoryWriter(), remote=remote, attachment=path)


def others(server: FaultServer, remote: Remote) -> Iterator[Download]:
    publish(server, OTHERS)
    return downloads_of(server, range(OTHERS), remote)


def the_others_come(results: Iterator[DownloadFuture]) -> None:
    """Take what must not have been held up, each right and each once."""
    come = [next(results) for _ in range(OTHERS)]
    assert sorted(future.result().download.attachment for future in come) == list(range(OTHERS))
    for future in come:
        assert isinstance(future.download.writer, MemoryWriter)
        assert future.download.writer.getvalue() == body_of(future.download.attachment)


# What an upstream holds back.


@pytest.mark.need("I2")
@pytest.mark.parametrize(
    ("answer", "at"),
    [
        pytest.param(WHOLE, 0, id="everything"),
        pytest.param(WHOLE, 1, id="all but a byte"),
        pytest.param(WHOLE, 12, id="half a status line"),
        pytest.param(WHOLE, len(WHOLE) - len(BODY) - 1, id="the last byte of the head"),
        pytest.param(WHOLE, len(WHOLE) - len(BODY), id="the body"),
        pytest.param(WHOLE, len(WHOLE) - 1, id="the last byte of the body"),
        pytest.param(CHUNKED, len(CHUNKED) - 20, id="half a chunk size"),
        pytest.param(CHUNKED, len(CHUNKED) - 10, id="half a chunk"),
        pytest.param(CHUNKED, len(CHUNKED) - 1, id="the end of the last chunk"),
    ],
)
def test_what_trickles_in_and_then_stalls_holds_up_nobody_else(
    either: FaultServer, remote: Remote, no_relief: None, answer: bytes, at: int
) -> None:
    gate = either.gate()
    trickle = drip(answer[:at], every=0.001)
    either.on("/slow", steps(trickle, gate, send(answer[at:])))
    leave_idle(either, remote, 2)
    slow = fetching(either, "/slow", remote)
    with Batch([slow, *others(either, remote)], concurrency=2) as batch:
        results = iter(batch)
        the_others_come(results)
        gate.wait_for(1)
        gate.open()
        assert next(results).result().download is slow
    assert slow.writer.getvalue() == BODY


def late_final_answer(gate: Gate) -> Script:
    return interim(103, steps(gate, reply(200, BODY)))


def late_body_of_a_redirect(gate: Gate) -> Script:
    fields = {"Location": "/0", "Content-Length": "10"}
    return steps(send(head_bytes(302, fields)), gate, send(BODY))


def late_body_of_an_error(gate: Gate) -> Script:
    return steps(send(head_bytes(404, {"Content-Length": "10"}) + BODY[:5]), gate, send(BODY[5:]))


@pytest.mark.need("I2")
@pytest.mark.parametrize(
    "script", [late_final_answer, late_body_of_a_redirect, late_body_of_an_error]
)
def test_what_comes_before_or_instead_of_the_file_holds_up_nobody_else(
    either: FaultServer, remote: Remote, script: Callable[[Gate], Script]
) -> None:
    gate = either.gate()
    either.on("/slow", script(gate))
    leave_idle(either, remote, 4)
    slow = [fetching(either, "/slow", remote) for _ in range(3)]
    with Batch([*slow, *others(either, remote)], concurrency=4) as batch:
        results = iter(batch)
        missing: set[object] = set(range(OTHERS))
        while missing:
            missing.discard(next(results).download.attachment)
        gate.open()
        ended = len(list(results))
    assert ended <= len(slow)


# What a user's code does at the helm.


class Held(MemoryWriter):
    """Blocks at one moment of its run until it is let go."""

    def __init__(self, moment: str) -> None:
        super().__init__()
        self._moment = moment
        self._let_go = threading.Event()

    def let_go(self) -> None:
        self._let_go.set()

    def at(self, moment: str) -> None:
        if moment == self._moment:
            assert self._let_go.wait(SOON), "held too long"

    def open(self) -> MemorySink:
        self.at("open")
        return HeldSink(self)


class HeldSink(MemorySink):
    def __init__(self, writer: Held) -> None:
        super().__init__(writer._commit)
        self._writer = writer

    def write(self, chunk: Chunk) -> None:
        self._writer.at("write")
        super().write(chunk)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._writer.at("commit")
        super().__exit__(kind, error, traceback)


@pytest.mark.need("I2")
@pytest.mark.parametrize("moment", ["open", "write", "commit"])
def test_writers_that_block_hold_up_nobody_else(
    server: FaultServer, remote: Remote, moment: str
) -> None:
    server.on("/held", reply(200, BODY))
    leave_idle(server, remote, 3)
    writers = [Held(moment), Held(moment)]
    held = [Download(server.url("/held"), writer, remote=remote) for writer in writers]
    with Batch([*held, *others(server, remote)], concurrency=3) as batch:
        results = iter(batch)
        the_others_come(results)
        for writer in writers:
            writer.let_go()
        assert {next(results).result().download for _ in held} == set(held)
    assert [writer.getvalue() for writer in writers] == [BODY, BODY]


@pytest.mark.need("I2")
@pytest.mark.parametrize("kind", [Started, Progressed, Finished])
def test_an_observer_that_blocks_holds_up_nobody_else(
    server: FaultServer, remote: Remote, kind: type[Event]
) -> None:
    server.on("/held", reply(200, BODY))
    leave_idle(server, remote, 2)
    held = fetching(server, "/held", remote)
    let_go = threading.Event()
    waited: list[bool] = []

    def observer(event: Event) -> None:
        if isinstance(event, kind) and event.download is held:
            waited.append(let_go.wait(SOON))

    with Batch([held, *others(server, remote)], concurrency=2, observer=observer) as batch:
        results = iter(batch)
        the_others_come(results)
        let_go.set()
        assert next(results).result().download is held
    assert waited == [True]


# What is done is handed over.


@pytest.mark.need("I4")
def test_what_is_done_while_the_iterable_blocks_is_handed_over_before_what_it_gives_then(
    server: FaultServer, remote: Remote
) -> None:
    gate = server.gate()
    server.on("/held", steps(gate, reply(200, BODY)))
    publish(server, 5)
    leave_idle(server, remote, 6)
    over = threading.Semaphore(0)

    def downloads() -> Iterator[Download]:
        yield from downloads_of(server, range(5), remote)
        for _ in range(5):
            assert over.acquire(timeout=SOON)
        yield fetching(server, "/held", remote)

    def observer(event: Event) -> None:
        if isinstance(event, Finished):
            over.release()

    with Batch(downloads(), concurrency=6, observer=observer) as batch:
        results = iter(batch)
        assert {next(results).result().download.attachment for _ in range(5)} == set(range(5))
        gate.wait_for(1)
        gate.open()
        assert next(results).result().download.attachment == "/held"
        assert list(results) == []


@pytest.mark.need("I4")
def test_what_is_done_is_handed_over_while_the_only_worker_is_stuck_in_the_next_one(
    server: FaultServer, remote: Remote
) -> None:
    gate = server.gate()
    server.on("/done", steps(gate, reply(200, BODY)))
    server.on("/held", reply(200, BODY))
    leave_idle(server, remote, 1)
    done, writer = fetching(server, "/done", remote), Held("open")

    def downloads() -> Iterator[Download]:
        yield done
        yield Download(server.url("/held"), writer, remote=remote)
        gate.open()  # only now, so that the next one is there when this one is done

    with Batch(downloads(), concurrency=1) as batch:
        results = iter(batch)
        assert next(results).result().download is done
        writer.let_go()
        assert next(results).result().download.writer is writer


# How many are under way.


class Counting:
    """Counts the requests that have come and not been answered."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._lock = threading.Lock()
        self._open = self.peak = 0

    def __call__(self, conn: Conversation, request: Request) -> None:
        with self._lock:
            self._open += 1
            self.peak = max(self.peak, self._open)
        self._gate(conn, request)
        with self._lock:  # before the client can know, and ask again
            self._open -= 1
        reply(200, BODY)(conn, request)


@pytest.mark.need("I9")
@pytest.mark.parametrize("idle", [8, 16], ids=["8 idle", "16 idle"])
def test_of_sixteen_downloads_eight_are_under_way_at_once(
    server: FaultServer, remote: Remote, idle: int
) -> None:
    gate = server.gate()
    counting = Counting(gate)
    server.default(counting)
    leave_idle(server, remote, idle)
    downloads = (fetching(server, f"/{number}", remote) for number in range(16))
    with Batch(downloads, concurrency=8, window=16) as batch, ThreadPoolExecutor(1) as consumer:
        come = consumer.submit(list, batch)
        gate.wait_for(8)
        with pytest.raises(TimeoutError):
            gate.wait_for(9, timeout=0.2)
        for answered in range(16):
            gate.let()
            left = 16 - answered - 1
            server.wait_for(lambda left=left: gate.waiting == min(8, left))  # type: ignore[misc]
        assert [future.result().size for future in come.result(SOON)] == [len(BODY)] * 16
    assert counting.peak == 8
    assert server.accepted == idle


# Stops, while answers are awaited.


class Awaiting:
    """A batch over idle connections, none of whose six answers comes before its gate is opened."""

    count = 6

    def __init__(self, server: FaultServer, remote: Remote) -> None:
        leave_idle(server, remote, self.count)
        self.gate = server.gate()
        server.on("/awaited", steps(self.gate, reply(200, BODY)))
        self.downloads = [fetching(server, "/awaited", remote) for _ in range(self.count)]
        self.batch = Batch(self.downloads, concurrency=self.count)
        self._consumer = ThreadPoolExecutor(1)

    def __enter__(self) -> Future[DownloadFuture]:
        """Return the first result that comes, when all answers are awaited."""
        self.results = iter(self.batch)
        first = self._consumer.submit(next, self.results)
        self.gate.wait_for(self.count)
        return first

    def __exit__(self, *_: object) -> None:
        self.batch.close()
        self._consumer.shutdown()


def nothing_is_watched_any_more() -> bool:
    """Tell whether the watchdog went home, which it does when there is nothing to look at."""
    return not [thread for thread in threading.enumerate() if thread.name.startswith("pulp-")]


@pytest.fixture
def awaiting(either: FaultServer, remote: Remote) -> Awaiting:
    return Awaiting(either, remote)


@pytest.mark.fault(171)
def test_a_download_whose_answer_is_awaited_is_cancelled_at_once_and_alone(
    awaiting: Awaiting, either: FaultServer
) -> None:
    one = awaiting.downloads[3]
    with awaiting as first:
        assert one.cancel()
        cancelled = first.result(AT_ONCE)
        assert cancelled.download is one
        assert isinstance(cancelled.exception(), Cancelled)
        assert not one.cancel()
        either.wait_for(lambda: awaiting.gate.waiting == awaiting.count - 1)
        awaiting.gate.open()
        assert [future.result().size for future in awaiting.results] == [len(BODY)] * 5
    assert nothing_is_watched_any_more()


@pytest.mark.need("I10")
@pytest.mark.fault(173)
def test_a_batch_is_closed_at_once_while_answers_are_awaited_and_leaves_no_watch(
    awaiting: Awaiting, either: FaultServer
) -> None:
    with awaiting as first:
        began = time.monotonic()
        awaiting.batch.close()
        with pytest.raises(Cancelled):
            first.result(AT_ONCE)
        assert time.monotonic() - began < AT_ONCE
        assert nothing_is_watched_any_more()
        assert not any(download.cancel() for download in awaiting.downloads)
        either.wait_for(lambda: awaiting.gate.waiting == 0)


@pytest.mark.fault(173)
def test_a_remote_is_closed_while_answers_are_awaited_and_each_is_told(
    awaiting: Awaiting, remote: Remote, either: FaultServer
) -> None:
    with awaiting as first:
        began = time.monotonic()
        remote.close()
        futures = [first.result(AT_ONCE), *awaiting.results]
        assert time.monotonic() - began < AT_ONCE
        errors = [future.exception() for future in futures]
        assert [type(error) for error in errors] == [Cancelled] * awaiting.count
        assert all("remote was closed" in str(error) for error in errors)
        either.wait_for(lambda: awaiting.gate.waiting == 0)
    assert nothing_is_watched_any_more()


@pytest.mark.fault(166)
@pytest.mark.fault(173)
def test_an_observer_closes_the_batch_at_the_helm_while_answers_are_awaited(
    server: FaultServer, remote: Remote
) -> None:
    gate, last = server.gate(), server.gate()
    server.on("/awaited", steps(gate, reply(200, BODY)))
    server.on("/last", steps(last, reply(200, BODY)))
    leave_idle(server, remote, 6)
    batches: list[Batch] = []

    def observer(event: Event) -> None:
        if isinstance(event, Finished) and event.download.attachment == "/last":
            batches[0].close()

    paths = ["/awaited"] * 5 + ["/last"]
    downloads = [fetching(server, path, remote) for path in paths]
    batches.append(Batch(downloads, concurrency=6, observer=observer))
    with ThreadPoolExecutor(1) as consumer:
        come = consumer.submit(list, batches[0])
        gate.wait_for(5)
        last.open()
        with pytest.raises(Cancelled):
            come.result(SOON)
    assert nothing_is_watched_any_more()
    server.wait_for(lambda: gate.waiting == 0)


@pytest.mark.fault(171)
def test_one_that_waits_for_a_worker_after_its_pause_is_cancelled_at_once(
    server: FaultServer, remote: Remote
) -> None:
    gate = server.gate()
    server.on("/busy", reply(503))
    server.on("/held", steps(gate, reply(200, BODY)))
    pauses: list[float] = []

    def observer(event: Event) -> None:
        if isinstance(event, TryFailed) and event.wait is not None:
            pauses.append(event.wait)

    with remote_for(max_retries=1) as patient:
        busy = fetching(server, "/busy", patient)
        downloads = [busy, fetching(server, "/held", remote)]
        batch = Batch(downloads, concurrency=1, observer=observer)
        with batch, ThreadPoolExecutor(1) as consumer:
            results = iter(batch)
            first = consumer.submit(next, results)
            gate.wait_for(1)  # by the only worker; that one had its first try
            over = threading.Event()
            watchdog.call_at(time.monotonic() + pauses[0], over.set)  # after its own timer
            assert over.wait(SOON)
            assert busy.cancel()
            cancelled = first.result(AT_ONCE)
            assert cancelled.download is busy
            assert isinstance(cancelled.exception(), Cancelled)
            gate.open()
            assert next(results).result().size == len(BODY)
    assert len(server.requests_to("/busy")) == 1


# What waiting costs.


def test_a_batch_that_waits_uses_hardly_any_processor_time(
    server: FaultServer, remote: Remote
) -> None:
    awaiting = Awaiting(server, remote)
    with awaiting:
        began, used = time.monotonic(), time.process_time()
        with pytest.raises(TimeoutError):
            awaiting.gate.wait_for(awaiting.count + 1, timeout=0.5)
        assert time.process_time() - used < (time.monotonic() - began) / 4
