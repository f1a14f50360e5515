"""FTP servers that let in no more connections than they like."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pulp_download import Batch, Cancelled, Download, MemoryWriter, Remote, ServerFailed
from tests.functional.fetch import BODY, cancels, fetched, refused, remote_for, running, whole
from tests.functional.upstream import body_of, expectations
from tests.servers.ftp import (
    FtpFaultServer,
    FtpScript,
    begin_data,
    closing,
    end_data,
    good,
    reply,
    send_file,
    steps,
)

pytestmark = [pytest.mark.need("I9"), pytest.mark.fault(104)]


def downloads_of(server: FtpFaultServer, count: int, remote: Remote) -> Iterator[Download]:
    for number in range(count):
        body = body_of(number)
        server.publish(f"/{number}", body)
        yield Download(
            server.url(f"/{number}"), MemoryWriter(), remote=remote, validations=expectations(body)
        )


def then(*rest: FtpScript) -> FtpScript:
    """A RETR in which this happens before the file."""
    return steps(begin_data(), *rest, send_file(), end_data(), reply("226 Done."))


def test_a_batch_goes_on_with_what_a_host_allows() -> None:
    with FtpFaultServer(limit=2) as server:
        with (
            remote_for() as remote,
            Batch(downloads_of(server, 60, remote), concurrency=8) as batch,
        ):
            assert [future.result().attempts for future in batch] == [()] * 60
        # Eight try at once; whoever is refused then tries as often as others are at most.
        assert server.refused <= 16
        assert len(server.logins) <= 4


CROWDS = [
    "421 There are too many connections from your internet address.",
    "421 Too many connections. Service temporarily unavailable.",
    "530 Sorry, the maximum number of clients (1) from your host are already connected.",
]


@pytest.mark.parametrize("text", CROWDS)
def test_a_crowd_at_the_door_or_at_the_login_fails_nobody(ftp: FtpFaultServer, text: str) -> None:
    if text.startswith("530"):
        ftp.on("USER", [good("USER"), *[closing(text)] * 3, good("USER")])
    else:
        ftp.on_connect([reply("220 Ready."), *[closing(text)] * 3, reply("220 Ready.")])
    ftp.on("RETR", [then(lambda *_: ftp.wait_for(lambda: ftp.accepted >= 2)), good("RETR")])
    with remote_for() as remote, Batch(downloads_of(ftp, 10, remote), concurrency=4) as batch:
        assert [future.result().attempts for future in batch] == [()] * 10
    assert ftp.accepted <= 8


def test_whoever_waits_for_room_is_not_out_of_time_for_connecting(ftp: FtpFaultServer) -> None:
    ready = reply("220 Ready.")
    ftp.on_connect([ready, closing("421 Too many connections."), ready])
    ftp.on("RETR", [then(lambda session, _: session.hold_data(2.0)), good("RETR")])
    with (
        remote_for(connect_timeout=1.0) as remote,
        Batch(downloads_of(ftp, 2, remote), concurrency=2) as batch,
    ):
        assert [future.result().attempts for future in batch] == [(), ()]
    assert len(ftp.logins) == 1


def test_whoever_waits_for_room_can_be_cancelled(tmp_path: Path) -> None:
    with FtpFaultServer(limit=1) as server:
        server.publish("/f", BODY)
        gate = server.gate()
        server.on("RETR", then(gate))
        with remote_for() as remote:
            first = Download(server.url("/f"), MemoryWriter(), remote=remote)
            second = Download(server.url("/f"), tmp_path / "second", remote=remote)
            with running(first) as one:
                gate.wait_for(1)
                with running(second) as other:
                    server.wait_for(lambda: server.refused == 1)
                    cancels(second, other)
                gate.open()
                assert one.result().size == len(BODY)


def test_whoever_waits_for_room_ends_with_the_remote() -> None:
    with FtpFaultServer(limit=1) as server:
        server.publish("/f", BODY)
        gate = server.gate()
        server.on("RETR", then(gate))
        with remote_for() as remote:
            downloads = [
                Download(server.url("/f"), MemoryWriter(), remote=remote) for _ in range(2)
            ]
            with running(downloads[0]) as one:
                gate.wait_for(1)
                with running(downloads[1]) as other:
                    server.wait_for(lambda: server.refused == 1)
                    remote.close()
        assert isinstance(one.exception(), Cancelled)
        assert isinstance(other.exception(), Cancelled)
        server.wait_for(lambda: server.open == 0)


def test_a_crowd_of_others_is_tried_again_later(target: Path) -> None:
    with FtpFaultServer(limit=0) as server:
        server.publish("/f", BODY)
        error = refused(ServerFailed, server.url("/f"), target)
        assert (error.status, error.retryable) == (421, True)
        server.limit = 1
        fetched(server.url("/f"), target)


def test_a_crowd_of_others_at_the_login_is_no_wrong_password(
    ftp: FtpFaultServer, target: Path
) -> None:
    ftp.publish("/f", BODY)
    text = "530 Sorry, the maximum number of clients (1) from your host are already connected."
    ftp.on("PASS", [closing(text), good("PASS")])
    result = fetched(ftp.url("/f"), target, max_retries=1)
    assert [(tried.status, tried.type) for tried in result.attempts] == [(530, "ServerFailed")]


def test_an_idle_connection_of_somebody_else_makes_room(target: Path) -> None:
    with FtpFaultServer(limit=1, users={"me": "1", "you": "2"}) as server:
        server.publish("/f", BODY)
        with remote_for() as remote:
            for userinfo in ("me:1", "you:2", "me:1"):
                url = server.url("/f", userinfo=userinfo)
                result = fetched(url, target, remote=remote, validations=whole(BODY))
                assert result.attempts == ()
        assert [login.user for login in server.logins] == ["me", "you", "me"]
