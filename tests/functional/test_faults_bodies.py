"""Bodies that end too early, too late, or by rules of their own."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from pulp_download import (
    ConnectionFailed,
    DigestMismatch,
    ProtocolViolation,
    SizeMismatch,
    SizeValidation,
    Truncated,
    UnverifiableLength,
)
from tests.functional.fetch import BODY, fetched, refused, remote_for, sha256, whole
from tests.servers import (
    LAST_CHUNK,
    Cut,
    FaultServer,
    Script,
    chunk,
    chunked,
    cut,
    cut_response,
    head,
    reply,
    response_bytes,
    send,
    steps,
    truncated,
    until_close,
)

CUTS = [0, 1, len(BODY) // 2, len(BODY) - 1]
HEAD = len(response_bytes(200, BODY)) - len(BODY)


@pytest.mark.fault(1)
@pytest.mark.parametrize("sent", CUTS)
def test_a_body_that_ends_before_its_length_is_truncated(
    either: FaultServer, target: Path, sent: int
) -> None:
    either.default(truncated(BODY, sent=sent))
    error = refused(Truncated, either.url("/f"), target)
    assert (error.received, error.expected) == (sent, len(BODY))
    assert error.retryable


@pytest.mark.fault(1)
@pytest.mark.parametrize("sent", CUTS)
def test_a_cut_underneath_tls_is_as_good_a_proof_that_a_body_is_truncated(
    secure: FaultServer, target: Path, sent: int
) -> None:
    secure.default(truncated(BODY, sent=sent, how=Cut.BARE))
    error = refused(Truncated, secure.url("/f"), target)
    assert (error.received, error.expected) == (sent, len(BODY))


@pytest.mark.fault(1)
def test_after_a_truncated_body_the_rest_is_asked_for_and_the_whole_is_taken(
    either: FaultServer, target: Path
) -> None:
    either.default([truncated(BODY, sent=5000), reply(200, BODY)])
    result = fetched(either.url("/f"), target, validations=whole(BODY), max_retries=1)
    assert target.read_bytes() == BODY
    assert [failed.type for failed in result.attempts] == ["Truncated"]
    asked = [request.headers.get("Range") for request in either.requests]
    assert asked == [None, "bytes=5000-"]


@pytest.mark.fault(1)
def test_a_server_that_lies_in_its_length_too_meets_the_size_that_was_listed(
    server: FaultServer, target: Path
) -> None:
    server.default(reply(200, BODY[:5000]))
    expected = [SizeValidation(len(BODY))]
    error = refused(SizeMismatch, server.url("/f"), target, validations=expected)
    assert (error.expected, error.actual) == (len(BODY), 5000)


@pytest.mark.fault(2)
@pytest.mark.parametrize("at", [0, 1, HEAD // 2, HEAD + 1, HEAD + 5000, HEAD + len(BODY) - 1])
def test_a_reset_at_any_byte_is_a_lost_connection(
    server: FaultServer, absent: Path, at: int
) -> None:
    server.default(cut_response(at, body=BODY, how=Cut.RST))
    assert refused(ConnectionFailed, server.url("/f"), absent).retryable


@pytest.mark.fault(2)
@pytest.mark.parametrize("at", [0, 1, HEAD // 2])
def test_a_reset_underneath_tls_before_the_body_is_a_lost_connection(
    secure: FaultServer, absent: Path, at: int
) -> None:
    secure.default(cut_response(at, body=BODY, how=Cut.RST))
    assert refused(ConnectionFailed, secure.url("/f"), absent).retryable


@pytest.mark.fault(2)
@pytest.mark.parametrize("at", [HEAD + 1, HEAD + 5000, HEAD + len(BODY) - 1])
def test_a_reset_underneath_tls_in_the_body_is_worth_another_try(
    secure: FaultServer, absent: Path, at: int
) -> None:
    secure.default(cut_response(at, body=BODY, how=Cut.RST))
    # CPython before 3.12.3 cannot tell it from an end of file.
    assert refused((ConnectionFailed, Truncated), secure.url("/f"), absent).retryable


HTTP_1_0 = steps(send(b"HTTP/1.0 200 OK\r\n\r\n" + BODY[:5000]), cut())


@pytest.mark.fault(3)
@pytest.mark.parametrize("answer", [until_close(BODY[:5000]), HTTP_1_0])
class TestABodyThatOnlyItsCloseEnds:
    def test_is_never_told_to_be_of_verified_length(
        self, either: FaultServer, target: Path, answer: Script
    ) -> None:
        either.default(answer)
        result = fetched(either.url("/f"), target)
        assert target.read_bytes() == BODY[:5000]
        assert not result.length_verified

    def test_is_refused_where_a_length_is_required(
        self, either: FaultServer, target: Path, answer: Script
    ) -> None:
        either.default(answer)
        error = refused(UnverifiableLength, either.url("/f"), target, require_length=True)
        assert not error.retryable

    def test_is_refused_by_its_listed_size(
        self, either: FaultServer, target: Path, answer: Script
    ) -> None:
        either.default(answer)
        error = refused(
            SizeMismatch, either.url("/f"), target, validations=[SizeValidation(len(BODY))]
        )
        assert (error.expected, error.actual) == (len(BODY), 5000)
        assert error.retryable

    def test_is_refused_by_its_listed_digest(
        self, either: FaultServer, target: Path, answer: Script
    ) -> None:
        either.default(answer)
        error = refused(DigestMismatch, either.url("/f"), target, validations=[sha256(BODY)])
        assert (error.expected, error.actual) == (
            sha256(BODY).hexdigest,
            sha256(BODY[:5000]).hexdigest,
        )
        assert error.retryable


@pytest.mark.fault(3)
def test_a_length_that_only_the_list_knows_counts_as_verified(
    server: FaultServer, target: Path
) -> None:
    server.default(until_close(BODY))
    result = fetched(
        server.url("/f"), target, validations=[SizeValidation(len(BODY))], require_length=True
    )
    assert result.length_verified


@pytest.mark.fault(4)
@pytest.mark.parametrize("how", [Cut.FIN, Cut.BARE])
@pytest.mark.parametrize(
    ("pieces", "received"),
    [
        pytest.param(b"", 0, id="before-the-first-size"),
        pytest.param(b"6", 0, id="in-a-size"),
        pytest.param(b"64\r\n", 0, id="behind-a-size"),
        pytest.param(b"64\r\n" + bytes(60), 60, id="in-a-chunk"),
        pytest.param(b"64\r\n" + bytes(100), 100, id="before-a-chunks-end"),
        pytest.param(b"64\r\n" + bytes(100) + b"\r", 100, id="in-a-chunks-end"),
        pytest.param(b"64\r\n" + bytes(100) + b"\r\n", 100, id="between-chunks"),
        pytest.param(chunk(bytes(100)) + b"0", 100, id="in-the-last-size"),
    ],
)
def test_a_chunked_body_without_its_end_is_truncated(
    either: FaultServer, target: Path, pieces: bytes, received: int, how: Cut
) -> None:
    either.default(steps(chunked([pieces], end=b""), cut(how)))
    error = refused(Truncated, either.url("/f"), target)
    assert (error.received, error.expected) == (received, None)
    assert error.retryable


@pytest.mark.fault(5)
@pytest.mark.parametrize("end", [b"0\r\n", b"0\r\nX-Trailer: here\r\n"])
def test_a_missing_last_empty_line_costs_the_connection_and_not_the_file(
    server: FaultServer, target: Path, end: bytes
) -> None:
    server.default(chunked([chunk(BODY)], end=end, keep=False))
    with remote_for() as remote:
        for _ in range(2):
            result = fetched(server.url("/f"), target, remote=remote)
            assert target.read_bytes() == BODY
            assert result.length_verified
    assert server.accepted == 2


@pytest.mark.fault(5)
def test_trailers_are_skipped_and_the_connection_is_used_again(
    server: FaultServer, target: Path
) -> None:
    server.default(chunked([chunk(BODY)], end=b"0\r\nX-One: 1\r\nX-Two: 2\r\n\r\n"))
    with remote_for() as remote:
        for _ in range(2):
            assert "X-One" not in fetched(server.url("/f"), target, remote=remote).headers
            assert target.read_bytes() == BODY
    assert server.accepted == 1


@pytest.mark.fault(5)
@pytest.mark.parametrize(
    "trailers",
    [b"X-Trailer: more\r\n" * 200_000, b"X: " + b"x" * 70_000 + b"\r\n", b"X: \0\r\n"],
    ids=["many", "long", "nul"],
)
def test_trailers_have_a_limit(server: FaultServer, target: Path, trailers: bytes) -> None:
    server.default(chunked([chunk(BODY)], end=b"0\r\n" + trailers + b"\r\n"))
    refused(ProtocolViolation, server.url("/f"), target)


SIZES = b"-5 +5 0x5 1_0 zz ffffffffffffffffff 5.0 5,5 \xb5".split()


@pytest.mark.fault(6)
@pytest.mark.parametrize("size", [*SIZES, b"", b" 5", b"5 ", b"5\t", b"5 5", b"5;\0"])
def test_a_chunk_size_that_is_no_hexadecimal_number_is_refused(
    server: FaultServer, target: Path, size: bytes
) -> None:
    server.default(chunked([chunk(b"hello", size_line=size)]))
    server.on("/good", reply(200, BODY))
    with remote_for() as remote:
        error = refused(ProtocolViolation, server.url("/f"), target, remote=remote)
        assert not error.retryable
        server.wait_for(lambda: server.open == 0)
        fetched(server.url("/good"), target, remote=remote)
    assert server.accepted == 2


@pytest.mark.fault(6)
def test_a_chunk_longer_than_its_size_is_refused(server: FaultServer, target: Path) -> None:
    server.default(chunked([chunk(b"hello", size_line=b"4")]))
    error = refused(ProtocolViolation, server.url("/f"), target)
    assert not error.retryable
    assert "end of a chunk is longer than 2 bytes" in error.reason


@pytest.mark.fault(7)
def test_a_chunk_extension_of_a_megabyte_is_refused(server: FaultServer, target: Path) -> None:
    server.default(chunked([chunk(b"hello", size_line=b"5;" + b"x" * 1_000_000)]))
    assert not refused(ProtocolViolation, server.url("/f"), target).retryable


@pytest.mark.fault(7)
def test_a_short_chunk_extension_is_skipped(server: FaultServer, target: Path) -> None:
    server.default(chunked([chunk(b"hello", size_line=b'5 ;name="value"')]))
    fetched(server.url("/f"), target)
    assert target.read_bytes() == b"hello"


@pytest.mark.fault(8)
@pytest.mark.parametrize(
    "length",
    ["abc", "5abc", "-1", "+5", "1_0", "9" * 5000, "5.0", "0x5", "5 5", "", "\xb2", "5;", '"5"'],
)
def test_a_length_that_is_no_number_is_refused(
    server: FaultServer, target: Path, length: str
) -> None:
    server.default(steps(head(200, {"Content-Length": length}), send(BODY), cut()))
    assert not refused(ProtocolViolation, server.url("/f"), target).retryable


@pytest.mark.fault(8)
def test_a_length_of_a_terabyte_fails_before_its_first_byte_where_a_limit_is_set(
    server: FaultServer, target: Path
) -> None:
    server.default(steps(head(200, {"Content-Length": "1000000000000"}), send(BODY), cut()))
    error = refused(SizeMismatch, server.url("/f"), target, max_size=10**6)
    assert (error.expected, error.actual) == (10**6, 10**12)
    listed = [SizeValidation(5)]
    error = refused(SizeMismatch, server.url("/f"), target, validations=listed)
    assert (error.expected, error.actual) == (5, 10**12)


@pytest.mark.fault(8)
def test_a_length_of_a_terabyte_without_a_limit_takes_no_room_in_advance(
    server: FaultServer, target: Path
) -> None:
    server.default(truncated(BODY, sent=5000, headers={"Content-Length": "1000000000000"}))
    error = refused(Truncated, server.url("/f"), target)
    assert (error.received, error.expected) == (5000, 10**12)


@pytest.mark.fault(9)
@pytest.mark.parametrize("lengths", [["5", "5"], ["5, 5"], ["5,5", "5"]])
def test_equal_lengths_are_one(server: FaultServer, target: Path, lengths: list[str]) -> None:
    fields = [("Content-Length", length) for length in lengths]
    server.default(steps(head(200, fields), send(b"hello")))
    fetched(server.url("/f"), target)
    assert target.read_bytes() == b"hello"


@pytest.mark.fault(9)
@pytest.mark.parametrize("lengths", [["5", "9"], ["5, 9"], ["5", ""], ["5,"]])
def test_different_lengths_are_refused(
    server: FaultServer, target: Path, lengths: list[str]
) -> None:
    fields = [("Content-Length", length) for length in lengths]
    server.default(steps(head(200, fields), send(b"hello"), cut()))
    assert not refused(ProtocolViolation, server.url("/f"), target).retryable


@pytest.mark.fault(10)
def test_chunks_win_over_a_length_and_the_connection_is_not_used_again(
    server: FaultServer, target: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server.default(chunked([chunk(BODY)], headers={"Content-Length": "3"}))
    with remote_for() as remote, caplog.at_level(logging.WARNING):
        for _ in range(2):
            fetched(server.url("/f"), target, remote=remote)
            assert target.read_bytes() == BODY
    assert server.accepted == 2
    assert "both Content-Length and Transfer-Encoding" in caplog.text


@pytest.mark.fault(10)
@pytest.mark.parametrize(
    "coding", ["gzip, chunked", "xchunked", "identity", "chunked, chunked", "chunked;q=1", ""]
)
def test_a_transfer_coding_that_is_not_chunked_is_refused(
    server: FaultServer, target: Path, coding: str
) -> None:
    fields = {"Transfer-Encoding": coding}
    server.default(steps(head(200, fields), send(chunk(BODY) + LAST_CHUNK), cut()))
    assert not refused(ProtocolViolation, server.url("/f"), target).retryable


@pytest.mark.fault(11)
def test_what_follows_the_announced_length_is_not_read_and_costs_the_connection(
    either: FaultServer, target: Path
) -> None:
    either.default(send(response_bytes(200, BODY) + b"surplus"))
    with remote_for() as remote:
        for _ in range(2):
            fetched(either.url("/f"), target, remote=remote, validations=whole(BODY))
            assert target.read_bytes() == BODY
    assert either.accepted == 2
