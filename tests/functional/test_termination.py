"""Leaving, in every way there is: at once, and with nothing left (I10)."""

import gc
import itertools
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pulp_download import Batch, Cancelled, Download, DownloadFuture, Remote
from tests.servers import FaultServer, hold, reply, stalled_body

# Every connection of these tests stalls in mid-body; the promise is half a second, with this much
# for a machine that is busy with other tests.
HALF_A_SECOND = 0.5
GRACE = 2.0

STALLED = 16


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as server:
        server.default(stalled_body(bytes(1000), sent=100))
        server.on("/done", reply(200, b"finished"))
        yield server


def stalling(server: FaultServer, into: Path) -> Iterator[Download]:
    for number in itertools.count():
        if number == STALLED:
            yield Download(server.url("/done"), into / "done")
        yield Download(server.url(f"/{number}"), into / str(number))


def all_stalled(server: FaultServer) -> None:
    server.wait_for(lambda: server.held >= STALLED)


class took:
    """Fails if leaving the block took longer than promised since ``from_now`` was called."""

    def __enter__(self) -> "took":
        self.began = time.monotonic()
        return self

    def from_now(self) -> None:
        self.began = time.monotonic()

    def __exit__(self, *_: object) -> None:
        assert time.monotonic() - self.began < HALF_A_SECOND + GRACE


def untouched(into: Path) -> None:
    assert (into / "done").read_bytes() == b"finished"
    assert [path.name for path in into.iterdir()] == ["done"]


@pytest.mark.need("I10")
@pytest.mark.fault(176)
def test_break_stops_the_rest(server: FaultServer, tmp_path: Path) -> None:
    with took() as clock, Batch(stalling(server, tmp_path), concurrency=STALLED + 1) as batch:
        for result in batch:
            result.result()
            all_stalled(server)
            clock.from_now()
            break
    untouched(tmp_path)
    server.wait_for(lambda: server.open == 0)


def leave_by_raising(server: FaultServer, into: Path, clock: took, error: BaseException) -> None:
    with Batch(stalling(server, into), concurrency=STALLED + 1) as batch:
        for _result in batch:
            all_stalled(server)
            clock.from_now()
            raise error


@pytest.mark.need("I10")
@pytest.mark.fault(176)
@pytest.mark.parametrize("error", [LookupError("the consumer's own"), KeyboardInterrupt()])
def test_an_exception_in_the_loops_body_leaves_unchanged(
    server: FaultServer, tmp_path: Path, error: BaseException
) -> None:
    with took() as clock, pytest.raises(type(error)) as caught:
        leave_by_raising(server, tmp_path, clock, error)
    assert caught.value is error
    untouched(tmp_path)


@pytest.mark.need("I10")
@pytest.mark.fault(176)
def test_a_loop_without_with_cleans_up_after_itself(server: FaultServer, tmp_path: Path) -> None:
    with took() as clock:
        for _result in Batch(stalling(server, tmp_path), concurrency=STALLED + 1):
            all_stalled(server)
            clock.from_now()
            break
    untouched(tmp_path)


@pytest.mark.need("I10")
@pytest.mark.fault(176)
def test_an_abandoned_batch_is_stopped_by_the_garbage_collector(
    server: FaultServer, tmp_path: Path
) -> None:
    results = iter(Batch(stalling(server, tmp_path), concurrency=STALLED + 1))
    next(results)
    all_stalled(server)
    with took():
        del results
        gc.collect()
        server.wait_for(lambda: server.open == 0)
    untouched(tmp_path)


@pytest.mark.need("I10")
@pytest.mark.fault(173)
def test_close_from_another_thread_wakes_the_waiting_consumer(
    server: FaultServer, tmp_path: Path
) -> None:
    with took() as clock, Batch(stalling(server, tmp_path), concurrency=STALLED + 1) as batch:

        def close() -> None:
            all_stalled(server)
            clock.from_now()
            batch.close()

        closer = threading.Thread(target=close)
        results = iter(batch)
        assert next(results).result().path == tmp_path / "done"
        closer.start()
        with pytest.raises(Cancelled):
            next(results)
        closer.join()
        batch.close()  # again, for nothing
    untouched(tmp_path)


@pytest.mark.fault(173)
def test_a_closed_batch_never_ends_cleanly(server: FaultServer, tmp_path: Path) -> None:
    batch = Batch([Download(server.url("/done"), tmp_path / "done")])
    batch.close()
    with pytest.raises(Cancelled):
        list(batch)


@pytest.mark.need("I10")
@pytest.mark.fault(171)
def test_one_download_can_be_cancelled_from_another_thread(
    server: FaultServer, tmp_path: Path
) -> None:
    download = Download(server.url("/0"), tmp_path / "0")
    assert download.cancel() is False  # nothing to stop, and not remembered
    answers: list[bool] = []

    def cancel() -> None:
        server.wait_for(lambda: server.held == 1)
        answers.append(download.cancel())

    canceller = threading.Thread(target=cancel)
    with took() as clock, pytest.raises(Cancelled):
        canceller.start()
        clock.from_now()
        download.run()
    canceller.join()
    assert answers == [True]
    assert list(tmp_path.iterdir()) == []
    assert download.cancel() is False


@pytest.mark.fault(171)
def test_cancelling_one_leaves_the_others_alone(server: FaultServer, tmp_path: Path) -> None:
    downloads = [Download(server.url(f"/{n}"), tmp_path / str(n)) for n in range(3)]
    with Batch(downloads) as batch:
        results: Iterator[DownloadFuture] = iter(batch)

        def cancel() -> None:
            server.wait_for(lambda: server.held == 3)
            downloads[1].cancel()

        canceller = threading.Thread(target=cancel)
        canceller.start()
        first = next(results)
        canceller.join()
        assert first.download is downloads[1]
        assert isinstance(first.exception(), Cancelled)
        assert first.cancelled() is False
        assert server.held >= 2


def test_closing_a_remote_ends_every_transfer_that_uses_it(
    server: FaultServer, tmp_path: Path
) -> None:
    remote = Remote()
    download = Download(server.url("/0"), tmp_path / "0", remote=remote)

    def close() -> None:
        server.wait_for(lambda: server.held == 1)
        remote.close()

    closer = threading.Thread(target=close)
    with took(), pytest.raises(Cancelled, match="remote was closed"):
        closer.start()
        download.run()
    closer.join()
    with pytest.raises(RuntimeError, match="closed"):
        _ = remote.session


def test_a_content_is_closed_from_another_thread_than_its_readers(server: FaultServer) -> None:
    content = Download(server.url("/0")).iter_content()

    def close() -> None:
        server.wait_for(lambda: server.held == 1)
        content.close()

    closer = threading.Thread(target=close)
    with took(), pytest.raises(Cancelled):
        closer.start()
        for _chunk in content:
            pass
    closer.join()


SCRIPT = """
    import sys, threading
    from pathlib import Path
    from pulp_download import Batch, Cancelled, Download

    def consume():
        try:
            next(results)
        except Cancelled:
            pass

    def downloads():
        for number in range(100):
            yield Download(f"{url}/{number}", Path({into!r}, str(number)))

    batch = Batch(downloads(), concurrency=4)
    results = iter(batch)
    print("ready", flush=True)
    sys.stdin.readline()
    threading.Thread(target=consume, daemon=True).start()
    {end}
"""


def run_script(server: FaultServer, into: Path, end: str) -> subprocess.Popen[str]:
    script = textwrap.dedent(SCRIPT).replace("{end}", textwrap.dedent(end))
    script = script.replace("{url}", server.url("").rstrip("/")).replace(
        "{into!r}", repr(str(into))
    )
    return subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.need("I10")
@pytest.mark.fault(177)
@pytest.mark.parametrize(
    ("end", "status", "said"),
    [
        ("sys.stdin.readline()", 0, ""),
        ("sys.stdin.readline(); sys.exit(3)", 3, ""),
        ("sys.stdin.readline(); raise LookupError('unhandled')", 1, "LookupError: unhandled"),
    ],
)
def test_the_interpreter_exits_while_a_batch_is_running(
    server: FaultServer, tmp_path: Path, end: str, status: int, said: str
) -> None:
    server.default(hold)
    child = run_script(server, tmp_path, end)
    with child, took() as clock:
        assert child.stdout is not None
        assert child.stdin is not None
        assert child.stderr is not None
        assert child.stdout.readline() == "ready\n"
        child.stdin.write("go\n")
        child.stdin.flush()
        server.wait_for(lambda: server.held == 4)
        clock.from_now()
        child.stdin.write("end\n")
        child.stdin.flush()
        assert child.wait(10) == status
        errors = child.stderr.read()
    assert errors.splitlines()[-1:] == ([said] if said else [])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.need("I10")
@pytest.mark.fault(189)
@pytest.mark.parametrize("taken_by", ["anybody", "another thread"])
def test_ctrl_c_reaches_a_consumer_that_waits(
    server: FaultServer, tmp_path: Path, taken_by: str
) -> None:
    is_done = threading.Event()

    def interrupt() -> None:
        is_done.wait()
        all_stalled(server)
        clock.from_now()
        if taken_by == "anybody":
            os.kill(os.getpid(), signal.SIGINT)
        else:
            signal.pthread_kill(threading.get_ident(), signal.SIGINT)

    interrupter = threading.Thread(target=interrupt)
    with (
        took() as clock,
        pytest.raises(KeyboardInterrupt),
        Batch(stalling(server, tmp_path), concurrency=STALLED + 1) as batch,
    ):
        interrupter.start()
        for _result in batch:
            is_done.set()
    interrupter.join()
    untouched(tmp_path)


@pytest.mark.fault(179)
@pytest.mark.slow
@pytest.mark.parametrize("way", ["failed", "timed out", "redirected"])
def test_nothing_is_left_after_thousands_that_ended(
    server: FaultServer, tmp_path: Path, way: str
) -> None:
    """What is left behind, the fixture that stands around every test finds."""
    answers: dict[str, Callable[..., None]] = {
        "failed": reply(404, b"no"),
        "timed out": hold,
        "redirected": reply(302, headers={"Location": "/done"}),
    }
    server.default(answers[way])
    count = {
        "failed": 5000,
        "timed out": 50,  # one after the other, when the host has had enough
        "redirected": 5000,
    }[way]
    patience = 0.2 if way == "timed out" else 30.0
    with Remote(max_retries=0, sock_read_timeout=patience) as remote:
        downloads = (
            Download(server.url(f"/{n}"), tmp_path / str(n), remote=remote) for n in range(count)
        )
        with Batch(downloads, concurrency=16) as batch:
            for result in batch:
                assert (result.exception() is None) == (way == "redirected")


@pytest.mark.fault(179)
@pytest.mark.slow
def test_nothing_is_left_after_a_hundred_cancelled_batches(
    server: FaultServer, tmp_path: Path
) -> None:
    for _ in range(100):
        with Batch(stalling(server, tmp_path), concurrency=STALLED + 1) as batch:
            next(iter(batch)).result()
        untouched(tmp_path)
    server.wait_for(lambda: server.open == 0)
