"""The body of an answer, delimited strictly, and read the same however it arrives."""

from __future__ import annotations

import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulp_download.adapters.bodies import (
    Body,
    ChunkedBody,
    LengthBody,
    UntilCloseBody,
    body_of,
)
from pulp_download.adapters.wire import Wire
from pulp_download.errors import ProtocolViolation, Truncated
from tests.unit.adapters.pieces import Pieces, cut_at, places, split_anywhere

CHUNKED = b"Transfer-Encoding: chunked\r\n"


def opened(
    *pieces: bytes,
    fields: bytes = b"",
    status: int = 200,
    method: str = "GET",
    version: int = 1,
    ending: Exception | None = None,
) -> tuple[Body, Wire]:
    """Return the body behind a head of these fields, whose bytes come in these pieces."""
    head = f"HTTP/1.{version} {status} Reason\r\n".encode() + fields + b"\r\n"
    wire = Wire(Pieces([head, *pieces], ending))
    return body_of(wire.head(), method, wire), wire


def whole(body: Body, limit: int = 3) -> bytes:
    parts = []
    while part := bytes(body.read(limit)):
        assert len(part) <= limit
        parts.append(part)
    assert bytes(body.read(limit)) == b"", "the end stays the end"
    return b"".join(parts)


def received_before(body: Body) -> tuple[bytes, Exception]:
    """Return the bytes that came before the failure, and the failure."""
    received = b""
    with pytest.raises((ProtocolViolation, Truncated)) as caught:
        while part := bytes(body.read()):
            received += part
    return received, caught.value


def length(value: bytes | int) -> bytes:
    text = str(value).encode() if isinstance(value, int) else value
    return b"Content-Length: " + text + b"\r\n"


# A length.


def test_a_body_of_a_length_is_read_the_same_wherever_it_is_cut() -> None:
    data = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789"
    for pieces in split_anywhere(data):
        wire = Wire(Pieces(pieces))
        body = body_of(wire.head(), "GET", wire)
        assert (type(body), body.length) == (LengthBody, 10)
        assert not body.is_reusable
        assert whole(body) == b"0123456789"
        assert body.is_reusable


@pytest.mark.fault(1)
@pytest.mark.parametrize("sent", [0, 1, 5, 9])
def test_a_body_that_ends_before_its_length_is_cut(sent: int) -> None:
    body, _ = opened(b"0123456789"[:sent], fields=length(10))
    received, error = received_before(body)
    assert received == b"0123456789"[:sent]
    assert isinstance(error, Truncated) and (error.received, error.expected) == (sent, 10)
    assert not body.is_reusable


@pytest.mark.fault(1, 67)
def test_an_end_that_tls_does_not_vouch_for_cuts_a_body_too() -> None:
    body, _ = opened(b"01234", fields=length(10), ending=ssl.SSLEOFError(8, "EOF"))
    received, error = received_before(body)
    assert received == b"01234" and isinstance(error, Truncated)


@pytest.mark.fault(11, 12)
@pytest.mark.parametrize("surplus", [b"x", b"HTTP/1.1 200 OK\r\n"])
def test_bytes_behind_the_body_are_no_part_of_it_and_end_the_connection(surplus: bytes) -> None:
    body, wire = opened(b"01234" + surplus, fields=length(5))
    assert whole(body) == b"01234"
    assert wire.pending == len(surplus)
    assert not body.is_reusable


@pytest.mark.fault(192)
def test_no_more_is_received_than_is_asked_for_but_for_what_follows_the_last_byte() -> None:
    body, wire = opened(bytes(450_000) + b"surplus", fields=length(450_000))
    for _ in range(2):
        assert len(body.read(150_000)) == 150_000
        assert not wire.pending
    assert len(body.read(150_000)) == 150_000
    assert wire.pending == len(b"surplus")
    assert not body.is_reusable


def test_a_read_of_nothing_is_not_taken_for_the_end() -> None:
    body, _ = opened(b"01234", fields=length(5))
    assert bytes(body.read(0)) == b""
    assert whole(body) == b"01234"


@pytest.mark.parametrize(
    ("fields", "pieces", "is_at_hand"),
    [
        (length(4), [], [False]),
        (length(4), [b"body"], [False, True]),
        (length(4), [b"bo", b"dy"], [False, False, True]),
        (length(0), [], [True]),
        (CHUNKED, [b"4\r\nbody\r\n0\r\n\r\n"], [False, False]),
        (b"", [b"body"], [False, False]),
    ],
)
def test_a_body_is_at_hand_when_all_that_is_left_of_its_length_was_received(
    fields: bytes, pieces: list[bytes], is_at_hand: list[bool]
) -> None:
    body, wire = opened(*pieces, fields=fields)
    found = [body.is_at_hand]
    for _ in pieces:
        wire.fill()
        found.append(body.is_at_hand)
    assert found == is_at_hand


def test_an_empty_body_is_over_without_a_read() -> None:
    body, wire = opened(fields=length(0))
    reads = wire._socket.reads  # type: ignore[attr-defined]
    assert (whole(body), body.length, body.is_reusable) == (b"", 0, True)
    assert wire._socket.reads == reads  # type: ignore[attr-defined]


@pytest.mark.fault(8, 9)
@pytest.mark.parametrize(
    ("fields", "number"),
    [
        (length(5), 5),
        (length(b"0"), 0),
        (length(b"005"), 5),
        (length(b" 5 \t"), 5),
        (length(10**12), 10**12),
        (length(10**19 - 1), 10**19 - 1),
        (length(5) + length(5), 5),
        (length(b"5, 5"), 5),
        (length(b"5,5 ,\t5"), 5),
    ],
)
def test_a_length_is_digits_once_or_the_same_again(fields: bytes, number: int) -> None:
    assert opened(fields=fields)[0].length == number


BAD_LENGTHS = {
    "words": length(b"abc"),
    "digits and words": length(b"5abc"),
    "negative": length(b"-1"),
    "signed": length(b"+5"),
    "an underscore": length(b"1_0"),
    "hexadecimal": length(b"0x5"),
    "a fraction": length(b"5.0"),
    "an exponent": length(b"1e3"),
    "20 digits": length(10**19),
    "5000 digits": length(b"9" * 5000),
    "empty": length(b""),
    "superscript": length("\u00b2".encode("latin-1")),
    "a no-break space": length(b"\xa05"),
    "a vertical tab": length(b"\x0b5"),
    "a next line": length(b"5\x85"),
    "two": length(5) + length(9),
    "two in one line": length(b"5, 9"),
    "two spellings": length(b"5, 05"),
    "one and nothing": length(b"5,"),
    "a blank between": length(b"5 5"),
}


@pytest.mark.fault(8, 9)
@pytest.mark.parametrize("fields", BAD_LENGTHS.values(), ids=BAD_LENGTHS)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_length_that_is_no_number_is_refused_before_a_byte_is_read(
    fields: bytes, method: str
) -> None:
    with pytest.raises(ProtocolViolation, match="malformed Content-Length") as caught:
        opened(b"01234", fields=fields, method=method)
    assert not caught.value.retryable
    assert str(caught.value).isprintable()


# No body.


@pytest.mark.fault(12)
@pytest.mark.parametrize(
    ("method", "status", "fields", "is_reusable"),
    [
        ("HEAD", 200, length(10), True),
        ("HEAD", 200, CHUNKED, True),
        ("HEAD", 200, b"", True),
        ("HEAD", 200, b"Connection: close\r\n", False),
        ("GET", 204, b"", True),
        ("GET", 304, b"", True),
        ("GET", 304, length(0), True),
        ("GET", 204, length(10), False),
        ("GET", 304, length(10), False),
        ("GET", 304, CHUNKED, False),
    ],
)
def test_an_answer_without_a_body_has_none_whatever_it_promises(
    method: str, status: int, fields: bytes, is_reusable: bool
) -> None:
    body, _ = opened(fields=fields, method=method, status=status)
    assert (whole(body), body.length, body.is_reusable) == (b"", 0, is_reusable)


@pytest.mark.fault(12)
def test_a_body_where_there_is_none_ends_the_connection() -> None:
    head = b"HTTP/1.1 204 No Content\r\n\r\n"
    wire = Wire(Pieces([head + b"surplus"]))
    body = body_of(wire.head(), "GET", wire)
    assert whole(body) == b""
    assert not body.is_reusable


# Persistence.


@pytest.mark.fault(12)
@pytest.mark.parametrize(
    ("version", "fields", "is_reusable"),
    [
        (1, b"", True),
        (1, b"Connection: keep-alive\r\n", True),
        (1, b"Connection: close\r\n", False),
        (1, b"Connection: Close\r\n", False),
        (1, b"Connection: x, close ,y\r\n", False),
        (1, b"Connection: x\r\nConnection: close\r\n", False),
        (1, b"Connection: closed\r\n", True),
        (0, b"", False),
        (0, b"Connection: keep-alive\r\n", True),
        (0, b"Connection: Keep-Alive, x\r\n", True),
        (0, b"Connection: close, keep-alive\r\n", False),
    ],
)
def test_a_connection_is_used_again_if_both_sides_want_that(
    version: int, fields: bytes, is_reusable: bool
) -> None:
    body, _ = opened(b"x", fields=length(1) + fields, version=version)
    whole(body)
    assert body.is_reusable is is_reusable


# Until the end of the connection.


@pytest.mark.fault(3)
def test_a_body_without_a_length_lasts_until_the_end() -> None:
    for pieces in split_anywhere(b"0123456789"):
        body, _ = opened(*pieces)
        assert (type(body), body.length) == (UntilCloseBody, None)
        assert whole(body) == b"0123456789"
        assert not body.is_reusable


@pytest.mark.fault(3, 67)
def test_a_body_without_a_length_is_cut_where_tls_does_not_vouch_for_its_end() -> None:
    body, _ = opened(b"01234", ending=ssl.SSLEOFError(8, "EOF"))
    received, error = received_before(body)
    assert received == b"01234"
    assert isinstance(error, Truncated) and (error.received, error.expected) == (5, None)


# Chunks.

TWO_CHUNKS = b"5\r\n01234\r\n5\r\n56789\r\n0\r\n\r\n"


def test_a_chunked_body_is_read_the_same_wherever_it_is_cut() -> None:
    head = b"HTTP/1.1 200 OK\r\n" + CHUNKED + b"\r\n"
    for pieces in split_anywhere(head + TWO_CHUNKS):
        wire = Wire(Pieces(pieces))
        body = body_of(wire.head(), "GET", wire)
        assert (type(body), body.length) == (ChunkedBody, None)
        assert not body.is_reusable
        assert whole(body) == b"0123456789"
        assert body.is_reusable


@pytest.mark.parametrize(
    "data",
    [
        b"a\r\n0123456789\r\n0\r\n\r\n",
        b"A\r\n0123456789\r\n0\r\n\r\n",
        b"000a\r\n0123456789\r\n000\r\n\r\n",
        b"a;name=value\r\n0123456789\r\n0;last\r\n\r\n",
        b"a \t;x\r\n0123456789\r\n0\r\n\r\n",
        b"a\r\n0123456789\r\n0\r\nTrailer: x\r\nOther: y\r\n\r\n",
        b"a\r\n0123456789\r\n0\r\nTrailer: x\n\n",
        b"".join(b"1\r\n%d\r\n" % digit for digit in range(10)) + b"0\r\n\r\n",
    ],
)
def test_chunks_are_read(data: bytes) -> None:
    body, wire = opened(data, fields=CHUNKED)
    assert whole(body) == b"0123456789"
    assert (body.is_reusable, wire.pending) == (True, 0)


def test_an_empty_chunked_body_is_over() -> None:
    body, _ = opened(b"0\r\n\r\n", fields=CHUNKED)
    assert (whole(body), body.is_reusable) == (b"", True)


@pytest.mark.fault(11, 12)
def test_bytes_behind_the_last_chunk_end_the_connection() -> None:
    body, _ = opened(TWO_CHUNKS + b"HTTP/1.1 200", fields=CHUNKED)
    assert (whole(body), body.is_reusable) == (b"0123456789", False)


@pytest.mark.fault(4)
def test_a_chunked_body_that_is_cut_anywhere_before_its_last_chunk_is_cut() -> None:
    last = len(TWO_CHUNKS) - len(b"\r\n")
    for sent in range(last):
        for ending in (None, ssl.SSLEOFError(8, "EOF")):
            body, _ = opened(TWO_CHUNKS[:sent], fields=CHUNKED, ending=ending)
            received, error = received_before(body)
            assert isinstance(error, Truncated) and error.received == len(received)
            assert b"0123456789".startswith(received)
            assert not body.is_reusable


@pytest.mark.fault(5)
@pytest.mark.parametrize("missing", [b"\r\n", b"\n"])
def test_without_its_last_empty_line_a_body_is_whole_and_its_connection_is_not(
    missing: bytes,
) -> None:
    body, _ = opened(TWO_CHUNKS.removesuffix(missing), fields=CHUNKED)
    assert (whole(body), body.is_reusable) == (b"0123456789", False)


BAD_SIZES = {
    "negative": b"-5",
    "signed": b"+5",
    "0x": b"0x5",
    "an underscore": b"1_0",
    "not hexadecimal": b"zz",
    "empty": b"",
    "a blank before": b" 5",
    "a blank after": b"5 ",
    "a tab after": b"5\t",
    "two": b"5 5",
    "17 digits": b"f" * 17,
    "18 digits": b"f" * 18,
    "5000 digits": b"f" * 5000,
    "NUL": b"5\0",
    "NUL in the extension": b"5;x\0",
    "a bare CR in the extension": b"5;x\ry",
    "full-width": "\uff15".encode(),
}


@pytest.mark.fault(6, 7)
@pytest.mark.parametrize("size", BAD_SIZES.values(), ids=BAD_SIZES)
@pytest.mark.parametrize("before", [b"", b"1\r\nx\r\n"], ids=["first", "second"])
def test_a_chunk_size_that_is_no_number_is_refused(size: bytes, before: bytes) -> None:
    body, _ = opened(before + size + b"\r\n01234\r\n0\r\n\r\n", fields=CHUNKED)
    received, error = received_before(body)
    assert received == (b"x" if before else b"")
    assert isinstance(error, ProtocolViolation) and not error.retryable
    assert not body.is_reusable


@pytest.mark.fault(6)
def test_a_chunk_line_ends_with_both_characters() -> None:
    body, _ = opened(b"5\n01234\r\n0\r\n\r\n", fields=CHUNKED)
    assert isinstance(received_before(body)[1], ProtocolViolation)


@pytest.mark.fault(6)
@pytest.mark.parametrize("end", [b"", b"\n", b"xx", b"\rx", b"5\r\n", b"\n\r"])
def test_a_chunk_is_exactly_as_long_as_its_size(end: bytes) -> None:
    body, _ = opened(b"5\r\n01234" + end + b"0\r\n\r\n", fields=CHUNKED)
    received, error = received_before(body)
    assert received == b"01234" and isinstance(error, ProtocolViolation)


@pytest.mark.fault(7)
def test_a_chunk_line_is_at_most_4096_bytes() -> None:
    body, _ = opened(b"5;" + b"x" * 4092 + b"\r\n01234\r\n0\r\n\r\n", fields=CHUNKED)
    assert whole(body) == b"01234"
    body, _ = opened(b"5;" + b"x" * (1 << 20) + b"\r\n01234\r\n0\r\n\r\n", fields=CHUNKED)
    assert isinstance(received_before(body)[1], ProtocolViolation)


@pytest.mark.fault(5)
@pytest.mark.parametrize(
    "trailers",
    [b"X: y\r\n" * 20_000, b"X: " + b"y" * 5000 + b"\r\n", b"X: \0\r\n"],
    ids=["many", "long", "NUL"],
)
def test_trailers_are_bounded(trailers: bytes) -> None:
    body, _ = opened(b"5\r\n01234\r\n0\r\n" + trailers + b"\r\n", fields=CHUNKED)
    received, error = received_before(body)
    assert received == b"01234" and isinstance(error, ProtocolViolation)
    assert not body.is_reusable


@pytest.mark.fault(10)
def test_chunks_win_over_a_length_and_end_the_connection() -> None:
    body, _ = opened(TWO_CHUNKS, fields=CHUNKED + length(3))
    assert (whole(body), body.is_reusable) == (b"0123456789", False)


@pytest.mark.fault(10)
@pytest.mark.parametrize("value", [b"chunked", b"Chunked", b"CHUNKED", b" chunked\t"])
def test_the_one_coding_is_known_in_any_case(value: bytes) -> None:
    body, _ = opened(TWO_CHUNKS, fields=b"Transfer-Encoding: " + value + b"\r\n")
    assert whole(body) == b"0123456789"


@pytest.mark.fault(10)
@pytest.mark.parametrize(
    "value",
    [
        *(b"gzip, chunked", b"chunked, gzip", b"xchunked", b"identity", b"gzip", b"", b"chunked;x"),
        *(b"chunked, chunked", b"chunked\r\nTransfer-Encoding: chunked", b"\x0bchunked"),
        *(b"chunked\xa0", b"\x85chunked", b"\x1cchunked", b"chun\r\n ked"),
    ],
)
def test_any_other_coding_is_refused(value: bytes) -> None:
    fields = b"Transfer-Encoding: " + value + b"\r\n" + length(5)
    with pytest.raises(ProtocolViolation, match="unknown transfer coding") as caught:
        opened(b"01234", fields=fields)
    assert not caught.value.retryable


# Any body.


@given(st.binary(min_size=1, max_size=300), places, places, st.integers(1, 50), st.booleans())
def test_any_body_is_read_as_it_was_sent(
    data: bytes, chunks: list[int], cuts: list[int], limit: int, is_chunked: bool
) -> None:
    if is_chunked:
        pieces = [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in cut_at(data, chunks)]
        body, _ = opened(*cut_at(b"".join(pieces) + b"0\r\n\r\n", cuts), fields=CHUNKED)
    else:
        body, _ = opened(*cut_at(data, cuts), fields=length(len(data)))
    assert whole(body, limit) == data
    assert body.is_reusable


@given(st.binary(max_size=100), places)
@pytest.mark.fault(6)
def test_any_bytes_for_chunks_are_a_body_or_one_of_two_errors(raw: bytes, cuts: list[int]) -> None:
    body, _ = opened(*cut_at(raw, cuts), fields=CHUNKED)
    try:
        whole(body)
    except (ProtocolViolation, Truncated):
        assert not body.is_reusable
