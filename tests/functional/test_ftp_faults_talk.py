"""FTP servers that say too much, too little, too late, or what is no FTP."""

from __future__ import annotations

from pathlib import Path

import pytest

from pulp_download import (
    ConnectionFailed,
    NotAuthorized,
    NotFound,
    ProtocolViolation,
    SizeMismatch,
    Stalled,
    TimedOut,
)
from tests.functional.fetch import BODY, fetched, refused, remote_for, whole
from tests.functional.test_faults_sizes import little_memory
from tests.servers.ftp import (
    Cut,
    FtpFaultServer,
    FtpScript,
    begin_data,
    cut,
    drip,
    dripped,
    end_data,
    endless,
    endless_line,
    endless_reply,
    good,
    hold,
    never_served,
    overlong,
    reply,
    send,
    send_data,
    silent_after_data,
    stalled,
    steps,
)

LIMIT = 0.2


@pytest.fixture(autouse=True)
def _published(ftp: FtpFaultServer) -> None:
    ftp.publish("/f", BODY)


# -- replies


@pytest.mark.fault(97)
@pytest.mark.parametrize("babble", [endless_reply(), endless_line()], ids=["lines", "line"])
def test_a_banner_without_an_end_is_cut_off(
    ftp: FtpFaultServer, target: Path, babble: FtpScript
) -> None:
    ftp.on_connect(babble)
    with little_memory(4_000_000):
        refused(ProtocolViolation, ftp.url("/f"), target)
    ftp.wait_for(lambda: ftp.open == 0)


@pytest.mark.fault(97)
@pytest.mark.parametrize("verb", ["USER", "FEAT", "SIZE", "EPSV", "RETR"])
def test_a_reply_without_an_end_is_cut_off(ftp: FtpFaultServer, target: Path, verb: str) -> None:
    ftp.on(verb, endless_reply(200))
    with little_memory(4_000_000):
        refused(ProtocolViolation, ftp.url("/f"), target)
    ftp.wait_for(lambda: ftp.open == 0)


@pytest.mark.fault(97)
def test_a_banner_that_trickles_is_a_connect_timeout(ftp: FtpFaultServer, target: Path) -> None:
    ftp.on_connect(endless_reply(every=LIMIT / 10))
    error = refused(TimedOut, ftp.url("/f"), target, connect_timeout=LIMIT)
    assert (error.limit, error.seconds) == ("connect", LIMIT)


@pytest.mark.fault(97)
def test_a_reply_that_trickles_is_a_read_timeout(ftp: FtpFaultServer, target: Path) -> None:
    ftp.on("SIZE", drip(b"213 10240" + b" " * 5000, every=LIMIT / 10))
    error = refused(TimedOut, ftp.url("/f"), target, sock_read_timeout=LIMIT)
    assert (error.limit, error.seconds) == ("read", LIMIT)


@pytest.mark.fault(97)
def test_replies_of_many_lines_are_read_to_their_ends(ftp: FtpFaultServer, target: Path) -> None:
    lines = ["220-Welcome.", "200 is no end, nor is", "220-this.", "", " 220 Or this.", "220 Yes."]
    ftp.on_connect(reply(*lines))
    ftp.on("USER", reply("230-Hello.", " No password is needed.", "230"))
    ftp.on("TYPE", reply("200-Yes", "200-", "200 Yes"))
    for verb in ("SIZE", "MDTM"):
        ftp.on(verb, reply("500-What", "500 do you mean?"))
    ftp.on("EPSV", reply("530-Please", "530 log in."))
    ftp.on("PASV", reply("530-Please", "530 log in."))
    error = refused(NotAuthorized, ftp.url("/f"), target)
    assert error.reason == "530 Please log in."
    assert ftp.verbs() == "USER FEAT OPTS TYPE SIZE MDTM EPSV PASV".split()


@pytest.mark.fault(98)
def test_a_server_that_is_not_ready_yet_is_waited_for(ftp: FtpFaultServer, target: Path) -> None:
    ftp.on_connect(reply("120 Ready in 0 minutes.", "220 Ready."))
    fetched(ftp.url("/f"), target, validations=whole(BODY))


@pytest.mark.fault(98)
@pytest.mark.parametrize("banner", [hold, steps(send(b"220"), hold)])
def test_a_server_that_does_not_greet_is_a_connect_timeout(
    ftp: FtpFaultServer, target: Path, banner: FtpScript
) -> None:
    ftp.on_connect(banner)
    error = refused(TimedOut, ftp.url("/f"), target, connect_timeout=LIMIT)
    assert (error.limit, error.retryable) == ("connect", True)


@pytest.mark.fault(98)
@pytest.mark.parametrize(
    "banner",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 400 Bad\r\n",
        b"\r\n",
        b"22\r\n",
        b"999 x\r\n",
        b"\xff\r\n",
    ],
)
def test_a_server_that_speaks_something_else_is_a_protocol_violation(
    ftp: FtpFaultServer, target: Path, banner: bytes
) -> None:
    ftp.on_connect(steps(send(banner), hold))
    refused(ProtocolViolation, ftp.url("/f"), target)


@pytest.mark.fault(98)
@pytest.mark.parametrize("how", [Cut.FIN, Cut.RST])
def test_a_server_that_hangs_up_is_a_lost_connection(
    ftp: FtpFaultServer, target: Path, how: Cut
) -> None:
    ftp.on_connect(cut(how))
    assert refused(ConnectionFailed, ftp.url("/f"), target).retryable


@pytest.mark.fault(98)
def test_a_banner_that_is_not_utf_8_does_no_harm(ftp: FtpFaultServer, target: Path) -> None:
    ftp.on_connect(send("220 Grüße, schöner Gast\r\n".encode("latin-1")))
    fetched(ftp.url("/f"), target, validations=whole(BODY))
    ftp.on("RETR", send("550 Gibt's nicht: fünf\r\n".encode("latin-1")))
    with remote_for() as remote:
        error = refused(NotFound, ftp.url("/f"), target, remote=remote)
    assert "f\ufffdnf" in error.reason


# -- data


@pytest.mark.fault(99)
@pytest.mark.parametrize("answer", [never_served(), hold, stalled(0), stalled(5000)])
def test_data_that_do_not_come_are_a_read_timeout(
    ftp: FtpFaultServer, target: Path, answer: FtpScript
) -> None:
    ftp.on("RETR", answer)
    error = refused(TimedOut, ftp.url("/f"), target, sock_read_timeout=LIMIT)
    assert (error.limit, error.seconds, error.retryable) == ("read", LIMIT, True)
    ftp.wait_for(lambda: ftp.open == 0)


@pytest.mark.fault(99)
def test_a_last_word_that_does_not_come_is_a_read_timeout_where_the_size_is_unknown(
    ftp: FtpFaultServer, target: Path
) -> None:
    ftp.on("SIZE", reply("500 What?"))
    ftp.on("RETR", silent_after_data())
    error = refused(TimedOut, ftp.url("/f"), target, sock_read_timeout=LIMIT)
    assert error.limit == "read"


@pytest.mark.fault(103)
def test_a_byte_now_and_then_is_a_stall(ftp: FtpFaultServer, target: Path) -> None:
    ftp.on("RETR", dripped(every=0.02))
    error = refused(Stalled, ftp.url("/f"), target, stall_period=LIMIT, min_speed=1000)
    assert error.period == LIMIT
    ftp.wait_for(lambda: ftp.open == 0)


@pytest.mark.fault(103)
def test_a_total_limit_ends_it_all(ftp: FtpFaultServer, target: Path) -> None:
    ftp.on("RETR", dripped(every=0.02))
    error = refused(TimedOut, ftp.url("/f"), target, total_timeout=LIMIT, max_retries=3)
    assert (error.limit, error.final) == ("total", True)


@pytest.mark.fault(103)
@pytest.mark.parametrize("sized", [True, False])
def test_data_without_an_end_are_cut_off(ftp: FtpFaultServer, target: Path, sized: bool) -> None:
    if not sized:
        ftp.on("SIZE", reply("500 What?"))
    ftp.on("RETR", endless())
    with little_memory(4_000_000):
        kind = ProtocolViolation if sized else SizeMismatch
        refused(kind, ftp.url("/f"), target, max_size=100_000)
    ftp.wait_for(lambda: ftp.open == 0)


@pytest.mark.fault(103)
@pytest.mark.parametrize("more", [b"x", bytes(100_000)])
def test_bytes_beyond_the_size_are_refused(ftp: FtpFaultServer, target: Path, more: bytes) -> None:
    ftp.on("RETR", overlong(more))
    with remote_for() as remote:
        refused(ProtocolViolation, ftp.url("/f"), target, remote=remote)
        ftp.on("RETR", good("RETR"))
        fetched(ftp.url("/f"), target, remote=remote)
    assert len(ftp.logins) == 2


@pytest.mark.fault(103)
def test_bytes_of_a_file_that_was_said_to_be_empty_are_refused(
    ftp: FtpFaultServer, target: Path
) -> None:
    ftp.publish("/empty", b"")
    ftp.on("RETR", steps(begin_data(), send_data(b"x"), end_data(), reply("226 Done.")))
    refused(ProtocolViolation, ftp.url("/empty"), target)
