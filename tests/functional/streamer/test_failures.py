"""What a client is told when there is no first byte to give it."""

from __future__ import annotations

import pytest
import requests

from pulp_download import Download, Mirrors, Remote
from pulp_download.errors import CatalogError
from tests.functional.streamer.running import Shelf, Streamer, get, listed, parted
from tests.servers import (
    FaultServer,
    Script,
    redirect,
    reply,
    send,
    stalled_before_head,
    stalled_in_head,
)

SECRET = "s3cret"
BODY = b"the file\n" * 100


@pytest.mark.fault(195)
@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (reply(404), 404),
        (reply(410), 404),
        (reply(401, headers={"WWW-Authenticate": f"Basic realm={SECRET}"}), 502),
        (reply(403), 502),
        (reply(407), 502),
        (reply(418), 502),
        (reply(500), 502),
        (reply(502), 502),
        (reply(504), 502),
        (reply(204), 502),
        (reply(206, b"half", headers={"Content-Range": "bytes 0-3/9"}), 502),
        (reply(304), 502),
        (redirect("file:///etc/passwd"), 502),
        (redirect("/f"), 502),
        (send(b"NOT HTTP\r\n\r\n"), 502),
    ],
)
def test_upstreams_status_becomes_the_clients(
    server: FaultServer, shelf: Shelf, answer: Script, status: int
) -> None:
    url = server.url(f"/f?token={SECRET}", userinfo=f"me:{SECRET}")
    server.on("/f", answer)
    shelf.put("f", url, BODY)
    with Streamer(shelf) as streamer:
        got = streamer.exchange(get("/f"))
        (served,) = streamer.wait_for_served()
    told, fields, body = parted(got)
    assert told == served.status == status
    assert fields["content-type"] == ["text/plain; charset=utf-8"]
    assert fields["content-length"] == [str(len(body))]
    assert fields["cache-control"] == ["no-store"]
    assert body.startswith(b"%d " % status)
    assert "www-authenticate" not in fields
    for secret in (SECRET, str(server.port), "127.0.0.1"):
        assert secret.encode() not in got
    assert SECRET not in f"{served} {served.error}"


@pytest.mark.fault(51, 195)
@pytest.mark.parametrize(
    ("status", "asked", "told"),
    [
        (503, "7", "7"),
        (429, "7", "7"),
        (429, None, "30"),
        (503, None, "30"),
        (503, "0", "1"),
        (503, "soon", "30"),
        (503, "999999999", "86400"),
    ],
)
def test_a_busy_upstream_is_503_and_says_when(
    server: FaultServer, shelf: Shelf, status: int, asked: str | None, told: str
) -> None:
    answer = reply(status, headers={} if asked is None else {"Retry-After": asked})
    listed(server, shelf, "f", BODY, answer)
    with Streamer(shelf) as streamer:
        got, fields, _ = parted(streamer.exchange(get("/f")))
    assert (got, fields["retry-after"]) == (503, [told])


@pytest.mark.fault(195, 217)
@pytest.mark.parametrize("answer", [stalled_before_head(), stalled_in_head()])
def test_an_upstream_that_takes_too_long_is_504(
    server: FaultServer, shelf: Shelf, answer: Script
) -> None:
    server.on("/f", answer)
    with Remote(max_retries=0, sock_read_timeout=0.2) as remote:
        shelf.put("f", server.url("/f"), BODY, remote=remote)
        with Streamer(shelf) as streamer:
            assert parted(streamer.exchange(get("/f")))[0] == 504


@pytest.mark.fault(195)
def test_an_upstream_that_is_not_there_is_502(shelf: Shelf) -> None:
    with FaultServer() as gone:
        url = gone.url("/f")
    shelf.put("f", url, BODY)
    with Streamer(shelf) as streamer:
        assert parted(streamer.exchange(get("/f")))[0] == 502


@pytest.mark.need("S5")
@pytest.mark.fault(194, 195)
def test_the_next_mirror_is_tried_first(server: FaultServer, shelf: Shelf) -> None:
    server.on("/dead", reply(500))
    server.on("/alive", reply(200, BODY))
    shelf.put("f", Mirrors([server.url("/dead"), server.url("/alive")]), BODY)
    with Streamer(shelf) as streamer:
        assert requests.get(streamer.url("/f"), timeout=10).content == BODY


@pytest.mark.need("S3", "S5")
@pytest.mark.fault(194, 195)
def test_the_next_mirror_is_tried_after_a_small_file_that_is_wrong(
    server: FaultServer, shelf: Shelf
) -> None:
    server.on("/stale", reply(200, b"x" * len(BODY), headers={"ETag": '"stale"'}))
    server.on("/right", reply(200, BODY, headers={"ETag": '"right"'}))
    shelf.put("f", Mirrors([server.url("/stale"), server.url("/right")]), BODY)
    with Streamer(shelf) as streamer:
        answer = requests.get(streamer.url("/f"), timeout=10)
    assert (answer.status_code, answer.content) == (200, BODY)
    assert answer.headers["ETag"] == '"right"'


@pytest.mark.fault(194, 195)
@pytest.mark.parametrize("other", [reply(200, b"x" * len(BODY)), reply(500)])
def test_a_file_is_absent_only_where_every_mirror_says_so(
    server: FaultServer, shelf: Shelf, other: Script
) -> None:
    server.on("/other", other)
    server.on("/absent", reply(404))
    server.on("/gone", reply(410))
    shelf.put("either", Mirrors([server.url("/other"), server.url("/absent")]), BODY)
    shelf.put("neither", Mirrors([server.url("/absent"), server.url("/gone")]), BODY)
    with Streamer(shelf) as streamer:
        assert parted(streamer.exchange(get("/either")))[0] == 502
        assert parted(streamer.exchange(get("/neither")))[0] == 404


@pytest.mark.fault(205)
def test_what_is_not_listed_is_404_and_nobody_is_asked(server: FaultServer, shelf: Shelf) -> None:
    with Streamer(shelf) as streamer:
        assert parted(streamer.exchange(get("/unlisted")))[0] == 404
    assert shelf.asked == ["unlisted"]
    assert server.requests == []


class Failing:
    """A supplier with a failure of its own."""

    def __init__(self, error: Exception):
        self.error = error

    def get_download(self, path: str) -> Download:
        raise self.error


@pytest.mark.fault(215)
@pytest.mark.parametrize(
    ("error", "status"),
    [
        (KeyError(SECRET), 404),
        (RuntimeError(SECRET), 500),
        (CatalogError(SECRET), 500),
        (OSError(SECRET), 500),
    ],
)
def test_a_suppliers_own_words_are_not_the_clients(error: Exception, status: int) -> None:
    with Streamer(Failing(error)) as streamer:
        answer = streamer.exchange(get("/<script>"))
        (served,) = streamer.wait_for_served()
    assert parted(answer)[0] == served.status == status
    assert SECRET.encode() not in answer
    assert b"script" not in answer
    assert b"Traceback" not in answer


@pytest.mark.fault(214)
def test_redirects_of_upstream_are_followed_and_not_shown(
    server: FaultServer, shelf: Shelf
) -> None:
    server.on("/real", reply(200, BODY))
    listed(server, shelf, "f", BODY, redirect(server.url("/real", userinfo="a:b")))
    with Streamer(shelf) as streamer:
        status, fields, body = parted(streamer.exchange(get("/f")))
    assert (status, body) == (200, BODY)
    assert "location" not in fields


@pytest.mark.fault(213, 219)
def test_nothing_of_a_clients_request_goes_upstream(server: FaultServer, shelf: Shelf) -> None:
    listed(server, shelf, "f", BODY, reply(200, BODY))
    fields = (
        f"Cookie: {SECRET}",
        f"Authorization: Basic {SECRET}",
        f"X-Forwarded-Host: {SECRET}",
        f"User-Agent: {SECRET}",
        f"Range: bytes=0-1{SECRET}",
    )
    with Streamer(shelf) as streamer:
        assert parted(streamer.exchange(get(f"/f?{SECRET}", *fields)))[0] == 200
        (served,) = streamer.wait_for_served()
    (request,) = server.requests
    assert SECRET.encode() not in request.raw
    assert served.path == "/f"
