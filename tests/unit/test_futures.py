"""What is done comes to the consumer: in its order, in groups, and from any thread."""

from __future__ import annotations

import signal
import threading
from concurrent.futures import Future, InvalidStateError, as_completed, wait

import pytest
from urllib3 import HTTPHeaderDict

from pulp_download.download import Download
from pulp_download.errors import NotFound
from pulp_download.futures import DownloadFuture, Handover
from pulp_download.result import Result
from tests.unit.children import in_child

# A bound that a busy machine keeps (seconds).
SOON = 5.0


def future(number: int = 0) -> DownloadFuture:
    return DownloadFuture(Download("http://host.test/a", attachment=number), NotFound(404))


def futures(count: int) -> list[DownloadFuture]:
    return [future(number) for number in range(count)]


class Consumer(threading.Thread):
    """Takes one future, as soon as there is one."""

    def __init__(self, handover: Handover) -> None:
        super().__init__(daemon=True)  # one that waits for ever fails its test, and no other
        self._handover = handover
        self._begun = threading.Event()
        self.taken: list[DownloadFuture | None] = []
        self.start()
        assert self._begun.wait(SOON)

    def run(self) -> None:
        self._begun.set()
        self.taken.append(self._handover.next())

    def what_it_got(self) -> DownloadFuture | None:
        self.join(SOON)
        assert not self.is_alive(), "still waiting"
        return self.taken[0]


# Futures.


def a_result() -> Result:
    url = "http://host.test/a"
    facts = {"length_verified": True, "elapsed": 0.1}
    return Result(Download(url, "a/file"), url, url, 3, {}, HTTPHeaderDict(), **facts)


def test_a_future_knows_its_download_and_holds_its_result() -> None:
    result = a_result()
    done = DownloadFuture(result.download, result)
    assert done.download is result.download
    assert done.result() is done.result(0) is result
    assert done.exception() is done.exception(0) is None


def test_a_failure_is_in_the_future() -> None:
    error = NotFound(404)
    failed = DownloadFuture(Download("http://host.test/a"), error)
    assert failed.exception() is error
    for _ in range(2):
        with pytest.raises(NotFound) as caught:
            failed.result()
        assert caught.value is error


def test_it_is_a_future_like_any_other_that_is_done() -> None:
    done, other, pending = future(), future(1), Future[None]()
    assert (done.done(), done.running(), done.cancelled(), done.cancel()) == (
        True, False, False, False,
    )  # fmt: skip
    assert "finished raised NotFound" in repr(done)
    called: list[object] = []
    done.add_done_callback(called.append)
    assert called == [done]
    with pytest.raises(InvalidStateError):
        done.set_result(a_result())
    assert wait([done, other], timeout=0) == ({done, other}, set())
    assert wait([done, pending], timeout=0) == ({done}, {pending})
    assert set(as_completed([done, other], timeout=0)) == {done, other}
    assert DownloadFuture._waiters == []
    assert DownloadFuture._done_callbacks == []


def test_a_child_reads_futures_although_a_thread_of_its_parent_was_reading() -> None:
    done, is_held, is_over = future(), threading.Event(), threading.Event()

    def hold() -> None:
        with DownloadFuture._condition:
            is_held.set()
            is_over.wait(SOON)

    def read() -> bool:
        signal.alarm(int(SOON))  # ends a child that waits for a thread it does not have
        return "NotFound" in repr(done)

    holder = threading.Thread(target=hold)
    holder.start()
    try:
        assert is_held.wait(SOON)
        assert in_child(read)
    finally:
        is_over.set()
        holder.join()


# Order and groups.


def test_what_is_put_comes_at_once_and_in_its_order() -> None:
    handover, done = Handover(8), futures(20)
    for one in done:
        handover.put(one)
        assert handover.is_ready
    assert [handover.next() for _ in done] == done
    assert not handover.is_ready


def test_seven_that_are_kept_wait_for_an_eighth() -> None:
    handover, done = Handover(8), futures(16)
    for one in done[:7]:
        handover.keep(one)
        assert not handover.is_ready
    handover.keep(done[7])
    assert handover.is_ready
    for one in done[8:15]:
        handover.keep(one)
    assert [handover.next() for _ in range(8)] == done[:8]
    assert not handover.is_ready
    handover.keep(done[15])
    assert [handover.next() for _ in range(8)] == done[8:]


def test_what_is_kept_comes_when_it_is_flushed() -> None:
    handover, done = Handover(8), futures(4)
    for one in done[:3]:
        handover.keep(one)
    handover.flush()
    assert [handover.next() for _ in range(3)] == done[:3]
    handover.flush()
    assert not handover.is_ready
    handover.keep(done[3])
    handover.flush()
    assert handover.next() is done[3]
    assert not handover.is_ready


def test_a_group_is_ready_until_its_last_one_was_taken() -> None:
    handover, done = Handover(8), futures(8)
    for one in done:
        handover.keep(one)
    for one in done:
        assert handover.is_ready
        assert handover.next() is one
    assert not handover.is_ready


def test_what_is_put_overtakes_what_is_kept() -> None:
    handover, (kept, put) = Handover(8), futures(2)
    handover.keep(kept)
    handover.put(put)
    handover.flush()
    assert [handover.next(), handover.next()] == [put, kept]


# Threads.


@pytest.mark.parametrize("how", ["put", "keep and flush"])
def test_a_waiting_consumer_gets_what_comes(how: str) -> None:
    handover, one = Handover(8), future()
    consumer = Consumer(handover)
    if how == "put":
        handover.put(one)
    else:
        handover.keep(one)
        handover.flush()
    assert consumer.what_it_got() is one


def test_of_many_threads_nothing_is_lost_and_each_ones_order_is_kept() -> None:
    handover = Handover(8)
    all_done = [futures(200) for _ in range(4)]
    barrier = threading.Barrier(4)

    def put(done: list[DownloadFuture]) -> None:
        barrier.wait()
        for one in done:
            handover.put(one)

    def keep(done: list[DownloadFuture]) -> None:
        barrier.wait()
        for one in done:
            handover.keep(one)
        handover.flush()

    targets = [keep, put, put, put]
    threads = [
        threading.Thread(target=target, args=(done,))
        for target, done in zip(targets, all_done, strict=True)
    ]
    for thread in threads:
        thread.start()
    taken = [handover.next() for _ in range(800)]
    for thread in threads:
        thread.join()
    assert not handover.is_ready
    for done in all_done:
        own = set(done)
        assert [one for one in taken if one in own] == done


# The end.


def test_a_close_wakes_a_waiting_consumer() -> None:
    handover = Handover(8)
    consumer = Consumer(handover)
    handover.close()
    assert consumer.what_it_got() is None


def test_after_a_close_nothing_is_handed_over() -> None:
    handover, done = Handover(8), futures(10)
    for one in done[:8]:
        handover.keep(one)
    assert handover.next() is done[0]
    handover.put(done[8])
    handover.close()
    handover.put(done[9])
    assert [handover.next() for _ in range(3)] == [None] * 3
    assert handover.is_ready
    handover.close()
    assert handover.next() is None
