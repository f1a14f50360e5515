"""FTP servers that break off, lie, refuse, babble or say nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from pulp_download import (
    BadStatus,
    ConnectionFailed,
    DigestMismatch,
    NotAuthorized,
    NotFound,
    ProtocolViolation,
    ServerFailed,
    SizeMismatch,
    SizeValidation,
    Truncated,
    UnverifiableLength,
)
from tests.functional.fetch import BODY, fetched, refused, remote_for, sha256, whole
from tests.servers.ftp import (
    Cut,
    FtpFaultServer,
    FtpScript,
    closed_after_data,
    closed_before_data_end,
    closing,
    good,
    passive,
    reply,
    truncated,
)

LIMIT = 0.2
UNSIZED = reply("550 SIZE not allowed.")


@pytest.fixture(autouse=True)
def _published(ftp: FtpFaultServer) -> None:
    ftp.publish("/f", BODY)


# -- where the data are


@pytest.mark.fault(85)
@pytest.mark.parametrize("host", ["10.1.2.3", "127.0.0.9", "0.0.0.0", "255.255.255.255"])
def test_the_host_in_a_reply_to_pasv_is_never_connected_to(
    ftp: FtpFaultServer, target: Path, host: str
) -> None:
    ftp.on("EPSV", reply("500 What?"))
    ftp.on("PASV", passive(host=host))
    fetched(ftp.url("/f"), target, validations=whole(BODY))


@pytest.mark.fault(86)
@pytest.mark.parametrize(
    "text",
    [
        "227 nope",
        "227 (1,2,3,4,5)",
        "227 (127,0,0,1,999,999)",
        "227 (127,0,0,1,0,22)",
        "227 (127,0,0,1,0,0)",
        f"227 (127,0,0,1,{'9' * 5000},1)",
    ],
)
def test_a_malformed_place_or_one_of_another_service_is_refused_in_pasv(
    ftp: FtpFaultServer, target: Path, text: str
) -> None:
    ftp.on("EPSV", reply("500 What?"))
    ftp.on("PASV", reply(text))
    refused(ProtocolViolation, ftp.url("/f"), target)


@pytest.mark.fault(86)
@pytest.mark.parametrize(
    "text",
    [
        "229 nope",
        "229 ()",
        "229 (",
        "229 (|||abc|)",
        "229 (||||)",
        "229 (|||-5|)",
        "229 (|||22|)",
        "229 (|||65536|)",
        f"229 (|||{'9' * 5000}|)",
        "229 (|1|10.1.2.3|)",
    ],
)
def test_a_malformed_place_or_one_of_another_service_is_refused_in_epsv(
    ftp: FtpFaultServer, target: Path, text: str
) -> None:
    ftp.on("EPSV", reply(text))
    refused(ProtocolViolation, ftp.url("/f"), target)


@pytest.mark.fault(86)
def test_a_closed_port_is_a_lost_connection(ftp: FtpFaultServer, target: Path) -> None:
    with FtpFaultServer() as gone:
        port = gone.port
    ftp.on("EPSV", reply("500 What?"))
    ftp.on("PASV", reply(f"227 (127,0,0,1,{port // 256},{port % 256})"))
    assert refused(ConnectionFailed, ftp.url("/f"), target).retryable


# -- refusals


@pytest.mark.fault(87)
@pytest.mark.parametrize("code", [421, 425, 426, 450, 451, 452])
def test_a_trouble_that_may_pass_is_tried_again(
    ftp: FtpFaultServer, target: Path, code: int
) -> None:
    ftp.on("RETR", [reply(f"{code} Later."), good("RETR")])
    result = fetched(ftp.url("/f"), target, validations=whole(BODY), max_retries=1)
    assert [(failed.type, failed.status) for failed in result.attempts] == [("ServerFailed", code)]


@pytest.mark.fault(87)
def test_a_server_that_is_busy_at_the_door_is_tried_again(
    ftp: FtpFaultServer, target: Path
) -> None:
    ftp.on_connect([closing("421 Busy."), reply("220 Welcome.")])
    result = fetched(ftp.url("/f"), target, validations=whole(BODY), max_retries=1)
    assert [(failed.type, failed.status) for failed in result.attempts] == [("ServerFailed", 421)]


@pytest.mark.fault(87)
@pytest.mark.parametrize("verb", ["USER", "PASS", "FEAT", "TYPE", "SIZE", "MDTM", "EPSV", "RETR"])
def test_a_421_at_any_command_ends_the_connection(
    ftp: FtpFaultServer, target: Path, verb: str
) -> None:
    ftp.on(verb, closing("421 Timeout."))
    error = refused((ServerFailed, ConnectionFailed), ftp.url("/f"), target)
    assert error.retryable
    ftp.wait_for(lambda: ftp.open == 0)


@pytest.mark.fault(88)
@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("550 /f: No such file or directory", NotFound),
        ("550 Failed to open file.", NotFound),
        ("550 Permission denied.", NotAuthorized),
        ("550 Not enough privileges.", NotAuthorized),
        ("553 Access is denied.", NotAuthorized),
        ("530 Please log in.", NotAuthorized),
        ("501 Bad name.", BadStatus),
        ("500 What?", BadStatus),
    ],
)
def test_a_refusal_of_a_file_says_which_and_is_not_tried_again(
    ftp: FtpFaultServer, target: Path, text: str, kind: type[BadStatus]
) -> None:
    ftp.on("RETR", reply(text))
    with remote_for(max_retries=3) as remote:
        error = refused(kind, ftp.url("/f"), target, remote=remote)
        assert (error.status, len(error.attempts)) == (int(text[:3]), 1)
        assert text[4:] in error.reason
        ftp.on("RETR", good("RETR"))
        fetched(ftp.url("/f"), target, remote=remote)
    assert len(ftp.logins) == 1


@pytest.mark.fault(88)
@pytest.mark.parametrize("verb", ["USER", "PASS"])
@pytest.mark.parametrize("code", [430, 530])
def test_a_login_that_is_refused_is_never_tried_again(
    ftp: FtpFaultServer, target: Path, verb: str, code: int
) -> None:
    ftp.on(verb, reply(f"{code} Login incorrect."))
    error = refused(NotAuthorized, ftp.url("/f"), target, max_retries=3)
    assert (error.status, len(error.attempts), ftp.accepted) == (code, 1, 1)


@pytest.mark.parametrize("verb", ["USER", "PASS"])
@pytest.mark.parametrize("code", [332, 532])
def test_an_account_is_not_supported_and_that_is_said(
    ftp: FtpFaultServer, target: Path, verb: str, code: int
) -> None:
    ftp.on(verb, reply(f"{code} Account, please."))
    error = refused(NotAuthorized, ftp.url("/f"), target)
    assert "ACCT" in error.reason
    assert "not supported" in error.reason


# -- ends of data


@pytest.mark.fault(89)
@pytest.mark.parametrize("code", [426, 451, 550])
def test_a_transfer_that_is_said_to_have_failed_is_truncated(
    ftp: FtpFaultServer, target: Path, code: int
) -> None:
    ftp.on("RETR", [truncated(5000, then=f"{code} Aborted."), good("RETR")])
    with remote_for() as remote:
        error = refused(Truncated, ftp.url("/f"), target, remote=remote)
        assert (error.received, error.expected, error.retryable) == (5000, len(BODY), True)
        fetched(ftp.url("/f"), target, remote=remote)


@pytest.mark.fault(89)
def test_bytes_that_are_all_there_are_not_believed_when_the_server_takes_them_back(
    ftp: FtpFaultServer, target: Path
) -> None:
    ftp.on("RETR", truncated(len(BODY), then="451 Read error."))
    refused(Truncated, ftp.url("/f"), target, validations=whole(BODY))


@pytest.mark.fault(90)
@pytest.mark.parametrize("sent", [0, 1, 5000, len(BODY) - 1])
def test_a_226_is_not_believed_against_size(ftp: FtpFaultServer, target: Path, sent: int) -> None:
    ftp.on("RETR", truncated(sent))
    error = refused(Truncated, ftp.url("/f"), target)
    assert (error.received, error.expected) == (sent, len(BODY))


@pytest.mark.fault(90)
def test_without_size_a_226_is_all_there_is_and_the_length_counts_as_unverified(
    ftp: FtpFaultServer, target: Path
) -> None:
    ftp.on("SIZE", reply("500 What?"))
    ftp.on("RETR", truncated(5000))
    assert not fetched(ftp.url("/f"), target).length_verified
    assert target.read_bytes() == BODY[:5000]
    refused(UnverifiableLength, ftp.url("/f"), target, require_length=True)
    refused(SizeMismatch, ftp.url("/f"), target, validations=[SizeValidation(len(BODY))])
    refused(DigestMismatch, ftp.url("/f"), target, validations=[sha256(BODY)])


@pytest.mark.fault(90)
@pytest.mark.parametrize("how", [Cut.FIN, Cut.RST])
def test_data_that_are_reset_are_not_complete(ftp: FtpFaultServer, target: Path, how: Cut) -> None:
    ftp.on("RETR", truncated(5000, then="426 Lost.", how=how))
    assert refused((Truncated, ConnectionFailed), ftp.url("/f"), target).retryable


@pytest.mark.fault(91)
@pytest.mark.fault(92)
@pytest.mark.parametrize(
    "answer",
    [closed_after_data(), closed_after_data(Cut.RST), closed_before_data_end(sent=5000)],
    ids=["closed", "reset", "closed-meanwhile"],
)
def test_a_missing_last_word_costs_the_connection_and_not_a_file_of_the_right_size(
    ftp: FtpFaultServer, target: Path, answer: FtpScript
) -> None:
    ftp.on("RETR", answer)
    with remote_for() as remote:
        for _ in range(2):
            result = fetched(ftp.url("/f"), target, remote=remote, validations=whole(BODY))
            assert result.attempts == ()
    assert len(ftp.logins) == 2


@pytest.mark.fault(91)
@pytest.mark.parametrize("answer", [closed_after_data(), closed_after_data(Cut.RST)])
def test_a_missing_last_word_is_missed_where_nothing_else_told_the_size(
    ftp: FtpFaultServer, target: Path, answer: FtpScript
) -> None:
    ftp.on("SIZE", UNSIZED)
    ftp.on("RETR", answer)
    error = refused(Truncated, ftp.url("/f"), target, validations=whole(BODY))
    assert (error.received, error.expected) == (len(BODY), None)
