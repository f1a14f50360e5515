"""FTP where it works: every way of downloading, and every way of naming a file."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from pulp_download import (
    BadStatus,
    Batch,
    Download,
    MemoryWriter,
    NotFound,
    UnsupportedScheme,
)
from tests.functional.asking import fetched as fetched_bytes
from tests.functional.fetch import BODY, fetched, refused, remote_for, sha256, whole
from tests.servers import FaultServer
from tests.servers import reply as http_reply
from tests.servers.ftp import (
    FtpFaultServer,
    begin_data,
    end_data,
    reply,
    send_file,
    steps,
)

MODIFIED = datetime(2023, 11, 4, 5, 6, 7)
LAST_MODIFIED = "Sat, 04 Nov 2023 05:06:07 GMT"


@pytest.mark.need("I11")
@pytest.mark.need("I3")
def test_a_file_is_downloaded_verified_and_stored_under_its_name(
    ftp: FtpFaultServer, target: Path
) -> None:
    ftp.publish("/pool/a.bin", BODY)
    result = fetched(ftp.url("/pool/a.bin"), target, validations=whole(BODY))
    assert target.read_bytes() == BODY
    assert (result.length_verified, result.attempts) == (True, ())
    assert result.final_url == ftp.url("/pool/a.bin")
    assert [f"{verb} {argument}".strip() for _, verb, argument in ftp.commands] == [
        "USER anonymous",
        "PASS anonymous@",
        "FEAT",
        "OPTS UTF8 ON",
        "TYPE I",
        "SIZE pool/a.bin",
        "MDTM pool/a.bin",
        "EPSV",
        "RETR pool/a.bin",
    ]


def test_both_families_of_addresses_are_spoken(target: Path) -> None:
    with FtpFaultServer(host="::1") as server:
        server.publish("/a", BODY)
        fetched(server.url("/a"), target, validations=whole(BODY))
        assert "PASV" not in server.verbs()


def test_a_server_without_epsv_is_asked_by_pasv_and_not_twice(
    ftp: FtpFaultServer, target: Path
) -> None:
    ftp.publish("/a", BODY)
    ftp.on("EPSV", reply("500 What?"))
    with remote_for() as remote:
        for _ in range(2):
            fetched(ftp.url("/a"), target, remote=remote, validations=whole(BODY))
    assert [verb for verb in ftp.verbs() if verb.endswith("SV")] == ["EPSV", "PASV", "PASV"]


def test_a_port_of_epsv_that_is_closed_is_no_failure_where_pasv_has_another(
    ftp: FtpFaultServer, target: Path
) -> None:
    ftp.publish("/a", BODY)
    with FtpFaultServer() as gone:
        port = gone.port
    ftp.on("EPSV", reply(f"229 Entering Extended Passive Mode (|||{port}|)"))
    result = fetched(ftp.url("/a"), target, validations=whole(BODY))
    assert result.attempts == ()
    assert [verb for verb in ftp.verbs() if verb.endswith("SV")] == ["EPSV", "PASV"]


def test_an_empty_file_is_a_file(ftp: FtpFaultServer, target: Path) -> None:
    ftp.publish("/empty", b"")
    result = fetched(ftp.url("/empty"), target, validations=whole(b""))
    assert target.read_bytes() == b""
    assert result.length_verified


@pytest.mark.fault(95)
@pytest.mark.parametrize(
    "features", ["500 What?", "211 None.", "211-Features:\r\n EPSV\r\n UTF8\r\n211 End"]
)
def test_a_server_that_tells_little_of_itself_serves_files_nevertheless(
    ftp: FtpFaultServer, target: Path, features: str
) -> None:
    ftp.publish("/a", BODY)
    ftp.on("FEAT", reply(features))
    fetched(ftp.url("/a"), target, validations=whole(BODY))
    assert ("SIZE" in ftp.verbs()) is features.startswith("500")
    assert ("OPTS" in ftp.verbs()) is ("UTF8" in features)


# -- open answers


@pytest.mark.need("S2")
@pytest.mark.need("S6")
@pytest.mark.need("S7")
def test_size_and_date_are_there_before_the_first_byte_and_bytes_come_at_once(
    ftp: FtpFaultServer,
) -> None:
    gate = ftp.gate()
    ftp.publish("/a", BODY, modified=MODIFIED)
    rest = send_file(start=5000)
    ftp.on(
        "RETR",
        steps(begin_data(), send_file(until=5000), gate, rest, end_data(), reply("226 Done.")),
    )
    with Download(ftp.url("/a")).iter_content() as content:
        assert (content.status, content.size) == (200, len(BODY))
        assert content.headers["Content-Length"] == str(len(BODY))
        assert content.headers["Last-Modified"] == LAST_MODIFIED
        assert content.headers["Accept-Ranges"] == "bytes"
        received = b""
        while len(received) < 4999:  # one byte is always held back
            received += next(content)
        assert received == BODY[:4999]
        gate.open()
        assert received + b"".join(content) == BODY
        assert content.is_verified


def test_head_tells_size_and_date_and_opens_no_data_connection(ftp: FtpFaultServer) -> None:
    ftp.publish("/a", BODY, modified=MODIFIED)
    with remote_for() as remote:
        for _ in range(2):
            with Download(ftp.url("/a"), remote=remote).head() as content:
                assert (content.status, content.size) == (200, len(BODY))
                assert content.headers["Last-Modified"] == LAST_MODIFIED
                assert list(content) == []
        with pytest.raises(NotFound):
            Download(ftp.url("/absent"), remote=remote).head()
    assert (ftp.data, ftp.accepted) == ([], 1)


def test_head_of_a_server_that_knows_neither_size_nor_date_says_so(ftp: FtpFaultServer) -> None:
    ftp.publish("/a", BODY)
    ftp.on("FEAT", reply("211 None."))
    with remote_for() as remote, pytest.raises(BadStatus, match="neither SIZE nor MDTM") as caught:
        Download(ftp.url("/a"), remote=remote).head()
    assert (type(caught.value), caught.value.status) == (BadStatus, 502)


# -- many files


@pytest.mark.need("I2")
@pytest.mark.need("I11")
@pytest.mark.need("S2")
def test_ftp_and_http_and_files_come_in_one_batch(
    ftp: FtpFaultServer, ftps: FtpFaultServer, server: FaultServer, tmp_path: Path
) -> None:
    bodies = {number: f"file {number}".encode() * 100 for number in range(40)}
    (tmp_path / "local").write_bytes(b"local")
    places = []
    for number, body in bodies.items():
        server.on(f"/{number}", http_reply(200, body))
        ftp.publish(f"/{number}", body)
        ftps.publish(f"/{number}", body)
        # explicit TLS is asked for by the scheme on port 21 only, which is not ours to bind
        places += [(number, one.url(f"/{number}")) for one in (server, ftp)]
    # so many connections are kept idle, which eight to each of two servers fit into
    with remote_for(per_host=16) as remote, remote_for(ftp_tls=True) as secure:
        downloads = [
            *(
                Download(url, MemoryWriter(), remote=remote, attachment=number,
                         validations=whole(bodies[number]))
                for number, url in places
            ),
            *(
                Download(ftps.url(f"/{number}"), MemoryWriter(), remote=secure,
                         attachment=number, validations=[sha256(body)])
                for number, body in bodies.items()
            ),
            Download((tmp_path / "local").as_uri(), MemoryWriter(), remote=remote),
        ]  # fmt: skip
        with Batch(downloads, concurrency=8) as batch:
            results = [future.result() for future in batch]
    assert len(results) == 121
    assert all(result.attempts == () for result in results)
    for result in results:
        if result.download.attachment is not None:
            writer = result.download.writer
            assert isinstance(writer, MemoryWriter)
            assert writer.getvalue() == bodies[result.download.attachment]
    assert len(ftp.logins) <= 8
    assert len(ftps.logins) <= 8


# -- the session itself


def test_a_scheme_of_another_family_is_still_unsupported(target: Path) -> None:
    refused(UnsupportedScheme, "sftp://127.0.0.1/a", target)


def test_a_session_answers_get_and_head_as_requests_would(ftp: FtpFaultServer) -> None:
    ftp.publish("/a", BODY, modified=MODIFIED)
    with remote_for() as remote:
        session = remote.session
        answer = session.get(ftp.url("/a"))
        assert (answer.status_code, answer.reason, answer.content) == (200, "OK", BODY)
        assert answer.headers["last-modified"] == LAST_MODIFIED
        assert session.head(ftp.url("/a")).headers["Content-Length"] == "10240"
        part = session.get(ftp.url("/a"), headers={"Range": "bytes=-3"})
        assert (part.status_code, part.content) == (206, BODY[-3:])
        with session.get(ftp.url("/a"), stream=True, timeout=(5, 5)) as streamed:
            assert b"".join(streamed.iter_content(1000)) == BODY
        assert fetched_bytes(ftp.url("/a"), remote) == BODY
    assert len(ftp.logins) == 1
