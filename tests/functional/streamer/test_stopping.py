"""The end of a streamer, and what it tells of each request."""

from __future__ import annotations

import logging
import time

import pytest
import requests
from twisted.internet.defer import Deferred

from pulp_download.errors import NotFound
from pulp_download.streamer.served import Served
from pulp_download.streamer.twisted import site
from tests.functional.streamer.running import (
    PATIENCE,
    Shelf,
    Streamer,
    get,
    listed,
    parted,
    reactor,
)
from tests.functional.streamer.test_clients_that_leave import Last
from tests.servers import FaultServer, head, reply, send, steps

BODY = bytes(range(256)) * 4096
BEGUN = steps(head(200, {"Content-Length": str(len(BODY))}), send(BODY[:100_000]))


@pytest.mark.fault(216)
def test_a_stop_lets_open_streams_end_and_takes_no_more(server: FaultServer, shelf: Shelf) -> None:
    gate = server.gate()
    listed(server, shelf, "f", BODY, steps(BEGUN, gate, send(BODY[100_000:])))
    with Streamer(shelf) as streamer, streamer.connect() as sock:
        sock.sendall(get("/f"))
        gate.wait_for(1)
        stopped: list[Deferred[None]] = []
        streamer.in_reactor(lambda: stopped.append(streamer.resource.stop()))
        status, fields, _ = parted(streamer.exchange(get("/f")))
        assert (status, fields["retry-after"]) == (503, ["30"])
        assert not stopped[0].called
        gate.open()
        assert b"".join(iter(lambda: sock.recv(65536), b"")).endswith(BODY)
        streamer.in_reactor(lambda: stopped[0])
        assert streamer.resource.open_streams == 0


@pytest.mark.fault(216)
def test_a_stop_aborts_what_is_not_over_in_time(server: FaultServer, shelf: Shelf) -> None:
    last = Last()
    listed(server, shelf, "f", BODY, steps(BEGUN, last))
    with Streamer(shelf) as streamer, streamer.connect() as sock:
        sock.sendall(get("/f"))
        assert last.reached.wait(PATIENCE)
        assert sock.recv(4) == b"HTTP"
        begun = time.monotonic()
        streamer.in_reactor(streamer.resource.stop, 0.2)
        assert 0.1 < time.monotonic() - begun < 2
        assert last.gone.wait(PATIENCE)
        with pytest.raises(ConnectionResetError):
            while sock.recv(65536):
                pass


@pytest.mark.fault(216)
def test_a_close_refuses_in_words_who_has_no_head_yet(server: FaultServer, shelf: Shelf) -> None:
    last = Last()
    listed(server, shelf, "f", BODY, last)
    with Streamer(shelf) as streamer, streamer.connect() as sock:
        sock.sendall(get("/f"))
        assert last.reached.wait(PATIENCE)
        streamer.in_reactor(streamer.resource.close)
        assert sock.recv(65536).startswith(b"HTTP/1.1 503 ")
        assert last.gone.wait(PATIENCE)


@pytest.mark.fault(216)
def test_a_resource_ends_with_its_reactor_unless_it_ended_before(shelf: Shelf) -> None:
    def triggers() -> int:
        return len(reactor._eventTriggers["shutdown"].before)

    with Streamer(shelf) as streamer:
        during = streamer.in_reactor(triggers)
    assert streamer.in_reactor(triggers) == during - 1


def test_an_observer_is_told_of_each_request(server: FaultServer, shelf: Shelf) -> None:
    listed(server, shelf, "f", BODY, reply(200, BODY))
    with Streamer(shelf) as streamer:
        streamer.exchange(get("/f?token=s3cret"))
        streamer.exchange(get("/%1b[2Junlisted", version="1.0"))
        streamer.exchange(get("http://me:s3cret@host/../f", method="HEAD"))
        whole, unlisted, refused = streamer.wait_for_served(3)
    assert isinstance(whole, Served)
    assert (whole.client, whole.method, whole.path, whole.version) == (
        "127.0.0.1",
        "GET",
        "/f",
        "HTTP/1.1",
    )
    assert (whole.status, whole.sent, whole.error, whole.is_complete) == (
        200,
        len(BODY),
        None,
        True,
    )
    assert whole.upstream_seconds is not None
    assert 0 < whole.upstream_seconds < whole.seconds < PATIENCE
    assert (unlisted.status, unlisted.version, unlisted.upstream_seconds) == (400, "HTTP/1.0", None)
    assert (refused.status, refused.path) == (400, "/../f")
    assert "s3cret" not in f"{whole} {refused}"


def test_an_error_is_told_with_what_came_of_it(shelf: Shelf) -> None:
    with Streamer(shelf) as streamer:
        streamer.exchange(get("/unlisted"))
        (served,) = streamer.wait_for_served()
    assert isinstance(served.error, NotFound)
    assert (served.status, served.is_complete) == (404, True)


def test_an_observer_that_fails_disturbs_nobody(server: FaultServer, shelf: Shelf) -> None:
    def observe(served: Served) -> None:
        raise RuntimeError("not my day")

    listed(server, shelf, "f", BODY, reply(200, BODY))
    with Streamer(shelf, observer=observe) as streamer:
        assert streamer.exchange(get("/f")).endswith(BODY)
        assert streamer.exchange(get("/f")).endswith(BODY)
        assert streamer.resource.open_streams == 0


def test_what_ranges_may_be_is_checked(shelf: Shelf) -> None:
    with pytest.raises(ValueError, match="ranges"), Streamer(shelf, ranges="some"):
        pass


def test_a_site_can_be_made_of_a_supplier(server: FaultServer, shelf: Shelf) -> None:
    listed(server, shelf, "f", BODY, reply(200, BODY))
    with Streamer(shelf) as streamer:
        made = streamer.in_reactor(lambda: site(shelf, reactor=reactor))
        port = streamer.in_reactor(lambda: reactor.listenTCP(0, made, interface="127.0.0.1"))
        url = f"http://127.0.0.1:{port.getHost().port}/f"
        assert requests.get(url, timeout=PATIENCE).content == BODY
        streamer.in_reactor(port.stopListening)
        streamer.in_reactor(made.resource.close)


@pytest.mark.fault(224, 225)
def test_logs_hold_no_secrets_and_one_line_for_each_failure(
    server: FaultServer, shelf: Shelf, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "pulp_download")
    server.on("/f", reply(500))
    shelf.put("f", server.url("/f?token=s3cret", userinfo="me:s3cret"), BODY)
    with Streamer(shelf) as streamer:
        streamer.exchange(get("/f?token=s3cret", "Authorization: Basic s3cret"))
        streamer.wait_for_served()
    told = [record for record in caplog.records if "streamer" in record.name]
    assert [record.getMessage().partition(":")[0] for record in told] == ["502 /f"]
    assert "s3cret" not in caplog.text
