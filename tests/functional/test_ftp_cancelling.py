"""An FTP download is cancelled, whatever it is doing: it ends at once and leaves nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pulp_download import Batch, Cancelled, Download, MemoryWriter, Remote
from tests.functional.fetch import AT_ONCE, BODY, OLD, SOON, cancels, fetched, remote_for, running
from tests.servers import Blackhole
from tests.servers.ftp import (
    FtpFaultServer,
    FtpScript,
    begin_data,
    end_data,
    endless,
    good,
    hold,
    hold_data,
    never_served,
    reply,
    send,
    send_file,
    silent_after_data,
    stalled,
    steps,
)

pytestmark = [pytest.mark.need("I10"), pytest.mark.fault(171)]


@pytest.fixture(params=["plain", "explicit", "implicit"])
def any_ftp(request: pytest.FixtureRequest) -> FtpFaultServer:
    """Each test without TLS and with both kinds of it."""
    name = {"plain": "ftp", "explicit": "ftps"}.get(request.param, "implicit")
    server = request.getfixturevalue(name)
    assert isinstance(server, FtpFaultServer)
    server.publish("/f", BODY)
    return server


def remote_of(server: FtpFaultServer, **settings: Any) -> Remote:
    explicit = server._house.tls is not None and not server.implicit
    return remote_for(ftp_tls=explicit, **settings)


def cancels_when_held(server: FtpFaultServer, target: Path) -> None:
    """Cancel a download as soon as the server holds it up; both its connections must go."""
    with remote_of(server) as remote:
        download = Download(server.url("/f"), target, remote=remote)
        with running(download) as future:
            server.wait_for(lambda: server.held == 1)
            cancels(download, future)
        server.wait_for(lambda: server.open == 0)
        assert target.read_bytes() == OLD


def test_while_it_connects(target: Path) -> None:
    with Blackhole() as hole, remote_for() as remote:
        url = hole.url("/f").replace("http:", "ftp:")
        download = Download(url, target, remote=remote)
        with running(download) as future:
            while not download.cancel():  # until it has begun
                assert not future.done()
            with pytest.raises(Cancelled):
                future.result(AT_ONCE)


@pytest.mark.parametrize("banner", [hold, steps(send(b"220-Wait"), hold)])
def test_while_it_waits_to_be_greeted(
    any_ftp: FtpFaultServer, target: Path, banner: FtpScript
) -> None:
    any_ftp.on_connect(banner)
    cancels_when_held(any_ftp, target)


def test_while_it_shakes_hands(ftp: FtpFaultServer, target: Path) -> None:
    ftp.on("AUTH", steps(reply("234 Proceed."), hold))
    with remote_for(ftp_tls=True) as remote:
        download = Download(ftp.url("/f"), target, remote=remote)
        with running(download) as future:
            ftp.wait_for(lambda: ftp.held == 1)
            cancels(download, future)
        ftp.wait_for(lambda: ftp.open == 0)


@pytest.mark.parametrize("verb", ["USER", "PASS", "FEAT", "TYPE", "SIZE", "MDTM", "EPSV", "RETR"])
def test_while_a_command_is_not_answered(any_ftp: FtpFaultServer, target: Path, verb: str) -> None:
    any_ftp.on(verb, hold)
    cancels_when_held(any_ftp, target)


@pytest.mark.parametrize("verb", ["SIZE", "EPSV", "RETR"])
def test_while_a_command_on_a_used_connection_is_not_answered(
    any_ftp: FtpFaultServer, target: Path, verb: str
) -> None:
    any_ftp.on(verb, [good(verb), hold])
    with remote_of(any_ftp) as remote:
        fetched(any_ftp.url("/f"), target, remote=remote)
        download = Download(any_ftp.url("/f"), target, remote=remote)
        with running(download) as future:
            any_ftp.wait_for(lambda: any_ftp.held == 1)
            cancels(download, future)
        any_ftp.wait_for(lambda: any_ftp.open == 0)
        assert len(any_ftp.logins) == 1


@pytest.mark.parametrize("answer", [never_served(), stalled(0), stalled(5000)])
def test_while_data_are_awaited(any_ftp: FtpFaultServer, target: Path, answer: FtpScript) -> None:
    any_ftp.on("RETR", answer)
    cancels_when_held(any_ftp, target)


@pytest.mark.parametrize("sized", [True, False])
def test_while_the_last_word_is_awaited(any_ftp: FtpFaultServer, target: Path, sized: bool) -> None:
    if not sized:
        any_ftp.on("SIZE", reply("500 What?"))
    any_ftp.on("RETR", silent_after_data())
    cancels_when_held(any_ftp, target)


def test_in_the_middle_of_the_last_word(any_ftp: FtpFaultServer, target: Path) -> None:
    half = steps(begin_data(), send_file(), end_data(), send(b"22"), hold)
    any_ftp.on("RETR", half)
    cancels_when_held(any_ftp, target)


def test_while_data_pour_in(any_ftp: FtpFaultServer, target: Path) -> None:
    any_ftp.on("SIZE", reply("500 What?"))
    any_ftp.on("RETR", endless())
    with remote_of(any_ftp) as remote:
        download = Download(any_ftp.url("/f"), target, remote=remote)
        with running(download) as future:
            any_ftp.wait_for(lambda: any(record.sent > 10**6 for record in any_ftp.data))
            cancels(download, future)
        any_ftp.wait_for(lambda: any_ftp.open == 0)


def test_a_content_is_cancelled_by_another_thread(any_ftp: FtpFaultServer) -> None:
    any_ftp.on("RETR", stalled(5000))
    with (
        remote_of(any_ftp) as remote,
        Download(any_ftp.url("/f"), remote=remote).iter_content() as content,
    ):
        canceller = threading.Thread(
            target=lambda: (any_ftp.wait_for(lambda: any_ftp.held == 1), content.cancel())
        )
        canceller.start()
        with pytest.raises(Cancelled):
            for _ in content:
                pass
        canceller.join(SOON)
        any_ftp.wait_for(lambda: any_ftp.open == 0)


def test_a_batch_that_is_left_stops_what_is_running(any_ftp: FtpFaultServer) -> None:
    any_ftp.publish("/good", b"good")
    slow = steps(begin_data(), hold_data)

    def answer(session: Any, command: Any) -> None:
        (good("RETR") if command.argument == "good" else slow)(session, command)

    any_ftp.on("RETR", answer)

    def downloads(remote: Remote) -> Iterator[Download]:
        for name in ["good", *["f"] * 7]:
            yield Download(any_ftp.url(f"/{name}"), MemoryWriter(), remote=remote)

    with remote_of(any_ftp) as remote:
        with Batch(downloads(remote), concurrency=8) as batch:
            for future in batch:
                assert future.result().size == 4
                any_ftp.wait_for(lambda: any_ftp.held == 7)
                break
        any_ftp.wait_for(lambda: any_ftp.open <= 1)


def test_closing_the_remote_ends_what_is_running(any_ftp: FtpFaultServer) -> None:
    any_ftp.on("RETR", stalled(5000))
    with remote_of(any_ftp) as remote:
        download = Download(any_ftp.url("/f"), MemoryWriter(), remote=remote)
        with running(download) as future:
            any_ftp.wait_for(lambda: any_ftp.held == 1)
            remote.close()
            assert isinstance(future.exception(SOON), Cancelled)
    any_ftp.wait_for(lambda: any_ftp.open == 0)
