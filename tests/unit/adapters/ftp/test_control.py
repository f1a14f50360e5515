"""One control connection: its opening, its data connections, its end."""

from __future__ import annotations

import pytest

from pulp_download.adapters.ftp.control import Control
from pulp_download.errors import BadStatus, Cancelled, TimedOut
from tests.servers import authority
from tests.servers.ftp import FtpFaultServer, closing, good, hold, reply
from tests.unit.adapters.ftp.lending import Shelf, opened, place_of, watched

BODY = bytes(range(256)) * 40


@pytest.mark.parametrize("is_tls", [False, True])
def test_a_connection_is_closed_once_and_told_to_be_gone_once(is_tls: bool) -> None:
    with FtpFaultServer(tls=authority().server_context()) as server:
        with opened(server, is_tls=is_tls) as (control, _):
            control.connect_data()
            shelf = control._pool
            assert isinstance(shelf, Shelf)
            for _ in range(3):
                control.close()
            assert (shelf.gone, shelf.idle) == ([control], [])
        server.wait_for(lambda: server.open == 0)


def test_what_is_given_back_is_idle_or_gone() -> None:
    with FtpFaultServer() as server, opened(server) as (control, _):
        shelf = control._pool
        assert isinstance(shelf, Shelf)
        control.connect_data()
        control.give_back(reusable=True)
        assert (shelf.idle, shelf.gone, control.has_data) == ([control], [], False)
        control.give_back(reusable=False)
        assert shelf.gone == [control]


def test_an_opening_that_fails_leaves_nothing_when_it_is_closed() -> None:
    with FtpFaultServer() as server, watched() as watch:
        server.on("TYPE", reply("504 No."))
        control = Control(place_of(server), Shelf())
        with pytest.raises(BadStatus):
            control.open(watch)
        control.close()
        server.wait_for(lambda: server.open == 0)


def test_a_run_that_was_stopped_opens_and_borrows_nothing() -> None:
    with FtpFaultServer() as server, opened(server) as (control, _), watched() as watch:
        watch.cancel()
        with pytest.raises(Cancelled):
            control.borrow(watch)
        other = Control(place_of(server), Shelf())
        with pytest.raises(Cancelled):
            other.open(watch)
        other.close()


def test_all_of_an_opening_is_within_the_limit_for_connecting() -> None:
    with FtpFaultServer() as server, watched(connect=0.2, read=60.0) as watch:
        server.on("OPTS", hold)
        control = Control(place_of(server), Shelf())
        with pytest.raises(TimedOut) as caught:
            control.open(watch)
        control.close()
    assert (caught.value.limit, caught.value.seconds) == ("connect", 0.2)


def test_one_buffer_serves_every_transfer() -> None:
    with FtpFaultServer() as server, opened(server) as (control, _):
        server.publish("/f", BODY)
        buffers = set()
        for _ in range(3):
            control.connect_data()
            control.start("RETR f")
            wire = control.received_into()
            buffers.add(id(wire._buffer.obj))
            while wire.fill():
                wire.take(65_536)
            assert control.end_data(None).code == 226
        assert len(buffers) == 1


@pytest.mark.parametrize("is_tls", [False, True])
def test_the_verbs_of_ftplib_work_upon_it(is_tls: bool) -> None:
    with (
        FtpFaultServer(tls=authority().server_context()) as server,
        opened(server, is_tls=is_tls) as (control, _),
    ):
        server.publish("/f", BODY)
        received = bytearray()
        for rest in (None, 100, 5000):
            received.clear()
            said = control.retrbinary("RETR f", received.extend, blocksize=1000, rest=rest)
            assert (said[:3], bytes(received)) == ("226", BODY[rest or 0 :])
        assert control.pwd() == "/"
        assert control.size("f") == len(BODY)


def test_a_host_that_is_asked_by_pasv_once_is_asked_so_again() -> None:
    with FtpFaultServer() as server, opened(server) as (control, _):
        server.on("EPSV", reply("522 No."))
        for _ in range(2):
            control.connect_data()
            control.give_back(reusable=True)
        assert [verb for verb in server.verbs() if verb.endswith("SV")] == ["EPSV", "PASV", "PASV"]


def test_ipv6_has_no_pasv() -> None:
    with FtpFaultServer(host="::1") as server, opened(server) as (control, _):
        server.on("EPSV", reply("500 What?"))
        with pytest.raises(BadStatus) as caught:
            control.connect_data()
        assert caught.value.status == 500
        assert "PASV" not in server.verbs()


def test_a_421_is_no_fact() -> None:
    with FtpFaultServer() as server, opened(server) as (control, _):
        server.on("SIZE", [closing("421 Timeout.")])
        with pytest.raises(BadStatus) as caught:
            control.fact("SIZE", "f")
        assert caught.value.status == 421


def test_what_is_not_known_is_not_asked_for() -> None:
    with FtpFaultServer() as server, opened(server) as (control, _):
        server.on("MDTM", [reply("500 What?"), good("MDTM")])
        assert control.fact("MDTM", "f") is not None
        assert control.fact("MDTM", "f") is None
        assert control.can_restart
        assert control.restart_at(1)
        control.cannot_restart()
        assert not control.restart_at(1)
        assert server.arguments("REST") == ["1"]
