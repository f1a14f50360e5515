"""``get`` and ``mirror`` over FTP: files, manifests, and both in one list with HTTP."""

from __future__ import annotations

import gzip
from datetime import datetime
from pathlib import Path

import pytest

from tests.functional.cli.command import Command
from tests.functional.cli.shelf import BODY, MODIFIED_AT, mirrored, sha256, sums, tree
from tests.servers import FaultServer, authority
from tests.servers import reply as http_reply
from tests.servers.ftp import FtpFaultServer, good, truncated

pytestmark = pytest.mark.need("I11")

FILES = {
    "a.iso": BODY,
    "pool/b c+d.deb": b"another file\n",
    "pool/deep/50%.rpm": b"",
    "-é[x]*": b"x",
}
MODIFIED = datetime(2023, 11, 4, 5, 6, 7)
PACKAGES = "\n".join(
    f"Package: p\nFilename: {path}\nSize: {len(body)}\nSHA256: {sha256(body)}\n"
    for path, body in FILES.items()
).encode()
PULP = "".join(f"{path},{sha256(body)},{len(body)}\n" for path, body in FILES.items()).encode()

MANIFESTS = {
    "checksums": ("/repo/SHA256SUMS", sums(FILES)),
    "PULP_MANIFEST": ("/repo/PULP_MANIFEST", PULP),
    "Packages.gz": ("/repo/dists/sid/main/binary-all/Packages.gz", gzip.compress(PACKAGES)),
}


def publish(server: FtpFaultServer, below: str = "/repo") -> None:
    for path, body in FILES.items():
        server.publish(f"{below}/{path}", body, modified=MODIFIED)


def retrieved(server: FtpFaultServer) -> list[str]:
    return sorted(server.arguments("RETR"))


def test_get_fetches_verifies_and_dates_a_file(
    command: Command, ftp: FtpFaultServer, here: Path
) -> None:
    publish(ftp)
    url = ftp.url("/repo/a.iso")
    ended = command("get", url, "--digest", f"sha256:{sha256(BODY)}", "--json")
    assert (ended.file["url"], ended.file["status"], ended.file["size"]) == (
        url,
        "downloaded",
        10_240,
    )
    assert tree(here) == {"a.iso": BODY}
    assert (here / "a.iso").stat().st_mtime == MODIFIED_AT
    assert command("get", url, "--json").file["status"] == "present"
    assert retrieved(ftp) == ["repo/a.iso"]


def test_get_says_what_failed(command: Command, ftp: FtpFaultServer, here: Path) -> None:
    ftp.publish("/pool/x", BODY)
    ended = command("get", ftp.url("/absent"), "--json", status=1)
    assert ended.file["error"]["type"] == "NotFound"
    assert "550" in ended.file["error"]["message"]
    ended = command("get", ftp.url("/pool"), "--json", status=1)
    assert "folder" in ended.file["error"]["message"]
    assert tree(here) == {}


def test_get_has_a_password_and_tells_nobody(command: Command, here: Path) -> None:
    (here / ".secret").write_text("a:S3CRET\n")
    (here / ".secret").chmod(0o600)
    with FtpFaultServer(users={"me": "a:S3CRET"}) as server:
        publish(server)
        with_file = ("--username", "me", "--password-file", here / ".secret")
        ended = command("get", server.url("/repo/a.iso"), *with_file, "--verbose")
        assert "S3CRET" not in ended.text + ended.stderr
        url = server.url("/repo/a.iso", userinfo="me:a%3AS3CRET2")
        ended = command("get", url, "--into", "other", "--verbose", status=1)
        assert "S3CRET" not in ended.text + ended.stderr
        assert "530" in ended.text + ended.stderr


@pytest.mark.need("I2")
@pytest.mark.need("I3")
@pytest.mark.parametrize("kind", MANIFESTS)
def test_mirror_fetches_what_a_manifest_over_ftp_lists_and_nothing_twice(
    command: Command, ftp: FtpFaultServer, here: Path, kind: str
) -> None:
    place, content = MANIFESTS[kind]
    publish(ftp)
    ftp.publish(place, content)
    ended = command("mirror", ftp.url(place), "dest", "--json")
    copy = place.removeprefix("/repo/")
    assert ended.outcomes == dict.fromkeys([*FILES, copy], "downloaded")
    expected = {**FILES, copy: content}
    assert mirrored(here) == {f"dest/{path}": body for path, body in expected.items()}
    assert retrieved(ftp) == sorted([place[1:], *(f"repo/{path}" for path in FILES)])
    ended = command("mirror", ftp.url(place), "dest", "--json")
    assert ended.outcomes == dict.fromkeys([*FILES, copy], "present")
    assert len(retrieved(ftp)) == 2 + len(FILES)


def test_mirror_goes_through_tls_where_that_is_wanted(
    command: Command, ftps: FtpFaultServer, here: Path
) -> None:
    publish(ftps)
    ftps.publish("/repo/SHA256SUMS", sums(FILES))
    trust = ("--ca-cert", authority().file(here.parent))
    command("mirror", ftps.url("/repo/SHA256SUMS"), "dest", "--ftp-tls", *trust)
    assert mirrored(here / "dest") == {**FILES, "SHA256SUMS": sums(FILES)}
    sessions = {one.session for one in ftps.commands}
    assert all(ftps.verbs(session)[0] == "AUTH" for session in sessions)
    ended = command("get", ftps.url("/repo/a.iso"), "--ftp-tls", "--json", status=1)
    assert ended.file["error"]["type"] == "TLSFailed"


def test_ftp_and_http_stand_in_one_list(
    command: Command, ftp: FtpFaultServer, server: FaultServer, here: Path
) -> None:
    ftp.publish("/x/a", b"by ftp", modified=MODIFIED)
    server.on("/y/b", http_reply(200, b"by http"))
    ftp.publish("/urls.txt", f"{ftp.url('/x/a')}\n{server.url('/y/b')}\n".encode())
    command("mirror", ftp.url("/urls.txt"), "dest")
    assert mirrored(here / "dest") == {"x/a": b"by ftp", "y/b": b"by http"}
    ended = command("mirror", ftp.url("/urls.txt"), "dest", "--json")
    assert ended.outcomes["x/a"] == "present"


def test_what_failed_is_tried_again_from_its_list(
    command: Command, ftp: FtpFaultServer, here: Path
) -> None:
    publish(ftp)
    ftp.publish("/repo/SHA256SUMS", sums(FILES))
    ftp.on("RETR", lambda session, asked: (
        truncated(10) if asked.argument == "repo/a.iso" else good("RETR")
    )(session, asked))  # fmt: skip
    failing = ("--retries", "0", "--failures", "failed.jsonl")
    command("mirror", ftp.url("/repo/SHA256SUMS"), "dest", *failing, status=1)
    ftp.on("RETR", good("RETR"))
    command("mirror", "failed.jsonl", "dest")
    assert mirrored(here / "dest") == FILES
    command("mirror", ftp.url("/repo/SHA256SUMS"), "dest")
    assert mirrored(here / "dest") == {**FILES, "SHA256SUMS": sums(FILES)}


@pytest.mark.parametrize("path", ["/absent", "/repo", "/repo/"])
def test_a_manifest_that_is_none_is_said_to_be_so(
    command: Command, ftp: FtpFaultServer, here: Path, path: str
) -> None:
    publish(ftp)
    ended = command("mirror", ftp.url(path), "dest", "--format", "checksums", status=2)
    assert ("550" if path == "/absent" else "folder") in ended.stderr
