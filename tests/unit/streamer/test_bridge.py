"""The bridge by itself: contents and loops that the test plays."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pulp_download import Cancelled, DigestMismatch, Download
from pulp_download.streamer.bridge import CAPACITY, CHUNK, Bridge
from pulp_download.streamer.heads import SMALL, Head
from pulp_download.streamer.pool import Pool
from pulp_download.streamer.steering import Job

DOWNLOAD = Download("http://host.invalid/f")
HEAD = Head(200, (), has_body=True)


class Later(Pool):
    """A pool whose work is done when the test says so, in its thread."""

    def __init__(self) -> None:
        super().__init__(1)
        self.work: list[Callable[[], None]] = []

    def submit(self, work: Callable[[], None]) -> None:
        self.work.append(work)

    def steer(self, job: Job) -> None:
        self.work.append(lambda: self.assert_done(job(None)))

    @staticmethod
    def assert_done(awaited: object) -> None:
        assert awaited is None

    @property
    def is_awaited(self) -> bool:
        return bool(self.work)

    def do(self) -> None:
        """Do what there is, and what comes of it."""
        while self.work:
            self.work.pop(0)()


class Canned:
    """A question and its content: these chunks, and then this error."""

    def __init__(self, *chunks: bytes, error: Exception | None = None, head: Head = HEAD):
        self.chunks = list(chunks)
        self.chunk_size = CHUNK
        self.error = error
        self.given_head = head
        self.calls: list[str] = []
        self.is_at_hand = False

    def find(self) -> Download:
        self.calls.append("find")
        return DOWNLOAD

    def open(self, download: Download) -> Any:
        self.calls.append("open")
        return self

    def advance(self, on_block: object) -> Any:
        return self

    def head(self, content: Any) -> Head:
        return self.given_head

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if self.chunks:
            chunk = self.chunks.pop(0)
            if rest := chunk[self.chunk_size :]:
                self.chunks.insert(0, rest)
            return chunk[: self.chunk_size]
        if self.error is not None:
            raise self.error
        raise StopIteration

    def cancel(self) -> bool:
        self.calls.append("cancel")
        return True

    def close(self) -> None:
        self.calls.append("close")


@pytest.fixture
def pool() -> Iterator[Later]:
    pool = Later()
    yield pool
    pool.close()


@pytest.fixture
def woken() -> list[None]:
    return []


def bridge_to(question: Canned, pool: Pool, woken: list[None]) -> Bridge:
    bridge = Bridge(pool, question, lambda: woken.append(None))
    bridge.start()
    return bridge


def test_the_loop_is_woken_once_for_all_that_came(pool: Later, woken: list[None]) -> None:
    bridge = bridge_to(Canned(b"a", b"b", b"c"), pool, woken)
    assert woken == []
    pool.do()
    assert len(woken) == 1
    assert bridge.head == HEAD
    assert not bridge.is_done  # something is to be taken yet
    assert bridge.take() == b"abc"
    assert bridge.is_done
    assert bridge.error is None


@pytest.mark.parametrize(
    ("size", "is_at_hand", "wakes"),
    [(SMALL, True, [0, 0, 0]), (SMALL, False, [1, 1, 1]), (SMALL + 1, True, [1, 1, 1])],
)
def test_of_a_small_file_that_is_at_hand_the_loop_hears_when_all_is_known(
    pool: Later, woken: list[None], size: int, is_at_hand: bool, wakes: list[int]
) -> None:
    class Counting(Canned):
        """Counts how often the loop has been woken before each chunk, and before the end."""

        def __next__(self) -> bytes:
            counted.append(len(woken))
            heads.append(bridge.head)
            return super().__next__()

    counted: list[int] = []
    heads: list[Head | None] = []
    question = Counting(b"a", b"b", head=Head(200, (), has_body=True, size=size))
    question.is_at_hand = is_at_hand
    bridge = bridge_to(question, pool, woken)
    pool.do()
    assert counted == wakes
    assert heads == [question.given_head if woke else None for woke in wakes]
    assert len(woken) == 1
    assert bridge.head == question.given_head
    assert (bridge.is_ended, bridge.take()) == (True, b"ab")


@pytest.mark.fault(196)
def test_of_a_small_file_that_is_at_hand_and_does_not_hold_there_is_no_head(
    pool: Later, woken: list[None]
) -> None:
    error = DigestMismatch("sha256", "a", "b")
    question = Canned(b"abc", error=error, head=Head(200, (), has_body=True, size=4))
    question.is_at_hand = True
    bridge = bridge_to(question, pool, woken)
    pool.do()
    assert (bridge.head, bridge.error, len(woken)) == (None, error, 1)


def test_who_found_nothing_is_woken_again(pool: Later, woken: list[None]) -> None:
    bridge = bridge_to(Canned(b"a"), pool, woken)
    assert bridge.take() == b""
    pool.do()
    assert len(woken) == 1
    assert bridge.take() == b"a"
    assert bridge.take() == b""
    assert bridge.is_done


def test_what_is_taken_is_at_most_what_was_asked_for(pool: Later, woken: list[None]) -> None:
    bridge = bridge_to(Canned(b"abc", b"defgh", b"i"), pool, woken)
    pool.do()
    assert [bridge.take(4) for _ in range(4)] == [b"abcd", b"efgh", b"i", b""]


@pytest.mark.fault(192)
def test_a_full_stream_gives_its_thread_back_and_goes_on_when_half_is_taken(
    pool: Later, woken: list[None]
) -> None:
    chunk = bytes(CHUNK)
    bridge = bridge_to(Canned(*[chunk] * 100), pool, woken)
    pool.do()  # comes back
    assert pool.work == []
    taken = 0
    while not pool.work:
        taken += len(bridge.take())
    assert CAPACITY // 2 <= taken <= CAPACITY  # what was held, and not a byte more
    pool.do()
    assert len(woken) == 1  # it never found nothing
    while data := bridge.take():
        taken += len(data)
        pool.do()
    assert taken == 100 * CHUNK
    assert bridge.is_done


@pytest.mark.fault(211)
def test_a_stream_that_nobody_holds_up_lets_others_have_their_turn(
    pool: Later, woken: list[None]
) -> None:
    question = Canned(*[b"a" * 100] * 50_000)
    bridge = Bridge(pool, question, lambda: None, capacity=1 << 30)
    bridge.start()
    others: list[None] = []
    pool.submit(lambda: others.append(None))
    pool.work.pop(0)()
    assert not others
    assert len(pool.work) == 2  # the other's turn, then its own
    pool.do()
    assert others
    assert bridge.is_ended


@pytest.mark.fault(193)
def test_an_error_is_told_and_the_content_closed(pool: Later, woken: list[None]) -> None:
    error = DigestMismatch("sha256", "a", "b")
    question = Canned(b"abc", error=error)
    bridge = bridge_to(question, pool, woken)
    pool.do()
    assert bridge.error is error
    assert not bridge.is_done
    assert question.calls[-1] == "close"


def test_an_answer_without_a_body_is_let_go_unread(pool: Later, woken: list[None]) -> None:
    question = Canned(b"never", head=Head(304, ()))
    bridge = bridge_to(question, pool, woken)
    pool.do()
    assert (bridge.is_done, bridge.take(), len(woken)) == (True, b"", 1)
    assert question.calls == ["find", "open", "close"]


@pytest.mark.fault(191)
def test_cancelled_before_its_turn_it_asks_nobody(pool: Later, woken: list[None]) -> None:
    question = Canned(b"a")
    bridge = bridge_to(question, pool, woken)
    bridge.cancel()
    pool.do()
    assert question.calls == []
    assert isinstance(bridge.error, Cancelled)
    assert woken == []


@pytest.mark.fault(191)
def test_cancelled_while_it_is_parked_it_lets_go(pool: Later, woken: list[None]) -> None:
    question = Canned(*[bytes(CHUNK)] * 100)
    bridge = bridge_to(question, pool, woken)
    pool.do()
    bridge.cancel()
    assert question.calls[-1] == "cancel"  # at once; closing may take a while
    pool.do()
    assert question.calls[-1] == "close"
    assert bridge.take() == b""
    assert isinstance(bridge.error, Cancelled)
    assert not pool._openings


@pytest.mark.fault(191)
def test_cancelled_while_it_finds_it_does_not_open(pool: Later, woken: list[None]) -> None:
    question = Canned(b"a")
    bridge = Bridge(pool, question, lambda: woken.append(None))

    def find() -> Download:
        bridge.cancel()
        return DOWNLOAD

    question.find = find  # type: ignore[method-assign]
    bridge.start()
    pool.do()
    assert "open" not in question.calls
    assert not pool._openings


@pytest.mark.fault(191)
def test_cancelled_while_it_opens_it_closes_what_came(pool: Later, woken: list[None]) -> None:
    question = Canned(b"a")
    bridge = Bridge(pool, question, lambda: woken.append(None))

    def opened(download: Download) -> Any:
        bridge.cancel()
        return question

    question.open = opened  # type: ignore[method-assign]
    bridge.start()
    pool.do()
    assert question.calls == ["find", "cancel", "close"]
    assert isinstance(bridge.error, Cancelled)


@pytest.mark.fault(164)
@pytest.mark.parametrize("part", ["find", "open", "head"])
def test_whatever_is_raised_reaches_the_loop(pool: Later, woken: list[None], part: str) -> None:
    def fails(*_: object) -> Any:
        raise SystemExit

    question = Canned(b"a")
    setattr(question, part, fails)
    bridge = bridge_to(question, pool, woken)
    pool.do()
    assert isinstance(bridge.error, SystemExit)
    assert len(woken) == 1
    assert (question.calls[-1:] == ["close"]) == (part == "head")


def test_a_pool_that_is_closed_lets_work_be_done_all_the_same() -> None:
    pool, done = Pool(2), threading.Event()
    pool.submit(done.set)
    assert done.wait(10)
    pool.close()
    late: list[threading.Thread] = []
    pool.submit(lambda: late.append(threading.current_thread()))
    assert late == [threading.current_thread()]
    assert not pool.is_awaited


def test_a_pool_knows_who_shares_a_download(pool: Later) -> None:
    pool.enter(DOWNLOAD)
    assert not pool.is_shared(DOWNLOAD)
    pool.enter(DOWNLOAD)
    assert pool.is_shared(DOWNLOAD)
    pool.leave(DOWNLOAD)
    assert not pool.is_shared(DOWNLOAD)
