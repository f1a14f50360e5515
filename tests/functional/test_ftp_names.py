"""What a URL of FTP names: paths, types, folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from pulp_download import Download, InvalidURL, MemoryWriter, NotFound, TransferError
from tests.functional.fetch import BODY, fetched, refused, remote_for, whole
from tests.servers.ftp import FtpFaultServer

NAMES = {
    "/with%20space": "/home/with space",
    "/with space": "/home/with space",
    "/%2Fabs/file": "/abs/file",
    "/%2fabs/file": "/abs/file",
    "//abs/file": "/abs/file",
    "/pool/deep/file": "/home/pool/deep/file",
    "/caf%C3%A9": "/home/café",
    "/café": "/home/café",
    "/latin-%E9": "/home/latin-\udce9",
    "/what?": "/home/what?",
    "/a?b=c&d": "/home/a?b=c&d",
    "/100%25": "/home/100%",
    "/100%": "/home/100%",
    "/a%252Fb": "/home/a%2Fb",
    "/a+b;c=1": "/home/a+b;c=1",
    "/a;type=i": "/home/a",
    "/a;type=I": "/home/a",
    "/a%3Btype=a": "/home/a;type=a",
    "/a#fragment": "/home/a",
    "/-l": "/home/-l",
}


@pytest.mark.fault(101)
@pytest.mark.parametrize("path", NAMES)
def test_a_path_is_decoded_once_and_begins_where_one_is_after_logging_in(
    target: Path, path: str
) -> None:
    with FtpFaultServer(home="/home") as server:
        server.publish(NAMES[path], BODY)
        fetched(server.url(path), target, validations=whole(BODY))


@pytest.mark.fault(101)
@pytest.mark.parametrize("kind", "aAdDeEx")
def test_other_types_than_a_files_own_bytes_are_refused_before_connecting(
    ftp: FtpFaultServer, kind: str
) -> None:
    with pytest.raises(InvalidURL, match="only ;type=i"):
        Download(ftp.url(f"/a;type={kind}"), MemoryWriter())
    assert ftp.accepted == 0


@pytest.mark.fault(101)
@pytest.mark.parametrize("path", ["/", "/pool/", "/%2F", "/pool/;type=i", "/pool%2F"])
def test_a_url_of_a_folder_is_refused_before_connecting(
    ftp: FtpFaultServer, target: Path, path: str
) -> None:
    error = refused(TransferError, ftp.url(path), target, max_retries=3)
    assert "folder" in error.reason
    assert (error.retryable, len(error.attempts), ftp.accepted) == (False, 1, 0)


@pytest.mark.fault(101)
def test_a_name_that_turns_out_to_be_a_folder_is_told_from_an_absent_one(
    ftp: FtpFaultServer, target: Path
) -> None:
    ftp.publish("/pool/a", BODY)
    with remote_for() as remote:
        error = refused(TransferError, ftp.url("/pool"), target, remote=remote)
        assert "folder" in error.reason
        refused(NotFound, ftp.url("/pool/b"), target, remote=remote)
        with pytest.raises(TransferError, match="folder") as caught:
            Download(ftp.url("/pool"), remote=remote).head()
        assert type(caught.value) is TransferError
        fetched(ftp.url("/pool/a"), target, remote=remote)  # where it was after logging in
