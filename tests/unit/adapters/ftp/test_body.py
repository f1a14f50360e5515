"""The end of a data connection, and the server's last word on it."""

from __future__ import annotations

import pytest

from pulp_download.adapters.ftp import body as module
from pulp_download.adapters.ftp.body import FtpBody, NoBody
from pulp_download.adapters.ftp.control import Control
from pulp_download.errors import ProtocolViolation, TimedOut, Truncated
from tests.servers.ftp import (
    FtpFaultServer,
    FtpScript,
    begin_data,
    closed_after_data,
    drip,
    end_data,
    hold,
    reply,
    send,
    send_file,
    silent_after_data,
    steps,
    truncated,
)
from tests.unit.adapters.ftp.lending import opened

BODY = bytes(range(256)) * 4
WHOLE = steps(begin_data(), send_file(), end_data())


@pytest.fixture
def server(ftp_server: FtpFaultServer) -> FtpFaultServer:
    ftp_server.publish("/f", BODY)
    return ftp_server


def body_of(control: Control, length: int | None, *, most: int | None = None) -> FtpBody:
    control.connect_data()
    control.start("RETR f")
    control.watch.begin_body()
    return FtpBody(control, length, most=most)


def read(body: FtpBody) -> bytes:
    received = b""
    while piece := bytes(body.read(1000)):
        received += piece
    return received


@pytest.mark.parametrize("length", [1024, None])
def test_a_whole_body_leaves_its_connection_to_be_used_again(
    server: FtpFaultServer, length: int | None
) -> None:
    with opened(server) as (control, _):
        body = body_of(control, length)
        assert read(body) == BODY
        assert (body.length, body.is_complete, body.is_reusable) == (length, True, True)
        assert (bytes(body.read()), control.has_data) == (b"", False)
        assert read(body_of(control, length)) == BODY


def test_a_part_that_ends_early_is_complete_and_its_connection_is_not(
    server: FtpFaultServer,
) -> None:
    with opened(server) as (control, _):
        body = body_of(control, 1024, most=1000)
        assert read(body) == BODY[:1000]
        assert (body.length, body.is_complete, body.is_reusable) == (1000, True, False)


@pytest.mark.fault(91)
@pytest.mark.parametrize("answer", [silent_after_data(), closed_after_data()])
def test_a_whole_file_is_whole_without_a_last_word(
    server: FtpFaultServer, monkeypatch: pytest.MonkeyPatch, answer: FtpScript
) -> None:
    monkeypatch.setattr(module, "_LAST_WORD", 0.1)
    server.on("RETR", answer)
    with opened(server) as (control, watch):
        body = body_of(control, 1024)
        assert read(body) == BODY
        assert (body.is_complete, body.is_reusable, watch.verdict) == (True, False, None)


@pytest.mark.fault(91)
@pytest.mark.parametrize(
    "end", [steps(send(b"22"), hold), drip(b"226" + b" " * 999, every=0.05)], ids=["half", "slow"]
)
def test_a_last_word_that_has_begun_must_end_in_time(
    server: FtpFaultServer, end: FtpScript
) -> None:
    server.on("RETR", steps(WHOLE, end))
    with opened(server, read=0.2) as (control, _), pytest.raises(TimedOut) as caught:
        read(body_of(control, 1024))
    assert caught.value.limit == "read"


@pytest.mark.fault(89)
def test_a_last_word_that_is_none_is_no_end(server: FtpFaultServer) -> None:
    server.on("RETR", steps(WHOLE, reply("What?")))
    with opened(server) as (control, _), pytest.raises(ProtocolViolation):
        read(body_of(control, 1024))


@pytest.mark.parametrize(
    ("answer", "length", "received"),
    [
        (truncated(100), 1024, 100),
        (truncated(100, then="426 No."), None, 100),
        (truncated(1024, then="451 No."), 1024, 1024),
        (closed_after_data(), None, 1024),
        (closed_after_data(), 2000, 1024),
    ],
)
def test_what_is_not_whole_is_truncated(
    server: FtpFaultServer, answer: FtpScript, length: int | None, received: int
) -> None:
    server.on("RETR", answer)
    with opened(server) as (control, _):
        body = body_of(control, length)
        with pytest.raises(Truncated) as caught:
            read(body)
        assert (caught.value.received, caught.value.expected) == (received, length)
        assert not body.is_reusable


def test_more_than_the_length_is_refused(server: FtpFaultServer) -> None:
    with opened(server) as (control, _):
        body = body_of(control, 1000)
        with pytest.raises(ProtocolViolation, match="more than the 1000 bytes"):
            read(body)
        assert not body.is_reusable


def test_an_empty_file_is_judged_before_it_is_read(server: FtpFaultServer) -> None:
    server.publish("/f", b"")
    with opened(server) as (control, _):
        body = body_of(control, 0)
        assert (body.is_complete, body.is_reusable, bytes(body.read())) == (True, True, b"")


def test_no_body_is_complete_and_empty() -> None:
    body = NoBody()
    assert (body.length, body.is_complete, body.is_reusable) == (0, True, True)
    assert bytes(body.read()) == b""
