"""Range and If-Modified-Since over FTP, and servers that cannot begin in the middle."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from pulp_download import Download, FileWriter, ProtocolViolation
from tests.functional.fetch import BODY, remote_for
from tests.servers.ftp import Cut, FtpFaultServer, cut, good, reply, rest_ignored

MODIFIED = datetime(2023, 11, 4, 5, 6, 7)
LAST_MODIFIED = "Sat, 04 Nov 2023 05:06:07 GMT"
EARLIER = "Fri, 03 Nov 2023 05:06:07 GMT"


RANGES = {
    "bytes=0-": (206, 0, 10_240),
    "bytes=100-": (206, 100, 10_240),
    "bytes=-100": (206, 10_140, 10_240),
    "bytes=0-99": (206, 0, 100),
    "bytes=5000-5999": (206, 5000, 6000),
    "bytes=10000-99999": (206, 10_000, 10_240),
    "bytes=10239-": (206, 10_239, 10_240),
    "bytes=1-2,5-6": (200, 0, 10_240),
}


@pytest.mark.parametrize("asked", RANGES)
def test_a_range_is_answered_as_by_an_http_server(ftp: FtpFaultServer, asked: str) -> None:
    status, start, end = RANGES[asked]
    ftp.publish("/a", BODY)
    with remote_for() as remote:
        download = Download(ftp.url("/a"), remote=remote)
        with download.iter_content(headers={"Range": asked}) as content:
            assert (content.status, content.size) == (status, end - start)
            told = f"bytes {start}-{end - 1}/10240" if status == 206 else None
            assert content.headers.get("Content-Range") == told
            assert b"".join(content) == BODY[start:end]
    assert ftp.arguments("REST") == ([str(start)] if start else [])


def test_a_range_that_ends_early_costs_its_connection_and_one_to_the_end_does_not(
    ftp: FtpFaultServer,
) -> None:
    ftp.publish("/a", BODY)
    with remote_for() as remote:
        download = Download(ftp.url("/a"), remote=remote)
        for asked, logins in (("bytes=9000-", 1), ("bytes=9000-", 1), ("bytes=0-99", 1)):
            b"".join(download.iter_content(headers={"Range": asked}))
            assert len(ftp.logins) == logins
        b"".join(download.iter_content())
        assert len(ftp.logins) == 2


@pytest.mark.parametrize("asked", ["bytes=10240-", "bytes=99999-100000", "bytes=-0"])
def test_a_range_behind_the_end_is_answered_by_416(ftp: FtpFaultServer, asked: str) -> None:
    ftp.publish("/a", BODY)
    with remote_for() as remote:
        download = Download(ftp.url("/a"), remote=remote)
        with download.iter_content(headers={"Range": asked}) as content:
            assert (content.status, content.headers["Content-Range"]) == (416, "bytes */10240")
            assert list(content) == []
    assert ftp.data == []


@pytest.mark.parametrize(("since", "status"), [(LAST_MODIFIED, 304), (EARLIER, 200)])
def test_a_file_that_has_not_changed_is_not_sent(
    ftp: FtpFaultServer, since: str, status: int
) -> None:
    ftp.publish("/a", BODY, modified=MODIFIED)
    with remote_for() as remote:
        download = Download(ftp.url("/a"), remote=remote)
        with download.iter_content(headers={"If-Modified-Since": since}) as content:
            assert content.status == status
            assert b"".join(content) == (BODY if status == 200 else b"")
    assert len(ftp.data) == (status == 200)


def test_a_part_of_another_state_of_the_file_is_the_whole_file(ftp: FtpFaultServer) -> None:
    ftp.publish("/a", BODY, modified=MODIFIED)
    with remote_for() as remote:
        download = Download(ftp.url("/a"), remote=remote)
        for state, status in ((LAST_MODIFIED, 206), (EARLIER, 200)):
            headers = {"Range": "bytes=100-", "If-Range": state}
            with download.iter_content(headers=headers) as content:
                assert content.status == status
                assert b"".join(content) == BODY[100 if status == 206 else 0 :]


def test_a_kept_file_without_a_digest_is_asked_for_by_its_date(
    ftp: FtpFaultServer, absent: Path
) -> None:
    ftp.publish("/a", BODY, modified=MODIFIED)
    with remote_for() as remote:
        download = Download(ftp.url("/a"), FileWriter(absent, keep=True), remote=remote)
        assert [download.run().present for _ in range(2)] == [False, True]
    assert absent.stat().st_mtime == 1699074367.0
    assert len(ftp.data) == 1


@pytest.mark.fault(93)
@pytest.mark.parametrize("text", ["500 What?", "502 Not implemented.", "501 No.", "450 Busy."])
def test_a_server_that_cannot_begin_in_the_middle_sends_the_whole_file_and_is_not_asked_again(
    ftp: FtpFaultServer, text: str
) -> None:
    ftp.publish("/a", BODY)
    ftp.on("REST", reply(text))
    with remote_for() as remote:
        download = Download(ftp.url("/a"), remote=remote)
        for _ in range(2):
            with download.iter_content(headers={"Range": "bytes=100-"}) as content:
                assert (content.status, "Accept-Ranges" in content.headers) == (200, False)
                assert b"".join(content) == BODY
    assert ftp.arguments("REST") == ["100"]


def test_a_server_that_does_not_list_rest_is_not_asked_to(ftp: FtpFaultServer) -> None:
    ftp.publish("/a", BODY)
    ftp.on("FEAT", reply("211-Features:", " SIZE", "211 End"))
    with remote_for() as remote:
        download = Download(ftp.url("/a"), remote=remote)
        with download.iter_content(headers={"Range": "bytes=100-"}) as content:
            assert (content.status, "Accept-Ranges" in content.headers) == (200, False)
            assert b"".join(content) == BODY
    assert "REST" not in ftp.verbs()


@pytest.mark.fault(94)
def test_a_rest_that_is_granted_and_ignored_shows_by_what_is_too_much(ftp: FtpFaultServer) -> None:
    ftp.publish("/a", BODY)
    ftp.on("RETR", rest_ignored())
    received = b""
    with remote_for() as remote:
        download = Download(ftp.url("/a"), remote=remote)
        with (
            pytest.raises(ProtocolViolation, match="more than the 10140 bytes"),
            download.iter_content(1000, headers={"Range": "bytes=100-"}) as content,
        ):
            for piece in content:
                received += piece
        assert len(received) < len(BODY) - 100
        ftp.wait_for(lambda: ftp.open == 0)
        with download.iter_content(headers={"Range": "bytes=100-"}) as content:  # never asked again
            assert (content.status, b"".join(content)) == (200, BODY)
    assert ftp.arguments("REST") == ["100"]


@pytest.mark.fault(93)
def test_a_connection_that_ends_at_rest_is_tried_again(ftp: FtpFaultServer) -> None:
    ftp.publish("/a", BODY)
    ftp.on("REST", [cut(Cut.FIN), good("REST")])
    with remote_for(max_retries=1) as remote:
        download = Download(ftp.url("/a"), remote=remote)
        with download.iter_content(headers={"Range": "bytes=100-"}) as content:
            assert (content.status, b"".join(content)) == (206, BODY[100:])
