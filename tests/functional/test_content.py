"""An open answer: head first, bytes as they arrive, and none of the last before all held."""

import threading
from collections.abc import Iterator

import pytest

from pulp_download import (
    Cancelled,
    Content,
    DigestMismatch,
    DigestValidation,
    Download,
    Finished,
    InvalidInput,
    MemoryWriter,
    Progressed,
    Remote,
    ServerFailed,
    SizeMismatch,
    SizeValidation,
    Started,
    TryFailed,
    WriteError,
)
from pulp_download.events import Event
from tests.functional.upstream import body_of, expectations, sha256
from tests.servers import FaultServer, chunk, chunked, head, reply, send, stalled_body, steps

BODY = body_of(1, 1000)


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server


def test_status_and_headers_are_there_before_the_first_byte(server: FaultServer) -> None:
    gate = server.gate()
    server.on(
        "/a",
        steps(head(200, {"Content-Length": str(len(BODY)), "X-One": "1"}), gate, send(BODY)),
    )
    with Download(server.url("/a")).iter_content() as content:
        assert (content.status, content.size, content.headers["x-one"]) == (200, len(BODY), "1")
        assert content.url == content.final_url == server.url("/a")
        gate.open()
        assert b"".join(content) == BODY


def test_chunks_come_as_they_arrive(server: FaultServer) -> None:
    gate = server.gate()
    server.on("/a", steps(head(200, {"Content-Length": "6"}), send(b"abc"), gate, send(b"def")))
    with Download(server.url("/a")).iter_content() as content:
        assert next(content) == b"ab"  # one byte is always held back
        gate.open()
        assert b"".join(content) == b"cdef"


def test_repeated_fields_are_kept(server: FaultServer) -> None:
    server.on("/a", reply(200, b"x", headers=[("Link", "<a>"), ("Link", "<b>")]))
    with Download(server.url("/a")).iter_content() as content:
        assert content.headers.getlist("link") == ["<a>", "<b>"]
        assert [pair for pair in content.fields if pair[0] == "Link"] == [
            ("Link", "<a>"),
            ("Link", "<b>"),
        ]
        assert (content.header("link"), content.header("x-other")) == ("<a>, <b>", None)


@pytest.mark.parametrize("framed", ["length", "chunked"])
@pytest.mark.parametrize(
    ("published", "error"),
    [(BODY[:-1] + b"x", DigestMismatch), (BODY[:-1], SizeMismatch), (BODY + b"x", SizeMismatch)],
)
def test_the_last_byte_is_not_released_before_everything_held(
    server: FaultServer, framed: str, published: bytes, error: type[Exception]
) -> None:
    answer = reply(200, published) if framed == "length" else chunked([chunk(published)])
    server.on("/a", answer)
    released = b""
    with Remote(max_retries=0) as remote, pytest.raises(error):
        download = Download(server.url("/a"), validations=expectations(BODY), remote=remote)
        with download.iter_content(chunk_size=100) as content:
            for piece in content:
                released += piece
    assert len(released) < len(published)
    assert published.startswith(released)


def test_an_empty_body_is_judged_before_the_content_is_handed_out(server: FaultServer) -> None:
    server.on("/a", reply(200, b""))
    with Remote(max_retries=0) as remote:
        right = Download(server.url("/a"), validations=[SizeValidation(0)], remote=remote)
        with right.iter_content() as content:
            assert list(content) == []
            assert content.is_verified
        for expected in (SizeValidation(1), DigestValidation("sha256", sha256(b"x"))):
            wrong = Download(server.url("/a"), validations=[expected], remote=remote)
            with pytest.raises((SizeMismatch, DigestMismatch)):
                wrong.iter_content()


@pytest.mark.parametrize("size", [1, 2, 100, 65_536])
def test_chunks_are_not_larger_than_asked_for(server: FaultServer, size: int) -> None:
    server.on("/a", reply(200, BODY))
    with Download(server.url("/a"), validations=expectations(BODY)).iter_content(size) as content:
        pieces = list(content)
    assert b"".join(pieces) == BODY
    assert max(map(len, pieces)) <= size
    assert content.digests == {"sha256": sha256(BODY)}


def test_the_size_of_chunks_may_change_between_two(server: FaultServer) -> None:
    server.on("/a", reply(200, BODY))
    with Download(server.url("/a"), validations=expectations(BODY)).iter_content(10) as content:
        first = next(content)
        content.chunk_size = 20
        second = next(content)
        assert (len(first), len(second)) == (9, 20)  # one byte is held back
        assert first + second + b"".join(content) == BODY


@pytest.mark.parametrize("size", [0, -1, 1.5, "10"])
def test_a_chunk_size_is_a_positive_number(server: FaultServer, size: object) -> None:
    with pytest.raises(InvalidInput, match="chunk_size"):
        Download(server.url("/a")).iter_content(size)  # type: ignore[arg-type]


def test_a_content_moves_between_threads(server: FaultServer) -> None:
    server.on("/a", reply(200, BODY))
    pieces: list[bytes] = []
    with Download(server.url("/a"), validations=expectations(BODY)).iter_content(100) as content:

        def take_one() -> None:
            pieces.append(next(content, b""))

        while not content.is_verified:
            thread = threading.Thread(target=take_one)
            thread.start()
            thread.join()
        pieces.extend(content)
    assert b"".join(pieces) == BODY


@pytest.mark.parametrize("how", ["close", "cancel"])
@pytest.mark.parametrize("after", [0, 1])
def test_closing_or_cancelling_ends_it_at_any_point(
    server: FaultServer, how: str, after: int
) -> None:
    server.on("/a", stalled_body(BODY, sent=500))
    content = Download(server.url("/a")).iter_content(100)
    for _ in range(after):
        next(content)
    getattr(content, how)()
    with pytest.raises(Cancelled):
        list(content)
    content.close()
    assert content.cancel() is False
    server.wait_for(lambda: server.open == 0)


def test_closing_while_another_thread_is_about_to_return_closes_it(server: FaultServer) -> None:
    over = threading.Event()
    server.on("/a", stalled_body(BODY, sent=500))
    content = Download(server.url("/a")).iter_content(100)
    content.own(over.set)

    def close_elsewhere(*_: object) -> None:
        closing = threading.Thread(target=content.close)
        closing.start()
        closing.join()

    content.on_progress = close_elsewhere  # called when the bytes are there, and nothing waits
    assert next(content) == BODY[:99]
    assert over.is_set()
    with pytest.raises(Cancelled):
        next(content)


def test_a_content_that_is_forgotten_closes_itself(server: FaultServer) -> None:
    server.on("/a", stalled_body(BODY, sent=500))
    content = Download(server.url("/a")).iter_content(100)
    next(content)
    del content
    server.wait_for(lambda: server.open == 0)


def test_the_download_is_tried_again_until_its_head_is_there_and_not_after(
    server: FaultServer,
) -> None:
    server.on("/a", [reply(503), reply(200, BODY)])
    with Remote(max_retries=1) as remote:
        download = Download(server.url("/a"), validations=expectations(BODY), remote=remote)
        with download.iter_content() as content:
            assert b"".join(content) == BODY
    assert len(server.requests) == 2


def test_a_failure_while_reading_lists_the_tries_before_it(server: FaultServer) -> None:
    server.on("/a", [reply(503), reply(200, BODY[:-1] + b"x")])
    with Remote(max_retries=3) as remote:
        download = Download(server.url("/a"), validations=expectations(BODY), remote=remote)
        with pytest.raises(DigestMismatch) as caught, download.iter_content() as content:
            list(content)
    assert [failed.type for failed in caught.value.attempts] == ["ServerFailed", "DigestMismatch"]


def test_head_tells_size_and_headers_and_reads_no_body(server: FaultServer) -> None:
    server.on("/a", reply(200, BODY, headers={"ETag": '"e"'}))
    with Download(server.url("/a"), validations=expectations(BODY)).head() as content:
        assert (content.status, content.size, content.headers["etag"]) == (200, len(BODY), '"e"')
        assert list(content) == []
    assert [request.method for request in server.requests] == ["HEAD"]


def test_a_download_without_a_writer_can_only_be_opened(server: FaultServer) -> None:
    server.on("/a", reply(200, BODY))
    with pytest.raises(WriteError, match="iter_content"):
        Download(server.url("/a")).run()


def test_observers_are_told_each_step_in_order(server: FaultServer) -> None:
    server.on("/a", [reply(503), reply(200, BODY)])
    told: list[Event] = []
    download = Download(server.url("/a"), MemoryWriter(), validations=expectations(BODY))
    result = download.run(observer=told.append)
    assert [type(event) for event in told] == [Started, TryFailed, Progressed, Finished]
    assert all(event.download is download for event in told)
    _, failed, progressed, finished = told
    assert isinstance(failed, TryFailed)
    assert (failed.failed.type, failed.failed.status) == (ServerFailed.__name__, 503)
    assert failed.wait is not None and 0 < failed.wait <= 0.5
    assert isinstance(progressed, Progressed)
    assert progressed.total == len(BODY)
    assert isinstance(finished, Finished)
    assert (finished.result, finished.error) == (result, None)


def test_observers_of_a_stream_are_told_its_end(server: FaultServer) -> None:
    server.on("/a", reply(200, BODY))
    told: list[Event] = []
    with Download(server.url("/a")).iter_content(observer=told.append) as content:
        assert isinstance(content, Content)
        list(content)
    assert [type(event) for event in told][:1] == [Started]
    assert isinstance(told[-1], Finished)
    assert told[-1].result is not None
    assert told[-1].result.size == len(BODY)
