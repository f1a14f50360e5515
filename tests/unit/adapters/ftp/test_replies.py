"""What servers say, and what it means; the words are those of vsftpd, proftpd and pyftpdlib."""

from __future__ import annotations

import pytest

from pulp_download.adapters.ftp.replies import Reply, is_crowded, refusal
from pulp_download.errors import (
    BadStatus,
    NotAuthorized,
    NotFound,
    ProtocolViolation,
    ServerFailed,
    TLSFailed,
    TransferError,
)


@pytest.mark.parametrize(
    ("text", "reply"),
    [
        ("226 Transfer complete.", Reply(226, "Transfer complete.")),
        ("226", Reply(226, "")),
        ("226-The file\n226 is there.", Reply(226, "The file is there.")),
        ("211-Features:\n SIZE\n MDTM\n211 End", Reply(211, "Features: SIZE MDTM End")),
        ("550 226 is no code here", Reply(550, "226 is no code here")),
        ("213 -5", Reply(213, "-5")),
        ("230-Hello\n2300 users\n230", Reply(230, "Hello 2300 users")),
    ],
)
def test_a_reply_is_a_code_and_its_words(text: str, reply: Reply) -> None:
    assert Reply.parse(text) == reply


@pytest.mark.fault(98)
@pytest.mark.parametrize(
    "text", ["", "SSH-2.0-OpenSSH_9.2", "22", "999 no", "099 no", "\u0662\u0662\u0666 digits"]
)
def test_what_is_no_reply_is_refused(text: str) -> None:
    with pytest.raises(ProtocolViolation, match="not an FTP reply"):
        Reply.parse(text)


@pytest.mark.fault(87, 88, 89)
@pytest.mark.parametrize(
    ("reply", "kind", "is_retryable"),
    [
        ((550, "No such file or directory."), NotFound, False),
        ((550, "Failed to open file."), NotFound, False),
        ((550, "Permission denied."), NotAuthorized, False),
        ((550, "Not enough privileges."), NotAuthorized, False),
        ((553, "Could not create file."), NotFound, False),
        ((530, "Login incorrect."), NotAuthorized, False),
        ((530, "Maximum login attempts exceeded."), NotAuthorized, False),
        ((530, "Sorry, the maximum number of clients (2) are connected."), ServerFailed, True),
        ((430, "Invalid username or password"), NotAuthorized, False),
        ((421, "Timeout."), ServerFailed, True),
        ((425, "Failed to establish connection."), ServerFailed, True),
        ((426, "Connection closed; transfer aborted."), ServerFailed, True),
        ((450, "File busy"), ServerFailed, True),
        ((451, "Local error"), ServerFailed, True),
        ((502, "Command not implemented."), BadStatus, False),
        ((504, "TYPE I refused"), BadStatus, False),
        ((534, "Policy requires SSL."), TLSFailed, False),
        ((226, "in the place of 150"), ProtocolViolation, True),
    ],
)
def test_each_refusal_has_its_error(
    reply: tuple[int, str], kind: type[TransferError], is_retryable: bool
) -> None:
    error = refusal(Reply(*reply))
    assert type(error) is kind
    assert (error.status, error.retryable, error.final) == (reply[0], is_retryable, False)
    assert f"{reply[0]} {reply[1]}" in error.message


@pytest.mark.parametrize("code", [332, 532])
def test_an_account_is_not_supported_and_that_is_said(code: int) -> None:
    error = refusal(Reply(code, "Need account"))
    assert type(error) is NotAuthorized
    assert error.message == (
        f"{code} an account (ACCT) is asked for, which is not supported: Need account"
    )


@pytest.mark.fault(104)
@pytest.mark.parametrize(
    ("code", "text", "expected"),
    [
        (421, "There are too many connected users, please try later.", True),
        (421, "There are too many connections from your internet address.", True),
        (421, "Too many connections. Service temporarily unavailable.", True),
        (
            530,
            "Sorry, the maximum number of clients (2) from your host are already connected.",
            True,
        ),
        (421, "Timeout.", False),
        (530, "Sorry, the maximum number of allowed clients (1) are already connected.", True),
        (530, "Login incorrect.", False),
        (530, "Too many login attempts.", False),
        (530, "Maximum login attempts exceeded.", False),
        (550, "Too many levels of symbolic links", False),
    ],
)
def test_a_crowd_is_told_from_other_refusals(code: int, text: str, expected: bool) -> None:
    assert is_crowded(refusal(Reply(code, text))) is expected


def test_other_failures_are_no_crowd() -> None:
    assert not is_crowded(ConnectionResetError("too many"))
