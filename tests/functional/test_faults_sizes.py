"""More bytes than expected, and bytes that are coded."""

from __future__ import annotations

import gzip
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pulp_download import DigestMismatch, Download, SizeMismatch, SizeValidation, Validation
from pulp_download.validations import Chunk
from pulp_download.writers import MemorySink
from tests.functional.fetch import BODY, fetched, refused, remote_for, sha256, whole
from tests.servers import (
    FaultServer,
    Script,
    chunk,
    endless_body,
    reply,
    stalled_body,
    when,
)

LIMIT = 100_000
BLOCK = bytes(65536)
CHUNKED = {"Transfer-Encoding": "chunked"}
ENDLESS = [
    pytest.param(endless_body(), id="until-close"),
    pytest.param(endless_body(headers=CHUNKED, block=chunk(BLOCK)), id="chunked"),
    pytest.param(endless_body(length=LIMIT), id="lying-length"),
]


@contextmanager
def little_memory(limit: int) -> Iterator[None]:
    """Fail if more than ``limit`` bytes are allocated at once in between."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < limit
    finally:
        tracemalloc.stop()


class Recorder:
    """A writer that remembers the most bytes it was ever given, whatever became of them."""

    path = None

    def __init__(self) -> None:
        self.written = 0
        self.committed: list[bytes] = []

    def open(self) -> MemorySink:
        recorder = self

        class Sink(MemorySink):
            def write(self, chunk: Chunk) -> None:
                recorder.written += len(chunk)
                super().write(chunk)

        return Sink(self.committed.append)


@pytest.mark.fault(14)
@pytest.mark.parametrize("answer", ENDLESS[:2])
@pytest.mark.parametrize("listed", [True, False])
def test_a_body_without_an_end_is_cut_off_at_the_limit(
    either: FaultServer, target: Path, answer: Script, listed: bool
) -> None:
    either.default(answer)
    validations: list[Validation] = [SizeValidation(LIMIT), sha256(BODY)] if listed else []
    with little_memory(4_000_000):
        error = refused(
            SizeMismatch,
            either.url("/f"),
            target,
            validations=validations,
            max_size=None if listed else LIMIT,
        )
    assert (error.expected, error.actual) == (LIMIT, LIMIT + 1)
    either.wait_for(lambda: either.open == 0)


@pytest.mark.fault(14)
@pytest.mark.parametrize("answer", ENDLESS)
def test_no_byte_beyond_the_expected_size_is_written(server: FaultServer, answer: Script) -> None:
    server.default(answer)
    recorder = Recorder()
    with remote_for() as remote, pytest.raises((SizeMismatch, DigestMismatch)):
        Download(
            server.url("/f"),
            recorder,
            remote=remote,
            validations=[SizeValidation(LIMIT), sha256(BODY)],
        ).run()
    assert recorder.written <= LIMIT
    assert recorder.committed == []


@pytest.mark.fault(14)
def test_what_follows_a_length_that_is_right_is_left_alone(
    either: FaultServer, target: Path
) -> None:
    either.default(endless_body(length=LIMIT))
    fetched(either.url("/f"), target, validations=whole(bytes(LIMIT)))
    assert target.read_bytes() == bytes(LIMIT)


@pytest.mark.fault(14)
@pytest.mark.parametrize("listed", [True, False])
def test_a_true_length_above_the_limit_fails_before_the_body(
    either: FaultServer, target: Path, listed: bool
) -> None:
    either.default(stalled_body(bytes(LIMIT + 1)))
    error = refused(
        SizeMismatch,
        either.url("/f"),
        target,
        validations=[SizeValidation(LIMIT)] if listed else [],
        max_size=None if listed else LIMIT,
    )
    assert (error.expected, error.actual) == (LIMIT, LIMIT + 1)


@pytest.mark.fault(14)
def test_a_limit_that_is_just_met_is_no_fault(server: FaultServer, target: Path) -> None:
    server.default(reply(200, bytes(LIMIT)))
    assert fetched(server.url("/f"), target, max_size=LIMIT).size == LIMIT


@pytest.mark.fault(14)
@pytest.mark.parametrize("first", [reply(200, BODY + b"x"), endless_body()])
def test_a_body_that_is_too_long_is_not_asked_for_again(
    server: FaultServer, target: Path, first: Script
) -> None:
    server.default([first, reply(200, BODY)])
    error = refused(SizeMismatch, server.url("/f"), target, validations=whole(BODY), max_retries=1)
    assert not error.retryable
    assert len(server.requests) == 1


ARCHIVE = gzip.compress(BODY, mtime=0)


@pytest.mark.fault(47)
@pytest.mark.parametrize("listed", [True, False])
def test_a_gz_file_declared_as_coded_is_stored_as_published(
    server: FaultServer, target: Path, listed: bool
) -> None:
    server.default(reply(200, ARCHIVE, headers={"Content-Encoding": "gzip"}))
    result = fetched(server.url("/f.gz"), target, validations=whole(ARCHIVE) if listed else [])
    assert target.read_bytes() == ARCHIVE
    assert result.size == len(ARCHIVE)
    assert server.requests[0].headers.all("Accept-Encoding") == ["identity"]


@pytest.mark.fault(47)
def test_a_streamed_gz_file_is_handed_on_as_published(server: FaultServer) -> None:
    server.default(reply(200, ARCHIVE, headers={"Content-Encoding": "gzip"}))
    with (
        remote_for() as remote,
        Download(server.url("/f.gz"), remote=remote).iter_content(chunk_size=7) as content,
    ):
        assert b"".join(content) == ARCHIVE
        assert content.headers["Content-Encoding"] == "gzip"


@pytest.mark.fault(47)
def test_a_file_compressed_on_the_way_is_refused_by_its_digest(
    server: FaultServer, target: Path
) -> None:
    server.default(reply(200, ARCHIVE, headers={"Content-Encoding": "gzip"}))
    error = refused(DigestMismatch, server.url("/f"), target, validations=[sha256(BODY)])
    assert error.actual == sha256(ARCHIVE).hexdigest
    listed = refused(SizeMismatch, server.url("/f"), target, validations=whole(BODY))
    assert (listed.expected, listed.actual) == (len(BODY), len(ARCHIVE))


@pytest.mark.fault(47)
def test_a_server_that_compresses_for_those_who_ask_is_not_asked(
    server: FaultServer, target: Path
) -> None:
    server.default(
        when(
            lambda request: "gzip" in request.headers.get("Accept-Encoding", "*gzip"),
            reply(200, ARCHIVE, headers={"Content-Encoding": "gzip"}),
            reply(200, BODY),
        )
    )
    fetched(server.url("/f"), target, validations=whole(BODY))


@pytest.mark.fault(47)
@pytest.mark.parametrize("coding", ["gzip", "br", "gzip, gzip, gzip, gzip, gzip, gzip", "\xff"])
def test_a_declared_coding_that_is_none_changes_nothing(
    server: FaultServer, target: Path, coding: str
) -> None:
    server.default(reply(200, BODY, headers={"Content-Encoding": coding}))
    fetched(server.url("/f"), target, validations=whole(BODY))
    assert target.read_bytes() == BODY
