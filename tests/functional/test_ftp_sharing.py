"""FTP connections: how many, whose, used again, and found dead."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pulp_download import (
    Batch,
    ConnectionFailed,
    Download,
    DownloadError,
    MemoryWriter,
    NotAuthorized,
    NotFound,
    Remote,
    ServerFailed,
)
from tests.functional.asking import fetched as fetched_bytes
from tests.functional.asking import fetched_together
from tests.functional.fetch import BODY, fetched, refused, remote_for, whole
from tests.functional.test_pickles_and_forks import FORKING, runs
from tests.servers import authority
from tests.servers.ftp import (
    Cut,
    FtpFaultServer,
    FtpScript,
    begin_data,
    closing,
    cut,
    good,
    reply,
    send_file,
    steps,
)

pytestmark = pytest.mark.need("I7")

ENDS = [cut(), cut(Cut.BARE), cut(Cut.RST), closing("421 Timeout.")]


@pytest.fixture(params=["plain", "explicit", "implicit"])
def any_ftp(request: pytest.FixtureRequest) -> FtpFaultServer:
    """Each test without TLS and with both kinds of it."""
    name = {"plain": "ftp", "explicit": "ftps"}.get(request.param, "implicit")
    server = request.getfixturevalue(name)
    assert isinstance(server, FtpFaultServer)
    server.publish("/f", BODY)
    return server


def tls_of(server: FtpFaultServer) -> dict[str, bool]:
    return {"ftp_tls": server._house.tls is not None and not server.implicit}


def downloads_of(server: FtpFaultServer, count: int, remote: Remote) -> Iterator[Download]:
    for number in range(count):
        url = server.url(f"/{number}")
        yield Download(url, MemoryWriter(), remote=remote, validations=whole(body_of(number)))


def body_of(number: int) -> bytes:
    return f"file {number} ".encode() * (number % 50)


def publish(server: FtpFaultServer, count: int) -> None:
    for number in range(count):
        server.publish(f"/{number}", body_of(number))


# -- how many


@pytest.mark.need("I9")
@pytest.mark.parametrize(
    "count", [300, pytest.param(5000, marks=pytest.mark.slow)], ids=["few", "many"]
)
def test_many_files_take_no_more_logins_than_workers(any_ftp: FtpFaultServer, count: int) -> None:
    publish(any_ftp, count)
    with (
        remote_for(**tls_of(any_ftp)) as remote,
        Batch(downloads_of(any_ftp, count, remote), concurrency=8) as batch,
    ):
        assert all(future.result().attempts == () for future in batch)
    assert 1 <= len(any_ftp.logins) <= 8
    assert any_ftp.peak <= 8
    assert any_ftp.verbs().count("RETR") == count


def test_refusals_keep_their_connection(ftp: FtpFaultServer) -> None:
    publish(ftp, 30)
    with remote_for() as remote:
        for number in range(60):
            try:
                assert fetched_bytes(ftp.url(f"/{number}"), remote) == body_of(number)
            except NotFound:
                assert number >= 30
    assert len(ftp.logins) == 1


def test_threads_do_not_disturb_one_another(any_ftp: FtpFaultServer) -> None:
    publish(any_ftp, 40)
    with remote_for(**tls_of(any_ftp)) as remote:
        assert fetched_together(any_ftp.url("/f"), remote, 16) == [BODY] * 16
        with Batch(downloads_of(any_ftp, 48, remote), concurrency=16) as batch:
            outcomes = [type(future.exception()) for future in batch]
        assert (outcomes.count(type(None)), outcomes.count(NotFound)) == (40, 8)
        any_ftp.wait_for(lambda: any_ftp.open <= 16)
    any_ftp.wait_for(lambda: any_ftp.open == 0)


def test_closing_the_remote_closes_what_is_idle(any_ftp: FtpFaultServer, target: Path) -> None:
    with remote_for(**tls_of(any_ftp)) as remote:
        fetched(any_ftp.url("/f"), target, remote=remote)
        assert any_ftp.open == 1
    any_ftp.wait_for(lambda: any_ftp.open == 0)


# -- whose


@pytest.mark.fault(107)
def test_a_connection_is_never_used_for_another_user(target: Path) -> None:
    with FtpFaultServer(users={"me": "1", "you": "2", "anonymous": "anonymous@"}) as server:
        server.publish("/f", BODY)
        with remote_for() as remote:
            for _ in range(2):
                for userinfo in ("me:1", "", "you:2"):
                    fetched(server.url("/f", userinfo=userinfo), target, remote=remote)
            refused(NotAuthorized, server.url("/f", userinfo="me:2"), target, remote=remote)
        assert [login.user for login in server.logins] == ["me", "anonymous", "you"]


@pytest.mark.fault(107)
def test_a_connection_is_never_used_with_less_security(ftps: FtpFaultServer, target: Path) -> None:
    ftps.publish("/f", BODY)
    with remote_for(ftps_mode="explicit") as remote:
        for _ in range(2):
            fetched(ftps.url("/f"), target, remote=remote)
            fetched(ftps.url("/f", scheme="ftps"), target, remote=remote)
            assert remote.session.get(ftps.url("/f", scheme="ftps"), verify=False).content == BODY
    assert len(ftps.logins) == 3
    plain, secure, unverified = range(1, 4)
    assert "PROT" not in ftps.verbs(plain)
    assert ftps.verbs(secure)[0] == ftps.verbs(unverified)[0] == "AUTH"


# -- found dead


@pytest.mark.parametrize("end", ENDS)
def test_an_idle_connection_that_was_closed_is_replaced_without_a_failed_try(
    any_ftp: FtpFaultServer, target: Path, end: FtpScript
) -> None:
    any_ftp.on("RETR", [steps(good("RETR"), end), good("RETR")])
    with remote_for(**tls_of(any_ftp)) as remote:
        fetched(any_ftp.url("/f"), target, remote=remote)
        any_ftp.wait_for(lambda: any_ftp.open == 0)
        result = fetched(any_ftp.url("/f"), target, remote=remote, validations=whole(BODY))
    assert result.attempts == ()
    assert len(any_ftp.logins) == 2


def test_a_farewell_of_a_server_that_has_not_closed_yet_is_understood(
    any_ftp: FtpFaultServer, target: Path
) -> None:
    any_ftp.on("RETR", [steps(good("RETR"), reply("421 Timeout.")), good("RETR")])
    with remote_for(**tls_of(any_ftp)) as remote:
        for _ in range(2):
            result = fetched(any_ftp.url("/f"), target, remote=remote, validations=whole(BODY))
            assert result.attempts == ()
    assert len(any_ftp.logins) == 2


@pytest.mark.parametrize("verb", ["SIZE", "MDTM", "EPSV", "RETR"])
@pytest.mark.parametrize("end", ENDS)
def test_a_used_connection_that_dies_at_a_command_is_replaced_without_a_failed_try(
    any_ftp: FtpFaultServer, target: Path, verb: str, end: FtpScript
) -> None:
    any_ftp.on(verb, [good(verb), end, good(verb)])
    with remote_for(**tls_of(any_ftp)) as remote:
        for _ in range(2):
            result = fetched(any_ftp.url("/f"), target, remote=remote, validations=whole(BODY))
            assert result.attempts == ()
    assert len(any_ftp.logins) == 2


@pytest.mark.parametrize("end", [cut(), closing("421 Timeout.")])
def test_a_new_connection_that_dies_is_a_failed_try(
    any_ftp: FtpFaultServer, target: Path, end: FtpScript
) -> None:
    any_ftp.on("SIZE", [good("SIZE"), end])
    with remote_for(**tls_of(any_ftp)) as remote:
        fetched(any_ftp.url("/f"), target, remote=remote)
        kinds: tuple[type[DownloadError], ...] = (ConnectionFailed, ServerFailed)
        assert refused(kinds, any_ftp.url("/f"), target, remote=remote).retryable
    assert len(any_ftp.logins) == 2


def test_a_content_that_is_left_drops_its_connection(any_ftp: FtpFaultServer) -> None:
    gate = any_ftp.gate()
    any_ftp.on("RETR", steps(begin_data(), send_file(until=5000), gate))
    with remote_for(**tls_of(any_ftp)) as remote:
        with Download(any_ftp.url("/f"), remote=remote).iter_content() as content:
            assert next(content)
        any_ftp.wait_for(lambda: any_ftp.open == 0)
        any_ftp.on("RETR", good("RETR"))
        assert fetched_bytes(any_ftp.url("/f"), remote) == BODY


# -- another process


@pytest.mark.parametrize("is_tls", [False, True])
def test_a_forked_child_connects_anew_and_leaves_its_parents_connection_alone(
    is_tls: bool,
) -> None:
    tls = authority().server_context() if is_tls else None
    with FtpFaultServer(tls=tls, implicit=is_tls) as server:
        server.publish("/f", b"a file")
        runs(
            FORKING
            + """
import gc, warnings
warned = []
warnings.simplefilter("always")
warnings.showwarning = lambda *what: warned.append(what)
with Remote(ca_cert=sys.stdin.read(), max_retries=0) as remote:
    assert fetched(sys.argv[1], remote) == b"a file"
    def use():
        assert fetched(sys.argv[1], remote) == b"a file"
        assert fetched(sys.argv[1], remote) == b"a file"
        remote.close()
        gc.collect()
        assert not warned, warned  # of sockets that nobody closed
    assert in_child(use)
    assert fetched(sys.argv[1], remote) == b"a file"
""",
            server.url("/f"),
            data=authority().pem.encode(),
        )
        assert len(server.logins) == 2
        assert [server.verbs(one).count("RETR") for one in (1, 2)] == [2, 2]
