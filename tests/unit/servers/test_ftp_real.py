"""The FTP servers that others wrote: each starts, does what it is there for, and is gone."""

import ftplib
import os
import ssl
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.servers import authority, keeper
from tests.servers.ftp_daemon import Daemon
from tests.servers.ftp_real import HOST, Proftpd, Protection, PyFtpd, RealServer, Vsftpd, needs
from tests.unit.servers.clients import TIMEOUT
from tests.unit.servers.ftp_clients import ImplicitFtpTls, ReusingFtpTls, fetch

KINDS = [PyFtpd, Vsftpd, Proftpd]
USERS = {PyFtpd: ("me", "p:w ü"), Vsftpd: ("ftp", "p:w ü"), Proftpd: ("me", "p:w ü")}
VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]
BODY = bytes(range(256)) * 1000  # 256 000 bytes


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with a file, a folder, and a file that not everyone may read."""
    (tmp_path / "pool").mkdir()
    (tmp_path / "pool" / "a.bin").write_bytes(BODY)
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "b").write_bytes(b"b")
    (tmp_path / "secret" / "b").chmod(0o600)
    return tmp_path


def client_of(
    server: RealServer,
    protection: Protection = Protection.NONE,
    user: tuple[str, str] | None = None,
    *,
    version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3,
    kind: type[ftplib.FTP] | None = None,
) -> ftplib.FTP:
    """A client that has logged in, to be used with ``with``."""
    kinds = {Protection.EXPLICIT: ReusingFtpTls, Protection.IMPLICIT: ImplicitFtpTls}
    kind = kind or kinds.get(protection, ftplib.FTP)
    context = authority().client_context()
    context.minimum_version = context.maximum_version = version
    options: dict[str, Any] = {} if protection is Protection.NONE else {"context": context}
    client = kind(timeout=TIMEOUT, **options)
    try:
        client.connect(HOST, server.port)
        client.login(*(user or ()))
        if isinstance(client, ftplib.FTP_TLS):
            client.prot_p()
        client.voidcmd("TYPE I")
    except BaseException:
        client.close()
        raise
    return client


@pytest.mark.parametrize("named", [False, True], ids=["anonymous", "user"])
@pytest.mark.parametrize("protection", Protection)
@pytest.mark.parametrize("kind", KINDS)
def test_each_serves_a_file_to_those_who_may_have_it(
    kind: type[RealServer], protection: Protection, named: bool, root: Path
) -> None:
    needs(kind, protection)
    user = USERS[kind] if named else None
    with kind(root, protection=protection, user=user) as server:
        with client_of(server, protection, user) as client:
            assert client.size("/pool/a.bin") == 256_000
            assert fetch(client, "/pool/a.bin") == BODY
            assert fetch(client, "pool/a.bin", rest=255_999) == b"\xff"
        if user is not None:
            with pytest.raises(ftplib.error_perm, match="530"):
                client_of(server, protection, (user[0], "wrong"))
            with pytest.raises(ftplib.error_perm, match="530"):
                client_of(server, protection)
        scheme = "ftps" if protection is Protection.IMPLICIT else "ftp"
        assert server.url("/x", userinfo="me") == f"{scheme}://me@127.0.0.1:{server.port}/x"


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("protection", [Protection.EXPLICIT, Protection.IMPLICIT])
@pytest.mark.parametrize("kind", KINDS)
def test_data_connections_that_resume_the_session_are_taken_and_end_in_order(
    kind: type[RealServer], protection: Protection, version: ssl.TLSVersion, root: Path
) -> None:
    needs(kind, protection)
    with (
        kind(root, protection=protection) as server,
        client_of(server, protection, version=version) as client,
    ):
        for _ in range(3):
            with client.transfercmd("RETR pool/a.bin") as conn:
                assert isinstance(conn, ssl.SSLSocket)
                conn.suppress_ragged_eofs = False  # so a missing close_notify is an error
                body = b""
                while piece := conn.recv(65536):
                    body += piece
                assert (body, conn.session_reused) == (BODY, True)
                assert conn.version() == version.name.replace("_", ".")
            assert client.voidresp().startswith("226")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("kind", "error"),
    [
        (Vsftpd, "522 SSL connection failed: session reuse required"),
        (Proftpd, "425 Unable to build data connection: Operation not permitted"),
    ],
)
def test_data_connections_that_resume_no_session_are_refused(
    kind: type[RealServer], error: str, version: ssl.TLSVersion, root: Path
) -> None:
    needs(kind, Protection.EXPLICIT)
    with (
        kind(root, protection=Protection.EXPLICIT) as server,
        client_of(server, Protection.EXPLICIT, version=version, kind=ftplib.FTP_TLS) as client,
        pytest.raises(ftplib.Error, match=error),
    ):
        fetch(client, "pool/a.bin")


@pytest.mark.parametrize(
    ("kind", "login", "data"),
    [
        (PyFtpd, "550 SSL/TLS required on the control", "550 SSL/TLS required on the data"),
        (Vsftpd, "530", "522 Data connections must be encrypted"),
        (
            Proftpd,
            "550 SSL/TLS required on the control",
            "534 Unwilling to accept security parameters",
        ),
    ],
)
def test_explicit_tls_is_required_for_the_login_and_for_data(
    kind: type[RealServer], login: str, data: str, root: Path
) -> None:
    needs(kind, Protection.EXPLICIT)
    with kind(root, protection=Protection.EXPLICIT) as server:
        with pytest.raises(ftplib.error_perm, match=login):
            client_of(server, user=("me", "pw"))
        with client_of(server, Protection.EXPLICIT) as client:
            assert isinstance(client, ftplib.FTP_TLS)
            with pytest.raises(ftplib.error_perm, match=data):
                client.prot_c()
                fetch(client, "pool/a.bin")


@pytest.mark.parametrize(
    ("kind", "path", "error"),
    [
        (PyFtpd, "none", "550 No such file or directory."),
        (PyFtpd, "pool", "550 Is a directory."),
        (PyFtpd, "secret/b", "550 Not enough privileges."),
        (Vsftpd, "none", "550 Failed to open file."),
        (Vsftpd, "pool", "550 Failed to open file."),
        (Vsftpd, "secret/b", "550 Failed to open file."),
        (Proftpd, "none", "550 none: No such file or directory"),
        (Proftpd, "pool", "550 pool: Not a regular file"),
        (Proftpd, "secret/b", "550 secret/b: Permission denied"),
    ],
)
def test_each_says_in_its_own_words_why_there_is_no_file(
    kind: type[RealServer], path: str, error: str, root: Path
) -> None:
    needs(kind)
    options: dict[str, Any] = {"unreadable": ("secret",)} if kind is PyFtpd else {}
    with kind(root, **options) as server, client_of(server) as client:
        with pytest.raises(ftplib.error_perm) as caught:
            fetch(client, path)
        assert str(caught.value) == error


@pytest.mark.parametrize(
    ("kind", "options", "error"),
    [
        (PyFtpd, {"max_cons_per_ip": 1}, "421 Too many connections from the same IP address."),
        (Vsftpd, {"max_per_ip": "1"}, "421 There are too many connections from your internet"),
        (Vsftpd, {"max_clients": "1"}, "421 There are too many connected users, please try"),
        (Proftpd, {"MaxConnectionsPerHost": "1"}, "530 Sorry, the maximum number of connections"),
        (Proftpd, {"MaxClientsPerHost": "1"}, "530 Sorry, the maximum number of clients"),
        (Proftpd, {"MaxClients": "1"}, "530 Sorry, the maximum number of allowed clients"),
    ],
)
def test_connections_beyond_a_limit_are_refused(
    kind: type[RealServer], options: dict[str, Any], error: str, root: Path
) -> None:
    needs(kind)
    with (
        kind(root, options=options) as server,
        client_of(server),
        pytest.raises(ftplib.Error, match=error),
    ):
        client_of(server)


@pytest.mark.parametrize("protection", [Protection.NONE, Protection.EXPLICIT])
@pytest.mark.parametrize(
    ("kind", "rate"),
    [
        # It sends what a second may have at once, and then rests for up to two seconds.
        pytest.param(PyFtpd, 100_000, marks=pytest.mark.slow),
        (Vsftpd, 400_000),
        (Proftpd, 400_000),
    ],
)
def test_a_rate_is_kept(
    kind: type[RealServer], rate: int, protection: Protection, root: Path
) -> None:
    needs(kind, protection)
    with (
        kind(root, protection=protection, rate=rate) as server,
        client_of(server, protection) as client,
    ):
        begun = time.monotonic()
        assert fetch(client, "pool/a.bin") == BODY
        assert time.monotonic() - begun > 0.2  # without a limit it is a hundredth


@pytest.mark.parametrize("kind", [Vsftpd, Proftpd])
def test_no_process_outlives_its_server_whatever_clients_do(kind: type[Daemon], root: Path) -> None:
    needs(kind)
    with kind(root) as server, client_of(server) as idle, client_of(server) as busy:
        with busy.transfercmd("RETR pool/a.bin"):
            assert len(processes(kind.binary)) >= 3  # one that listens, one for each client
            server.__exit__()
            assert processes(kind.binary) == []
        with pytest.raises((EOFError, ConnectionError)):
            idle.sendcmd("NOOP")


def processes(binary: str) -> list[str]:
    """The command lines of what a test of this process has started, as its descendants."""
    found, parents = [], [os.getpid()]
    while parents:
        for task in Path(f"/proc/{parents.pop()}/task").iterdir():
            for child in (task / "children").read_text().split():
                parents.append(int(child))
                name = Path(f"/proc/{child}/comm").read_text().strip()
                found += [name] if name == binary else []
    return found


def test_a_keeper_ends_what_was_left_to_it() -> None:
    script = "(sleep 1000 & echo $!) & wait; exec sleep 1001"
    command = [sys.executable, "-IS", keeper.__file__, "sh", "-c", script]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdin is not None
        orphan = int(process.stdout.readline())
        os.kill(orphan, 0)
        process.stdin.close()
        assert process.wait(TIMEOUT) == 0
        with pytest.raises(ProcessLookupError):
            os.kill(orphan, 0)


def test_a_keeper_lets_no_zombie_pile_up() -> None:
    script = "(sh -c 'exit 0' & echo $!); read -r nothing; exec sleep 1001"
    command = [sys.executable, "-IS", keeper.__file__, "sh", "-c", script]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        orphan = int(process.stdout.readline())
        deadline = time.monotonic() + TIMEOUT
        while Path(f"/proc/{orphan}").exists():
            assert time.monotonic() < deadline, Path(f"/proc/{orphan}/stat").read_text()


def test_a_keeper_ends_with_what_it_keeps() -> None:
    command = [sys.executable, "-IS", keeper.__file__, "sh", "-c", "exit 3"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        assert process.wait(TIMEOUT) == 3


def test_a_daemon_that_cannot_start_says_why(root: Path) -> None:
    needs(Vsftpd)
    with pytest.raises(ChildProcessError, match="unrecognised variable"):
        Vsftpd(root, options={"no_such_option": "1"}).__enter__()


@pytest.mark.parametrize("kind", [Vsftpd, Proftpd])
def test_a_missing_daemon_is_a_plain_reason(
    kind: type[Daemon], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kind, "binary", "no-such-daemon")
    assert kind.why_not() == "no-such-daemon is not installed: NOT tested against it"
    with pytest.raises(pytest.skip.Exception, match="NOT tested"):
        needs(kind)
