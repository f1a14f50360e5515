"""A batch: lazy, bounded, and honest about whatever its iterable and its consumer do."""

import gc
import itertools
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pulp_download import (
    Batch,
    Cancelled,
    Download,
    Finished,
    InvalidSettings,
    MemoryWriter,
    NotFound,
    Remote,
    Started,
    WriteError,
)
from pulp_download.events import Event
from tests.functional.upstream import body_of, downloads_of, publish
from tests.servers import FaultServer, hold, reply, steps


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server


class Counted:
    """An iterable that says how far it was advanced, by whom, and whether it was closed."""

    def __init__(self, items: Iterator[Download]) -> None:
        self.taken = 0
        self.threads: set[int] = set()
        self.closed_by: int | None = None
        self._items = items

    def __iter__(self) -> Iterator[Download]:
        try:
            for item in self._items:
                self.taken += 1
                self.threads.add(threading.get_ident())
                yield item
        finally:
            self.closed_by = threading.get_ident()


def endless(server: FaultServer) -> Iterator[Download]:
    for number in itertools.count():
        yield Download(server.url(f"/{number}"), MemoryWriter(), attachment=number)


@pytest.mark.need("I4")
def test_results_are_done_futures_that_know_their_download(server: FaultServer) -> None:
    publish(server, 20)
    with Batch(downloads_of(server, range(20)), concurrency=4) as batch:
        results = list(batch)
    assert all(result.done() and not result.cancelled() for result in results)
    assert sorted(result.download.attachment for result in results) == list(range(20))
    for result in results:
        assert result.result().download is result.download
        writer = result.download.writer
        assert isinstance(writer, MemoryWriter)
        assert writer.getvalue() == body_of(result.download.attachment)


@pytest.mark.need("I4")
@pytest.mark.fault(168)
@pytest.mark.parametrize("window", [1, 5, 32])
def test_no_more_than_the_window_exists_beyond_what_was_handed_out(
    server: FaultServer, window: int
) -> None:
    server.default(reply(200, b"x"))
    source = Counted(endless(server))
    with Batch(source, concurrency=4, window=window) as batch:
        for handed_out, _result in enumerate(batch, 1):
            assert source.taken <= handed_out + window
            if handed_out == 100:
                break
    assert source.threads == {threading.get_ident()}
    assert source.closed_by == threading.get_ident()


@pytest.mark.need("I4")
@pytest.mark.fault(168)
@pytest.mark.fault(183)
def test_a_consumer_that_stops_consuming_stops_the_fetching(server: FaultServer) -> None:
    server.default(reply(200, b"x"))
    with Batch(endless(server), concurrency=4, window=10) as batch:
        results = iter(batch)
        for _ in range(20):
            next(results)
        server.wait_for_requests(29)  # the window, less the place of the last one handed out
        with pytest.raises(TimeoutError):
            server.wait_for_requests(31, timeout=0.5)


@pytest.mark.need("I4")
def test_live_objects_do_not_grow_with_the_number_of_files(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"x")
    url = (tmp_path / "source").as_uri()
    alive: weakref.WeakSet[Download] = weakref.WeakSet()

    def downloads() -> Iterator[Download]:
        for number in range(3000):
            download = Download(url, MemoryWriter(), attachment=number)
            alive.add(download)
            yield download
            del download

    most = 0
    with Batch(downloads(), concurrency=4, window=16) as batch:
        for result in batch:
            assert result.result().size == 1
            most = max(most, len(alive))
    # the window, the one in the loop's hand, and what workers are just letting go of
    assert most <= 16 + 1 + 4
    del result
    gc.collect()
    assert len(alive) == 0


class Broken(Exception):
    """The caller's own."""


@pytest.mark.fault(167)
@pytest.mark.parametrize("at", [0, 1, 50])
def test_the_iterables_exception_reaches_the_loop_as_itself_after_all_has_stopped(
    server: FaultServer, at: int
) -> None:
    server.default(steps(hold))
    raised = Broken("mine")

    def downloads() -> Iterator[Download]:
        yield from itertools.islice(endless(server), at)
        raise raised

    with pytest.raises(Broken) as caught:
        for _result in Batch(downloads(), concurrency=2, window=100):
            pass
    assert caught.value is raised
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("pulp-")]


@pytest.mark.fault(167)
def test_an_item_that_is_no_download_is_named_by_its_place(server: FaultServer) -> None:
    server.default(reply(200, b"x"))
    items = [Download(server.url("/0"), MemoryWriter()), "http://host/1"]
    with pytest.raises(TypeError, match="item 1 of the downloads is a str"):
        list(Batch(items))  # type: ignore[arg-type]


def test_an_empty_iterable_ends_the_loop_at_once() -> None:
    assert list(Batch([])) == []


@pytest.mark.fault(167)
def test_the_same_download_again_is_fetched_again_when_its_first_run_is_over(
    server: FaultServer, tmp_path: Path
) -> None:
    server.default(reply(200, b"x"))
    download = Download(server.url("/0"), tmp_path / "0")
    with Batch([download, download, download], concurrency=1, window=1) as batch:
        assert [result.result().size for result in batch] == [1, 1, 1]
    assert len(server.requests) == 3


@pytest.mark.fault(120)
def test_a_second_live_download_to_one_path_fails_and_the_first_is_not_disturbed(
    server: FaultServer, tmp_path: Path
) -> None:
    gate = server.gate()
    server.on("/a", steps(gate, reply(200, b"first")))
    server.on("/b", reply(200, b"second"))
    downloads = [
        Download(server.url("/a"), tmp_path / "same"),
        Download(server.url("/b"), tmp_path / "sub" / ".." / "same"),
    ]
    with Batch(downloads) as batch:
        results = iter(batch)
        error = next(results).exception()
        assert isinstance(error, WriteError)
        assert error.path == str(tmp_path / "same")
        gate.open()
        assert next(results).result().path == tmp_path / "same"
    assert (tmp_path / "same").read_bytes() == b"first"
    assert len(server.requests) == 1


@pytest.mark.fault(174)
def test_a_batch_is_iterated_once(server: FaultServer) -> None:
    batch = Batch([])
    list(batch)
    with pytest.raises(RuntimeError, match="once"):
        iter(batch)


@pytest.mark.fault(170)
@pytest.mark.parametrize("value", [0, -1, 1.5, True, "8"])
@pytest.mark.parametrize("name", ["concurrency", "window"])
def test_counts_are_positive_whole_numbers(name: str, value: object) -> None:
    with pytest.raises(InvalidSettings, match=name):
        Batch([], **{name: value})  # type: ignore[arg-type]


def test_downloads_without_a_remote_share_the_batchs_connections(server: FaultServer) -> None:
    publish(server, 40)
    with Batch(downloads_of(server, range(40)), concurrency=2) as batch:
        assert all(result.exception() is None for result in batch)
    assert server.accepted <= 2


@pytest.mark.fault(187)
def test_every_download_comes_out_once_whatever_became_of_it(server: FaultServer) -> None:
    outcomes = [reply(200, b"x"), reply(404), reply(200, b"x")]
    server.default(lambda conn, request: outcomes[int(request.path[1:]) % 3](conn, request))
    source = itertools.islice(endless(server), 300)
    with Batch(source, concurrency=8) as batch:
        failed = {r.download.attachment: isinstance(r.exception(), NotFound) for r in batch}
    assert failed == {number: number % 3 == 1 for number in range(300)}


@pytest.mark.fault(51)
@pytest.mark.fault(182)
def test_a_download_that_waits_for_its_next_try_holds_no_worker(server: FaultServer) -> None:
    server.on("/busy", [reply(503, headers={"Retry-After": "1"}), reply(200, b"late")])
    with FaultServer() as other:
        other.on("/free", reply(200, b"soon"))
        busy = Download(server.url("/busy"), MemoryWriter(), attachment="busy")
        free = [Download(other.url("/free"), MemoryWriter(), attachment="free") for _ in range(20)]
        with Batch([busy, *free], concurrency=1) as batch:
            order = [result.download.attachment for result in batch]
    assert order == ["free"] * 20 + ["busy"]
    first, second = server.requests_to("/busy")
    assert second.time - first.time >= 1


def test_a_waiting_download_that_is_cancelled_ends_at_once(server: FaultServer) -> None:
    server.on("/busy", reply(503, headers={"Retry-After": "100"}))
    download = Download(server.url("/busy"), MemoryWriter())
    with Batch([download]) as batch:
        results = iter(batch)
        canceller = threading.Thread(
            target=lambda: (server.wait_for_requests(1), cancel_until_it_was(download))
        )
        canceller.start()
        assert isinstance(next(results).exception(), Cancelled)
        canceller.join()


def cancel_until_it_was(download: Download) -> None:
    while not download.cancel():
        threading.Event().wait(0.01)


@pytest.mark.fault(164)
def test_an_observer_that_raises_is_dropped_and_the_download_goes_on(
    server: FaultServer, caplog: pytest.LogCaptureFixture
) -> None:
    publish(server, 4)
    told: list[Event] = []

    def observer(event: Event) -> None:
        told.append(event)
        raise Broken("in the observer")

    with Batch(downloads_of(server, range(4)), observer=observer) as batch:
        assert all(result.exception() is None for result in batch)
    assert [type(event) for event in told] == [Started] * 4
    assert [record.levelname for record in caplog.records] == ["ERROR"] * 4


@pytest.mark.fault(164)
@pytest.mark.fault(188)
@pytest.mark.parametrize("raised", [ValueError("v"), KeyboardInterrupt(), SystemExit(3)])
def test_what_a_validation_raises_is_its_downloads_alone(
    server: FaultServer, raised: BaseException
) -> None:
    publish(server, 3)

    class Raising:
        def start(self) -> "Raising":
            return self

        def update(self, chunk: object) -> None:
            raise raised

        def finish(self) -> None: ...

    bad = Download(server.url("/0"), MemoryWriter(), validations=[Raising()], attachment="bad")
    with Batch([bad, *downloads_of(server, range(3))], concurrency=1) as batch:
        outcomes = {result.download.attachment: result.exception() for result in batch}
    assert outcomes == {"bad": raised, 0: None, 1: None, 2: None}


@pytest.mark.fault(166)
def test_an_observer_may_close_the_batch(server: FaultServer) -> None:
    publish(server, 50)
    closing: list[Callable[[], None]] = []

    def observer(event: Event) -> None:
        if isinstance(event, Finished):
            closing[0]()

    batch = Batch(downloads_of(server, range(50)), concurrency=2, observer=observer)
    closing.append(batch.close)
    with pytest.raises(Cancelled), batch:
        for _result in batch:
            pass


def test_failures_kept_in_futures_pin_nothing(server: FaultServer) -> None:
    server.default(reply(404, b"no"))
    with Batch(itertools.islice(endless(server), 20)) as batch:
        errors = [result.exception() for result in batch]
    for error in errors:
        assert error is not None
        assert error.__traceback__ is None
        assert error.__context__ is None
        assert error.__cause__ is None


@pytest.mark.fault(175)
def test_a_batch_inside_a_batch_cannot_deadlock(server: FaultServer) -> None:
    publish(server, 6)
    inner_sizes: list[int] = []
    with Remote() as remote, Batch(downloads_of(server, range(3), remote), concurrency=1) as outer:
        for _result in outer:
            with Batch(downloads_of(server, range(3, 6), remote), concurrency=1) as inner:
                inner_sizes += [result.result().size for result in inner]
    assert len(inner_sizes) == 9
