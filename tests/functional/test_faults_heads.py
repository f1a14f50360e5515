"""Status lines and header fields that are cut, malformed, endless, or not the answer yet."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from pulp_download import (
    BadStatus,
    ConnectionFailed,
    NotFound,
    ProtocolViolation,
    TimedOut,
)
from tests.functional.fetch import BODY, fetched, refused, remote_for
from tests.servers import (
    Cut,
    FaultServer,
    Script,
    cut,
    cut_response,
    endless_continue,
    endless_headers,
    hold,
    interim,
    pause,
    reply,
    response_bytes,
    send,
    steps,
)

WHOLE = response_bytes(200, b"")
ENDS = [
    pytest.param(1, id="first-byte"),
    pytest.param(WHOLE.index(b" "), id="in-the-status-line"),
    pytest.param(WHOLE.index(b"\r\n"), id="behind-the-status-line"),
    pytest.param(WHOLE.index(b"\r\n") + 2, id="before-the-first-field"),
    pytest.param(WHOLE.index(b"\r\n") + 8, id="in-a-name"),
    pytest.param(WHOLE.index(b": ") + 2, id="before-a-value"),
    pytest.param(len(WHOLE) - 2, id="behind-the-last-field"),
    pytest.param(len(WHOLE) - 1, id="in-the-empty-line"),
]


@pytest.mark.fault(13)
@pytest.mark.parametrize("at", ENDS)
def test_an_end_inside_the_head_is_never_an_empty_file(
    either: FaultServer, absent: Path, at: int
) -> None:
    either.default(cut_response(at))
    error = refused(ProtocolViolation, either.url("/f"), absent)
    assert error.retryable


@pytest.mark.fault(13)
@pytest.mark.parametrize("at", [0, *ENDS])
def test_an_end_inside_the_head_underneath_tls_is_a_lost_connection(
    secure: FaultServer, target: Path, at: int
) -> None:
    secure.default(cut_response(at, how=Cut.BARE))
    assert refused(ConnectionFailed, secure.url("/f"), target).retryable


@pytest.mark.fault(13)
def test_an_end_before_the_head_is_a_lost_connection(either: FaultServer, target: Path) -> None:
    either.default(cut())
    error = refused(ConnectionFailed, either.url("/f"), target)
    assert error.retryable
    assert "without an answer" in error.reason


@pytest.mark.fault(13)
def test_after_an_end_inside_the_head_the_next_try_gets_the_file(
    either: FaultServer, target: Path
) -> None:
    either.default([cut_response(20), reply(200, BODY)])
    result = fetched(either.url("/f"), target, max_retries=1)
    assert target.read_bytes() == BODY
    assert [failed.type for failed in result.attempts] == ["ProtocolViolation"]


@pytest.mark.fault(15)
@pytest.mark.parametrize(
    "line",
    [
        b"garbage",
        b"ICY 200 OK",
        b"HTTP/2 200",
        b"HTTP/2.0 200 OK",
        b"PRI * HTTP/2.0",
        b"<html>what HTTP/0.9 sent</html>",
        b"",
        b" HTTP/1.1 200 OK",
        b"HTTP/1.1",
        b"HTTP/1.1 ",
        b"HTTP/1.1  200 OK",
        b"HTTP/1.1\t200 OK",
        b"HTTP/1.1 99 Low",
        b"HTTP/1.1 000 Zero",
        b"HTTP/1.1 2000 High",
        b"HTTP/1.1 20 Short",
        b"HTTP/1.1 abc Word",
        b"HTTP/1.1 +200 OK",
        b"HTTP/1.1 200OK",
        b"HTTP/1.1 " + b"2" * 100,
        b"HTTP/1.x 200 OK",
        b"http/1.1 200 OK",
        b"HTTP/1.1 200 O\0K",
    ],
)
def test_a_malformed_status_line_is_refused(server: FaultServer, target: Path, line: bytes) -> None:
    server.default(steps(send(line + b"\r\nContent-Length: 5\r\n\r\nhello"), hold))
    assert refused(ProtocolViolation, server.url("/f"), target).retryable
    server.wait_for(lambda: server.open == 0)


@pytest.mark.fault(15)
def test_what_does_not_begin_like_http_is_not_waited_for(server: FaultServer, target: Path) -> None:
    server.default(steps(send(b"220 an FTP server"), hold))
    refused(ProtocolViolation, server.url("/f"), target, sock_read_timeout=30.0)


@pytest.mark.fault(15)
def test_a_status_line_may_come_in_pieces(server: FaultServer, target: Path) -> None:
    pieces = [steps(pause(0.03), send(bytes([byte]))) for byte in b"HTTP/1.1 200"]
    rest = send(b" OK\r\nContent-Length: 5\r\n\r\nhello")
    server.default(steps(*pieces, pause(0.03), rest))
    fetched(server.url("/f"), target)
    assert target.read_bytes() == b"hello"


@pytest.mark.fault(15)
@pytest.mark.parametrize("line", [b"HTTP/1.1 418", b"HTTP/1.1 418 ", b"HTTP/1.0 418 I'm a teapot"])
def test_a_status_needs_no_reason(server: FaultServer, target: Path, line: bytes) -> None:
    server.default(send(line + b"\r\nContent-Length: 0\r\n\r\n"))
    error = refused(BadStatus, server.url("/f"), target)
    assert (error.status, error.retryable) == (418, False)


@pytest.mark.fault(16)
@pytest.mark.parametrize(
    "sent",
    [
        b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 70_000,
        b"HTTP/1.1 200 OK\r\n" + b"x" * 70_000 + b": long name",
        b"HTTP/1.1 200 " + b"x" * 70_000,
        b"HTTP/1.1 200 OK\r\nX-Folded: " + b"x" * 40_000 + b"\r\n " + b"x" * 40_000,
    ],
    ids=["value", "name", "status-line", "folded"],
)
def test_a_line_of_more_than_64_kib_is_refused(
    server: FaultServer, target: Path, sent: bytes
) -> None:
    server.default(send(sent + b"\r\nContent-Length: 0\r\n\r\n"))
    error = refused(ProtocolViolation, server.url("/f"), target)
    assert not error.retryable
    assert "65536" in error.reason


@pytest.mark.fault(16)
def test_a_line_of_60_kib_is_read(server: FaultServer, target: Path) -> None:
    long = "x" * 60_000
    server.default(reply(200, BODY, headers={"X-Long": long}))
    assert fetched(server.url("/f"), target).headers["X-Long"] == long


@pytest.mark.fault(16)
def test_a_head_without_an_end_is_refused(server: FaultServer, target: Path) -> None:
    server.default(endless_headers())
    error = refused(ProtocolViolation, server.url("/f"), target)
    assert not error.retryable
    assert "262144" in error.reason


@pytest.mark.fault(17)
def test_a_thousand_fields_are_read(server: FaultServer, target: Path) -> None:
    fields = [("X-More", str(number)) for number in range(999)]
    server.default(reply(200, BODY, headers=fields))
    headers = fetched(server.url("/f"), target).headers
    assert headers.getlist("X-More") == [value for _, value in fields]


@pytest.mark.fault(17)
def test_more_than_a_thousand_fields_are_refused_by_that_number(
    server: FaultServer, target: Path
) -> None:
    server.default(reply(200, BODY, headers=[("X-More", "1")] * 1000))
    error = refused(ProtocolViolation, server.url("/f"), target)
    assert not error.retryable
    assert "1000" in error.reason


@pytest.mark.fault(18)
@pytest.mark.parametrize(
    "line",
    [
        b"no colon here",
        b": no name",
        b"Space : before the colon",
        b"Tab\t: before the colon",
        b"Two words: in a name",
        b"Nul: in a \0 value",
        b"N\0ul: in a name",
        b"Bare: carriage \r return",
        b"Caf\xe9: letters that no name has",
        b" folded: before the first field",
    ],
)
def test_a_malformed_field_is_refused_and_hides_no_length(
    server: FaultServer, target: Path, line: bytes
) -> None:
    server.default(
        steps(send(b"HTTP/1.1 200 OK\r\n" + line + b"\r\nContent-Length: 5\r\n\r\nhel"), cut())
    )
    assert not refused(ProtocolViolation, server.url("/f"), target).retryable


@pytest.mark.fault(18)
@pytest.mark.parametrize(
    "sent",
    [
        b"HTTP/1.1 200 OK\r\nX: a\r\n  b\r\n\tc\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\nX:a b c\nContent-Length: 5\n\nhello",
        b"HTTP/1.1 200 OK\r\nX: \ta b c \t\r\nContent-Length:5\r\n\r\nhello",
    ],
    ids=["folded", "bare-line-feeds", "blanks"],
)
def test_folded_lines_and_bare_line_feeds_are_read(
    server: FaultServer, target: Path, sent: bytes
) -> None:
    server.default(send(sent))
    result = fetched(server.url("/f"), target)
    assert target.read_bytes() == b"hello"
    assert result.headers["X"] == "a b c"
    assert result.length_verified


@pytest.mark.fault(19)
@pytest.mark.parametrize("status", [100, 102, 103, 199])
@pytest.mark.parametrize("times", [1, 10])
def test_interim_answers_are_skipped_and_the_next_answer_is_not_shifted(
    either: FaultServer, target: Path, status: int, times: int
) -> None:
    early = {"Link": "</style.css>", "Content-Length": "3"}
    either.on("/a", interim(status, reply(200, BODY), headers=early, times=times))
    either.on("/b", reply(200, b"the second"))
    with remote_for() as remote:
        assert "Link" not in fetched(either.url("/a"), target, remote=remote).headers
        assert target.read_bytes() == BODY
        fetched(either.url("/b"), target, remote=remote)
        assert target.read_bytes() == b"the second"
    assert either.accepted == 1


@pytest.mark.fault(19)
@pytest.mark.parametrize("answer", [reply(200, BODY), cut(), hold])
def test_101_is_refused_as_nobody_asked_for_another_protocol(
    server: FaultServer, target: Path, answer: Script
) -> None:
    server.default(interim(101, answer, headers={"Upgrade": "h2c"}))
    assert refused(ProtocolViolation, server.url("/f"), target).retryable


@pytest.mark.fault(19)
@pytest.mark.parametrize("status", [100, 102, 103])
def test_an_interim_answer_alone_is_never_an_empty_file(
    server: FaultServer, absent: Path, status: int
) -> None:
    server.default(interim(status, cut()))
    assert refused(ConnectionFailed, server.url("/f"), absent).retryable


@pytest.mark.fault(20)
@pytest.mark.parametrize("every", [0.0, 0.02])
def test_endless_interim_answers_are_cut_off_after_ten(
    server: FaultServer, target: Path, every: float
) -> None:
    server.default(endless_continue(every=every))
    error = refused(ProtocolViolation, server.url("/f"), target)
    assert not error.retryable
    assert "10 interim" in error.reason


@pytest.mark.fault(20)
def test_interim_answers_do_not_extend_the_time_for_the_head(
    server: FaultServer, target: Path
) -> None:
    server.default(endless_continue(every=0.2))
    error = refused(TimedOut, server.url("/f"), target, sock_read_timeout=0.5)
    assert (error.limit, error.seconds, error.retryable) == ("read", 0.5, True)


@pytest.mark.fault(21)
def test_what_a_server_says_is_shown_and_logged_escaped(
    server: FaultServer, target: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server.default(
        send(b"HTTP/1.1 404 \x1b[2J\x07\x9b gone \xe9\r\nX: \x1b[2J\r\nContent-Length: 0\r\n\r\n")
    )
    with caplog.at_level(logging.DEBUG):
        error = refused(NotFound, server.url("/f"), target)
    assert error.reason == "404 \\x1b[2J\\x07\\x9b gone \xe9"
    for text in (str(error), repr(error), error.attempts[0].message, *caplog.messages):
        assert text.isprintable()


@pytest.mark.fault(21)
@pytest.mark.parametrize("line", [b"404 No\rSet-Cookie: a=b", b"404 No\0"])
def test_a_reason_with_a_bare_return_or_nul_is_refused(
    server: FaultServer, target: Path, line: bytes
) -> None:
    server.default(send(b"HTTP/1.1 " + line + b"\r\nContent-Length: 0\r\n\r\n"))
    assert refused(ProtocolViolation, server.url("/f"), target).retryable
