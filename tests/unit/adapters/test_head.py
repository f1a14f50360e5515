"""The head of an answer: read the same however it arrives, and strictly."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulp_download.adapters.head import Head, parse_head
from pulp_download.adapters.wire import BUFFER_SIZE, NoAnswer, Wire
from pulp_download.errors import Cancelled, ProtocolViolation
from pulp_download.settings import TimeLimits
from pulp_download.watch import Watch
from tests.unit.adapters.pieces import Pieces, cut_at, places, split_anywhere


def read_head(*pieces: bytes) -> Head:
    return Wire(Pieces(pieces)).head()


def fields(head: Head) -> list[tuple[str, str]]:
    return list(head.headers.iteritems())


ANSWER = b"HTTP/1.1 200 OK\r\nA: 1\r\nB: 2\r\na: 3\r\n\r\n"
REST = b"the body\r\n\r\nHTTP/1.1 200"


def test_a_head_is_read_and_what_follows_stays() -> None:
    wire = Wire(Pieces([ANSWER + REST]))
    head = wire.head()
    assert (head.version, head.status, head.reason) == (1, 200, "OK")
    assert head.headers.getlist("A") == ["1", "3"]
    assert (head.headers["a"], head.headers["B"]) == ("1, 3", "2")
    assert wire.pending == len(REST)
    assert bytes(wire.take(100)) == REST


def test_a_head_is_read_the_same_wherever_it_is_cut() -> None:
    interim = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
    whole = read_head(ANSWER)
    for pieces in split_anywhere(interim + ANSWER + REST):
        wire = Wire(Pieces(pieces))
        head = wire.head()
        assert (head.status, head.reason, fields(head)) == (200, "OK", fields(whole))
        rest = b""
        while wire.pending or wire.fill():
            rest += bytes(wire.take(3))
        assert rest == REST


def test_a_head_with_bare_line_feeds_is_read_the_same_wherever_it_is_cut() -> None:
    for pieces in split_anywhere(b"HTTP/1.1 200 OK\nA: 1\n\nrest"):
        wire = Wire(Pieces(pieces))
        assert fields(wire.head()) == [("A", "1")]


@pytest.mark.parametrize(
    ("line", "version", "status", "reason"),
    [
        (b"HTTP/1.1 200 OK", 1, 200, "OK"),
        (b"HTTP/1.0 404 Not Found", 0, 404, "Not Found"),
        (b"HTTP/1.1 200 ", 1, 200, ""),
        (b"HTTP/1.1 200", 1, 200, ""),
        (b"HTTP/1.1 999 Odd", 1, 999, "Odd"),
        (b"HTTP/1.1 500 \xfcbel\x1b[31m", 1, 500, "\u00fcbel\x1b[31m"),
    ],
)
@pytest.mark.fault(21)
def test_a_status_line_is_read(line: bytes, version: int, status: int, reason: str) -> None:
    head = read_head(line + b"\r\n\r\n")
    assert (head.version, head.status, head.reason) == (version, status, reason)
    assert fields(head) == []


BAD_STATUS_LINES = {
    "not HTTP": b"hello world\r\n\r\n",
    "HTTP/0.9": b"<html>\r\n\r\n",
    "ICY": b"ICY 200 OK\r\n\r\n",
    "HTTP/2 by text": b"HTTP/2 200\r\n\r\n",
    "HTTP/2 by preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/1.2": b"HTTP/1.2 200 OK\r\n\r\n",
    "HTTP/1.10": b"HTTP/1.10 200 OK\r\n\r\n",
    "lower case": b"http/1.1 200 OK\r\n\r\n",
    "status 99": b"HTTP/1.1 99 Low\r\n\r\n",
    "status 099": b"HTTP/1.1 099 Low\r\n\r\n",
    "status 2000": b"HTTP/1.1 2000 High\r\n\r\n",
    "status abc": b"HTTP/1.1 abc Words\r\n\r\n",
    "status -20": b"HTTP/1.1 -20 Minus\r\n\r\n",
    "status +20": b"HTTP/1.1 +20 Plus\r\n\r\n",
    "a hundred digits": b"HTTP/1.1 " + b"2" * 100 + b" OK\r\n\r\n",
    "no status": b"HTTP/1.1\r\n\r\n",
    "no blank": b"HTTP/1.1200 OK\r\n\r\n",
    "two blanks": b"HTTP/1.1  200 OK\r\n\r\n",
    "a tab": b"HTTP/1.1\t200\tOK\r\n\r\n",
    "a blank before it": b" HTTP/1.1 200 OK\r\n\r\n",
    "a line before it": b"\r\nHTTP/1.1 200 OK\r\n\r\n",
    "NUL": b"HTTP/1.1 200 O\0K\r\n\r\n",
    "a bare CR": b"HTTP/1.1 200 O\rK\r\n\r\n",
    "Arabic digits": "HTTP/1.1 \u0662\u0660\u0660 OK\r\n\r\n".encode(),
}


@pytest.mark.fault(15, 18, 21)
@pytest.mark.parametrize("raw", BAD_STATUS_LINES.values(), ids=BAD_STATUS_LINES)
def test_a_malformed_status_line_is_refused(raw: bytes) -> None:
    for pieces in split_anywhere(raw):
        with pytest.raises(ProtocolViolation) as caught:
            read_head(*pieces)
        assert str(caught.value).isprintable()


@pytest.mark.fault(15)
@pytest.mark.parametrize("begin", [b"H", b"HTTP/1"])
def test_what_does_not_begin_like_http_is_refused_without_waiting_for_more(begin: bytes) -> None:
    source = Pieces([begin, b"!", b"never asked for"])
    with pytest.raises(ProtocolViolation, match="not an HTTP/1 answer"):
        Wire(source).head()
    assert source.reads == 2


@pytest.mark.parametrize(
    ("line", "name", "value"),
    [
        (b"A: 1", "A", "1"),
        (b"A:1", "A", "1"),
        (b"A:", "A", ""),
        (b"A: ", "A", ""),
        (b"A: \t 1 2 \t", "A", "1 2"),
        (b"A: b:c", "A", "b:c"),
        (b"!#$%&'*+-.^_`|~09Az: 1", "!#$%&'*+-.^_`|~09Az", "1"),
        (b"A: \xe4\xff", "A", "\u00e4\u00ff"),
        (b"A: \x1b[31m\x0b", "A", "\x1b[31m\x0b"),
        (b"A: 1\r\n 2", "A", "1 2"),
        (b"A: 1\r\n\t \t2\r\n 3", "A", "1 2 3"),
        (b"A: 1\n 2", "A", "1 2"),
        (b"A:\r\n 1", "A", "1"),
    ],
)
@pytest.mark.fault(18, 21)
def test_a_field_line_is_read(line: bytes, name: str, value: str) -> None:
    head = read_head(b"HTTP/1.1 200 OK\r\nX: y\r\n" + line + b"\r\nContent-Length: 5\r\n\r\n")
    assert fields(head) == [("X", "y"), (name, value), ("Content-Length", "5")]


BAD_FIELD_LINES = {
    "no colon": b"A",
    "no name": b": 1",
    "a blank before the colon": b"A : 1",
    "a tab before the colon": b"A\t: 1",
    "a blank in the name": b"A B: 1",
    "NUL in the value": b"A: 1\0",
    "NUL in the name": b"A\0: 1",
    "a bare CR in the value": b"A: 1\r2",
    "a bare CR in the name": b"A\r: 1",
    "non-ASCII in the name": b"\xe4: 1",
    "a slash in the name": b"A/B: 1",
    "a NUL in a continuation": b"A: 1\r\n 2\0",
    "a continuation of nothing": b"\x0b: 1",
}


@pytest.mark.fault(18)
@pytest.mark.parametrize("line", BAD_FIELD_LINES.values(), ids=BAD_FIELD_LINES)
@pytest.mark.parametrize("before", [b"", b"X: y\r\n"], ids=["first", "second"])
def test_a_malformed_field_line_is_refused_and_hides_no_length(line: bytes, before: bytes) -> None:
    raw = b"HTTP/1.1 200 OK\r\n" + before + line + b"\r\nContent-Length: 5\r\n\r\n"
    with pytest.raises(ProtocolViolation, match="malformed field line") as caught:
        read_head(raw)
    assert not caught.value.retryable
    assert str(caught.value).isprintable()


@pytest.mark.fault(18)
def test_a_continuation_before_the_first_field_is_refused() -> None:
    with pytest.raises(ProtocolViolation):
        read_head(b"HTTP/1.1 200 OK\r\n folded\r\n\r\n")


@pytest.mark.fault(13)
def test_an_end_inside_the_head_is_no_head() -> None:
    for length in range(1, len(ANSWER)):
        with pytest.raises(ProtocolViolation, match="inside the head") as caught:
            read_head(ANSWER[:length])
        assert caught.value.retryable


def test_an_end_before_the_first_byte_is_a_connection_that_was_reset() -> None:
    with pytest.raises(NoAnswer):
        read_head()
    assert issubclass(NoAnswer, ConnectionResetError)


# Interim answers.


@pytest.mark.fault(19)
@pytest.mark.parametrize("status", [100, 102, 103, 199])
def test_an_interim_answer_is_skipped_with_its_fields(status: int) -> None:
    interim = f"HTTP/1.1 {status} Wait\r\nContent-Length: 99\r\n\r\n".encode()
    assert fields(read_head(interim * 3 + ANSWER)) == fields(read_head(ANSWER))


@pytest.mark.fault(19)
def test_a_switch_of_protocols_that_nobody_asked_for_is_refused() -> None:
    with pytest.raises(ProtocolViolation, match="101"):
        read_head(b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n" + ANSWER)


@pytest.mark.fault(20)
def test_ten_interim_answers_are_skipped_and_an_eleventh_is_refused() -> None:
    interim = b"HTTP/1.1 100 Continue\r\n\r\n"
    assert read_head(interim * 10 + ANSWER).status == 200
    source = Pieces([interim] * 1000)
    with pytest.raises(ProtocolViolation, match="more than 10 interim answers"):
        Wire(source).head()
    assert source.reads == 11


@pytest.mark.fault(13, 19)
def test_an_end_after_an_interim_answer_is_no_answer() -> None:
    with pytest.raises(NoAnswer):
        read_head(b"HTTP/1.1 103 Early Hints\r\n\r\n")


# Limits.


@pytest.mark.fault(17)
def test_a_thousand_fields_are_read_and_one_more_is_refused() -> None:
    def answer(count: int) -> bytes:
        lines = [f"X-{number}: {number}" for number in range(count)]
        return "\r\n".join(["HTTP/1.1 200 OK", *lines, "", ""]).encode()

    assert len(read_head(answer(1000)).headers) == 1000
    with pytest.raises(ProtocolViolation, match="more than 1000 fields"):
        read_head(answer(1001))


@pytest.mark.fault(16)
@pytest.mark.parametrize("begin", [b"HTTP/1.1 200 ", b"HTTP/1.1 200 OK\r\nX: "])
def test_a_line_of_60000_bytes_is_read_and_one_of_70000_is_refused(begin: bytes) -> None:
    assert read_head(begin + b"x" * 60_000 + b"\r\n\r\n").status == 200
    with pytest.raises(ProtocolViolation, match="longer than 65536 bytes"):
        read_head(begin + b"x" * 70_000 + b"\r\n\r\n")


@pytest.mark.fault(16)
def test_a_folded_line_is_as_long_as_its_parts_together() -> None:
    folded = b"\r\n ".join([b"x" * 1000] * 70)
    with pytest.raises(ProtocolViolation, match="longer than 65536 bytes"):
        read_head(b"HTTP/1.1 200 OK\r\nX: " + folded + b"\r\n\r\n")


@pytest.mark.fault(16)
@pytest.mark.parametrize("size", [1000, 65_536, BUFFER_SIZE, BUFFER_SIZE * 2])
def test_an_endless_head_is_refused_at_the_end_of_the_buffer(size: int) -> None:
    source = Pieces([b"HTTP/1.1 200 OK\r\n", *[b"X: " + b"x" * (size - 5) + b"\r\n"] * 1000])
    with pytest.raises(ProtocolViolation, match="head is longer than 262144 bytes"):
        Wire(source).head()


# The wire.


def test_the_buffer_is_used_again_for_every_read() -> None:
    wire = Wire(Pieces([b"a" * 1000] * 3000))
    total = 0
    while wire.fill():
        total += len(wire.take(BUFFER_SIZE))
    assert total == 3_000_000


def test_what_is_pending_is_moved_when_the_buffer_is_full() -> None:
    wire = Wire(Pieces([b"x" * (BUFFER_SIZE - 2), b"abcd\n"]))
    assert wire.fill() == BUFFER_SIZE - 2
    wire.take(BUFFER_SIZE - 3)
    assert wire.line(10) == b"xabcd\n"


def test_a_line_is_read_with_its_end_wherever_it_is_cut() -> None:
    for pieces in split_anywhere(b"one\r\ntwo\nrest"):
        wire = Wire(Pieces(pieces))
        assert [wire.line(100) for _ in range(4)] == [b"one\r\n", b"two\n", b"rest", b""]


@pytest.mark.fault(7)
def test_a_line_is_refused_at_its_limit() -> None:
    assert Wire(Pieces([b"1234\n"])).line(5) == b"1234\n"
    for pieces in split_anywhere(b"12345\n"):
        with pytest.raises(ProtocolViolation, match="longer than 5 bytes"):
            Wire(Pieces(pieces)).line(5)


def test_what_is_taken_is_at_most_what_is_there_and_what_is_wanted() -> None:
    wire = Wire(Pieces([b"abcdef"]))
    assert bytes(wire.take(10)) == b""
    wire.fill()
    assert (bytes(wire.take(2)), bytes(wire.take(0)), wire.pending) == (b"ab", b"", 4)
    assert bytes(wire.take(10)) == b"cdef"


def test_the_watch_counts_what_comes() -> None:
    wire = Wire(Pieces([b"abc", b"de"]))
    wire.watch = Watch(TimeLimits())
    wire.fill()
    wire.fill()
    assert wire.watch.received == 5


@pytest.mark.fault(172)
def test_an_end_after_the_watch_was_stopped_is_its_verdict() -> None:
    wire = Wire(Pieces([]))
    wire.watch = Watch(TimeLimits())
    wire.watch.cancel()
    with pytest.raises(Cancelled):
        wire.fill()


def test_a_read_that_fails_is_no_longer_a_read() -> None:
    watch = Watch(TimeLimits(read=1, min_speed=1))
    wire = Wire(Pieces([], OSError("reset")))
    wire.watch = watch
    with pytest.raises(OSError, match="reset"):
        wire.fill()
    watch.inspect(10**12)
    watch.check()


# Any head.

NAMES = st.from_regex(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,20}", fullmatch=True)
VALUES = st.text(
    st.characters(min_codepoint=1, max_codepoint=255, exclude_characters="\r\n"), max_size=30
).map(lambda value: value.strip(" \t"))
STATUSES = st.integers(200, 999)


@given(STATUSES, VALUES, st.lists(st.tuples(NAMES, VALUES), max_size=8), places)
@pytest.mark.fault(21)
def test_any_head_is_read_as_it_was_written(
    status: int, reason: str, pairs: list[tuple[str, str]], cuts: list[int]
) -> None:
    lines = [f"HTTP/1.1 {status} {reason}", *(f"{name}: {value}" for name, value in pairs), "", ""]
    data = "\r\n".join(lines).encode("latin-1")
    wire = Wire(Pieces(cut_at(data + b"rest", cuts)))
    head = wire.head()
    assert (head.status, head.reason) == (status, reason.strip())
    expected: dict[str, list[str]] = {}
    for name, value in pairs:
        expected.setdefault(name.lower(), []).append(value)
    assert {name.lower(): head.headers.getlist(name) for name in head.headers} == expected


@given(st.binary(max_size=200))
@pytest.mark.fault(15, 18)
def test_any_bytes_are_a_head_or_a_violation(raw: bytes) -> None:
    for data in (raw, b"HTTP/1.1 200 OK\r\n" + raw + b"\r\n\r\n"):
        try:
            head = parse_head(data)
        except ProtocolViolation:
            continue
        assert 100 <= head.status <= 999
