"""FTP servers that tell a wrong size, a wrong date, or change the bytes themselves."""

from __future__ import annotations

from pathlib import Path

import pytest

from pulp_download import BadStatus, DigestMismatch, SizeMismatch, SizeValidation
from tests.functional.fetch import BODY, fetched, refused, remote_for, sha256, whole
from tests.servers.ftp import FtpFaultServer, reply


@pytest.fixture(autouse=True)
def _published(ftp: FtpFaultServer) -> None:
    ftp.publish("/f", BODY)


@pytest.mark.fault(95)
@pytest.mark.parametrize(
    "text",
    [
        "213 abc",
        "213 -5",
        "213 10240 bytes",
        "213 1e9",
        "213 \u0661",
        "213",
        f"213 {'9' * 5000}",
        "500 What?",
        "502 No.",
        "550 SIZE not allowed in ASCII mode.",
        "450 Not now.",
        "200 Fine.",
    ],
)
def test_a_size_that_is_none_is_unknown(ftp: FtpFaultServer, target: Path, text: str) -> None:
    ftp.on("SIZE", reply(text))
    result = fetched(ftp.url("/f"), target)
    assert target.read_bytes() == BODY
    assert (result.length_verified, result.headers.get("Content-Length")) == (False, None)
    assert fetched(ftp.url("/f"), target, validations=whole(BODY)).length_verified


@pytest.mark.fault(95)
def test_a_size_never_stands_above_the_listed_one(ftp: FtpFaultServer, target: Path) -> None:
    ftp.on("SIZE", reply("213 1000000000000"))
    listed = [SizeValidation(len(BODY))]
    error = refused(SizeMismatch, ftp.url("/f"), target, validations=listed)
    assert (error.expected, error.actual) == (len(BODY), 10**12)
    assert ftp.open == 0


@pytest.mark.fault(95)
@pytest.mark.parametrize("text", ["213 yesterday", "213 20231399000000", "213", "550 No.", "213 0"])
def test_a_date_that_is_none_is_unknown(ftp: FtpFaultServer, target: Path, text: str) -> None:
    ftp.on("MDTM", reply(text))
    result = fetched(ftp.url("/f"), target, validations=whole(BODY))
    assert "Last-Modified" not in result.headers


@pytest.mark.fault(95)
def test_what_a_server_does_not_know_is_not_asked_again_on_the_same_connection(
    ftp: FtpFaultServer, target: Path
) -> None:
    ftp.on("FEAT", reply("500 What?"))
    ftp.on("SIZE", reply("500 What?"))
    ftp.on("MDTM", reply("502 No."))
    with remote_for() as remote:
        for _ in range(3):
            fetched(ftp.url("/f"), target, remote=remote)
    verbs = ftp.verbs()
    assert (verbs.count("SIZE"), verbs.count("MDTM"), verbs.count("RETR")) == (1, 1, 3)


@pytest.mark.fault(96)
def test_a_server_without_binary_mode_is_refused(ftp: FtpFaultServer, target: Path) -> None:
    ftp.on("TYPE", reply("504 Type not implemented."))
    error = refused(BadStatus, ftp.url("/f"), target, max_retries=3)
    assert (error.status, len(error.attempts), "RETR" in ftp.verbs()) == (504, 1, False)


@pytest.mark.fault(96)
def test_line_ends_that_were_converted_do_not_match_the_digest(
    ftp: FtpFaultServer, target: Path
) -> None:
    ftp.publish("/text", b"one\ntwo\n")
    ftp.on("TYPE", reply("200 Of course."))  # and stays in ASCII
    refused(SizeMismatch, ftp.url("/text"), target, validations=whole(b"one\ntwo\n"))
    error = refused(DigestMismatch, ftp.url("/text"), target, validations=[sha256(b"one\ntwo\n")])
    assert error.expected == sha256(b"one\ntwo\n").hexdigest
