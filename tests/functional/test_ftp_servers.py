"""Against FTP servers that others wrote, with the TLS policy that they come with.

pyftpdlib is always there; vsftpd and proftpd are when they are installed, and a test says so when
they are not.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pulp_download import (
    Batch,
    Download,
    MemoryWriter,
    NotAuthorized,
    NotFound,
    Remote,
    TLSFailed,
    TransferError,
)
from tests.functional.fetch import fetched, refused, remote_for, whole
from tests.servers.ftp_real import Proftpd, Protection, PyFtpd, RealServer, Vsftpd, needs

FILES = 60
BODIES = [os.urandom(2000 + number) for number in range(FILES)]
LARGE = bytes(range(256)) * 12_000  # 3 MB: many TLS records, and more than sockets hold

KINDS: list[type[RealServer]] = [PyFtpd, Vsftpd, Proftpd]
USERS = {PyFtpd: ("me", "pa:ss"), Vsftpd: ("ftp", "pa:ss"), Proftpd: ("me", "pa:ss")}
# How each refuses a connection too many.
LIMITS = {
    PyFtpd: {"max_cons_per_ip": "2"},
    Vsftpd: {"max_per_ip": "2"},
    Proftpd: {"MaxClientsPerHost": "2"},
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """What is served: small files, a large, an empty, a folder."""
    served = tmp_path / "served"
    (served / "pool").mkdir(parents=True)
    for number, body in enumerate(BODIES):
        (served / "pool" / f"file {number}").write_bytes(body)
    (served / "large").write_bytes(LARGE)
    (served / "empty").write_bytes(b"")
    return served


@pytest.fixture(params=list(Protection), ids=lambda protection: protection.name)
def protection(request: pytest.FixtureRequest) -> Protection:
    chosen = request.param
    assert isinstance(chosen, Protection)
    return chosen


@pytest.fixture(params=KINDS, ids=lambda kind: kind.__name__)
def kind(request: pytest.FixtureRequest) -> type[RealServer]:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def running(kind: type[RealServer], protection: Protection, root: Path) -> Iterator[RealServer]:
    needs(kind, protection)
    with kind(root, protection=protection) as server:
        yield server


@pytest.fixture
def remote(protection: Protection) -> Iterator[Remote]:
    with remote_for(ftp_tls=protection is Protection.EXPLICIT) as remote:
        yield remote


@pytest.mark.need("I2", "I3", "I7", "I11", "S2")
def test_many_files_come_over_a_few_connections(running: RealServer, remote: Remote) -> None:
    def downloads() -> Iterator[Download]:
        for number, body in enumerate(BODIES):
            yield Download(
                running.url(f"/pool/file%20{number}"),
                MemoryWriter(),
                remote=remote,
                validations=whole(body),
                attachment=number,
            )

    with Batch(downloads(), concurrency=4) as batch:
        done = {future.download.attachment: future for future in batch}
    assert [done[number].result().attempts for number in range(FILES)] == [()] * FILES
    for number, body in enumerate(BODIES):
        writer = done[number].download.writer
        assert isinstance(writer, MemoryWriter)
        assert writer.getvalue() == body
        assert "Last-Modified" in done[number].result().headers


@pytest.mark.need("S6", "S7")
def test_a_large_file_streams_and_a_part_of_it_too(running: RealServer, remote: Remote) -> None:
    download = Download(running.url("/large"), remote=remote, validations=whole(LARGE))
    with download.iter_content() as content:
        assert content.headers["Content-Length"] == str(len(LARGE))
        assert b"".join(content) == LARGE
    for asked, part in [("bytes=1000000-", LARGE[1_000_000:]), ("bytes=10-19", LARGE[10:20])]:
        with download.iter_content(headers={"Range": asked}) as content:
            assert content.status == 206
            assert b"".join(content) == part


def test_one_that_is_left_early_costs_the_next_one_nothing(
    running: RealServer, remote: Remote, target: Path
) -> None:
    with Download(running.url("/large"), remote=remote).iter_content() as content:
        assert next(content)
    assert fetched(running.url("/large"), target, remote=remote).attempts == ()
    assert target.read_bytes() == LARGE


def test_an_empty_file_is_a_file(running: RealServer, remote: Remote, target: Path) -> None:
    assert fetched(running.url("/empty"), target, remote=remote, validations=whole(b"")).size == 0


@pytest.mark.fault(88, 101)
def test_what_is_no_file_is_told_and_the_connection_goes_on(
    running: RealServer, remote: Remote, target: Path
) -> None:
    missing = refused(NotFound, running.url("/pool/none"), target, remote=remote)
    assert missing.status == 550
    folder = refused(TransferError, running.url("/pool"), target, remote=remote)
    assert "names a folder" in folder.message
    with pytest.raises(NotFound):
        Download(running.url("/none"), remote=remote).head()
    assert fetched(running.url("/large"), target, remote=remote).attempts == ()


@pytest.mark.fault(88)
def test_a_wrong_password_is_told_and_not_tried_again(
    kind: type[RealServer], protection: Protection, root: Path, target: Path
) -> None:
    needs(kind, protection)
    name, password = USERS[kind]  # type: ignore[index]
    settings = {"ftp_tls": protection is Protection.EXPLICIT, "max_retries": 3}
    with kind(root, protection=protection, user=(name, password)) as server:
        url = server.url("/empty", userinfo=f"{name}:wrong")
        error = refused(NotAuthorized, url, target, **settings)
        assert (error.status, len(error.attempts)) == (530, 1)
        fetched(server.url("/empty", userinfo=f"{name}:pa%3Ass"), target, **settings)


@pytest.mark.need("I9")
@pytest.mark.fault(104)
def test_a_server_with_room_for_two_fails_no_download(kind: type[RealServer], root: Path) -> None:
    needs(kind)
    options = {key: int(value) if kind is PyFtpd else value for key, value in LIMITS[kind].items()}  # type: ignore[index]
    with kind(root, options=options) as server, remote_for() as remote:
        downloads = (
            Download(
                server.url(f"/pool/file%20{number}"),
                MemoryWriter(),
                remote=remote,
                validations=whole(body),
            )
            for number, body in enumerate(BODIES)
        )
        with Batch(downloads, concurrency=6) as batch:
            assert [future.result().attempts for future in batch] == [()] * FILES


@pytest.mark.fault(105)
def test_without_tls_nothing_is_fetched_from_a_server_that_wants_it(
    kind: type[RealServer], root: Path, target: Path
) -> None:
    needs(kind, Protection.EXPLICIT)
    with kind(root, protection=Protection.EXPLICIT) as server:
        refused((NotAuthorized, TLSFailed), server.url("/large"), target)
