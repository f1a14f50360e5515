"""The streamer under servers of ASGI, with clients that know nothing of that."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
from starlette.applications import Starlette
from starlette.routing import Mount

from pulp_download import Cancelled, NotFound
from pulp_download.streamer.asgi import StreamerApp
from pulp_download.streamer.served import Served
from tests.functional.streamer.running import PATIENCE, Shelf, get, listed, parted
from tests.functional.streamer.test_clients_that_leave import LETTING_GO, Last, leave
from tests.functional.streamer.test_never_clean import (
    BODY,
    CLIENTS,
    REASONS,
    WRONG,
    WRONGS,
    received_until_broken,
    with_curl,
)
from tests.functional.streamer.web_servers import (
    Serve,
    Told,
    under_hypercorn,
    under_uvicorn,
)
from tests.servers import (
    FaultServer,
    authority,
    chunk,
    chunked,
    head,
    published,
    reply,
    send,
    steps,
    until_close,
)

each_server = pytest.mark.parametrize("serve", [under_uvicorn, under_hypercorn])
# Of those for whom an end without a length is the end of the file.
MODERN = {name: client for name, client in CLIENTS.items() if "1.0" not in name}


@pytest.mark.need("S3", "S7")
@pytest.mark.fault(200)
@each_server
def test_a_file_passes_with_its_fields(server: FaultServer, shelf: Shelf, serve: Serve) -> None:
    fields = [
        ("Cache-Control", "max-age=60"),
        ("Cache-Control", "immutable"),
        ("Date", "Mon, 06 Jul 2026 10:00:00 GMT"),
        ("Connection", "X-Hop"),
        ("X-Hop", "not for clients"),
        ("Set-Cookie", "not for clients"),
    ]
    listed(server, shelf, "a/f", BODY, reply(200, BODY, headers=fields))
    told = Told()
    with serve(StreamerApp(shelf, observer=told)) as site:
        status, got, body = parted(site.exchange(get("/a/f?query")))
        (served,) = told.wait_for()
    assert (status, body) == (200, BODY)
    assert got["cache-control"] == ["max-age=60", "immutable"]
    assert got["content-length"] == [str(len(BODY))]
    assert got["accept-ranges"] == ["none"]
    assert len(got["date"]) == 1
    assert not {"x-hop", "set-cookie"} & got.keys()
    assert (served.client, served.method, served.path) == ("127.0.0.1", "GET", "/a/f")
    assert (served.version, served.status, served.sent) == ("HTTP/1.1", 200, len(BODY))
    assert (served.is_complete, served.error) == (True, None)


@pytest.mark.need("S3")
@pytest.mark.fault(193, 196)
@each_server
def test_clients_see_that_they_have_no_whole_file(
    server: FaultServer, shelf: Shelf, serve: Serve
) -> None:
    told, content = Told(), []
    with serve(StreamerApp(shelf, observer=told)) as site:
        for wrong, answer in WRONGS.items():
            listed(server, shelf, "f", BODY, answer)
            content += [(wrong, name) for name, client in MODERN.items() if client(site.url("/f"))]
        served = told.wait_for(len(MODERN) * len(WRONGS))
    assert content == []
    assert {(one.status, one.is_complete) for one in served} == {(200, False)}
    assert all(isinstance(one.error, REASONS) for one in served)


@pytest.mark.need("S3")
@each_server
def test_the_same_clients_are_content_with_a_good_file(
    server: FaultServer, shelf: Shelf, serve: Serve
) -> None:
    with serve(StreamerApp(shelf)) as site:
        for good in (reply(200, BODY), chunked([chunk(BODY)]), until_close(BODY)):
            listed(server, shelf, "f", BODY, good)
            assert [name for name, client in MODERN.items() if client(site.url("/f"))] == [*MODERN]


# What upstream sends, what is expected of it, and what becomes of it where only a length tells.
UNMEASURED = (
    (reply(200, BODY), BODY, 200),
    (chunked([chunk(BODY)]), BODY, 502),
    (until_close(BODY), BODY, 502),
    (chunked([chunk(BODY[:5000])]), BODY[:5000], 200),
    (chunked([chunk(WRONG[:5000])]), BODY[:4999] + b"!", 502),
    (reply(200, b""), b"", 200),
)


@pytest.mark.need("S3")
@pytest.mark.fault(193, 196)
@each_server
def test_http_1_0_gets_what_has_a_length(server: FaultServer, shelf: Shelf, serve: Serve) -> None:
    with serve(StreamerApp(shelf)) as site:
        for answer, body, status in UNMEASURED:
            listed(server, shelf, "f", body, answer, size=False)
            got, fields, content = parted(site.exchange(get("/f", version="1.0")))
            assert (got, fields["content-length"]) == (status, [str(len(content))])
            assert (content == body) is (status == 200)


@pytest.mark.need("S3")
@pytest.mark.fault(193)
def test_http_2_sees_no_end(server: FaultServer, shelf: Shelf, tmp_path: Path) -> None:
    """Hypercorn does not reset the stream of an application that raises, and does not end it."""
    wrongs = [f"wrong{number}" for number in range(len(WRONGS))]
    for path, answer in zip(wrongs, WRONGS.values(), strict=True):
        listed(server, shelf, path, BODY, answer)
    listed(server, shelf, "good", BODY, reply(200, BODY))
    options = ["--http2", "--cacert", str(authority().file(tmp_path)), "--max-time", "1"]
    told = Told()
    with (
        under_hypercorn(StreamerApp(shelf, observer=told), tmp_path) as site,
        ThreadPoolExecutor(len(wrongs)) as threads,
    ):
        base = site.url().replace("http:", "https:")
        assert with_curl(base + "good", *options)
        assert not any(threads.map(lambda path: with_curl(base + path, *options), wrongs))
        served = told.wait_for(1 + len(wrongs))
    assert {one.version for one in served} == {"HTTP/2"}
    assert [one.is_complete for one in served].count(False) == len(wrongs)


@pytest.mark.need("S3")
@pytest.mark.fault(196)
@each_server
def test_a_small_file_is_verified_before_its_first_byte(
    server: FaultServer, shelf: Shelf, serve: Serve
) -> None:
    listed(server, shelf, "f", bytes(60_000), reply(200, b"!" * 60_000))
    with serve(StreamerApp(shelf)) as site:
        answer = requests.get(site.url("/f"), timeout=10)
    assert answer.status_code == 502
    assert answer.text == "502 Bad Gateway: what upstream gave is not the file that is listed\n"


@pytest.mark.need("S1", "S4")
@pytest.mark.fault(191)
@each_server
@pytest.mark.parametrize("moment", ["opening", "reading", "parked"])
def test_upstream_is_released_when_the_client_goes(
    server: FaultServer, shelf: Shelf, serve: Serve, moment: str
) -> None:
    told = Told()
    app = StreamerApp(shelf, threads=1, observer=told)
    release(server, shelf, serve(app), moment)
    (served,) = told.wait_for()
    assert (served.is_complete, served.error) == (False, None)
    assert app.open_streams == 0


def release(
    server: FaultServer,
    shelf: Shelf,
    serving: contextlib.AbstractContextManager[Any],
    moment: str,
) -> None:
    """Leave while upstream is being asked, has sent a little, or has more than anybody takes."""
    last = Last(BODY if moment == "parked" else b"")
    begun = steps(head(200, {"Content-Length": str(1 << 30)}), send(BODY[:1000]))
    server.on("/f", last if moment == "opening" else steps(begun, last))
    shelf.put("f", server.url("/f"))
    with serving as site, site.connect(receive_buffer=4096) as sock:
        sock.sendall(get("/f"))
        assert last.reached.wait(PATIENCE)
        if moment != "opening":
            assert sock.recv(4) == b"HTTP"
        left = time.monotonic()
        leave(sock, "close")
        assert last.gone.wait(PATIENCE)
        assert time.monotonic() - left < LETTING_GO


@pytest.mark.need("S6")
@pytest.mark.fault(192)
@each_server
def test_slow_clients_hold_no_thread(server: FaultServer, shelf: Shelf, serve: Serve) -> None:
    lasts = [Last(BODY) for _ in range(8)]
    begun = head(200, {"Content-Length": str(1 << 30)})
    for number, last in enumerate(lasts):
        server.on(f"/slow{number}", steps(begun, last))
        shelf.put(f"slow{number}", server.url(f"/slow{number}"))
    listed(server, shelf, "small", BODY[:5000], reply(200, BODY[:5000]))
    with serve(StreamerApp(shelf, threads=1)) as site, contextlib.ExitStack() as stack:
        for number in range(len(lasts)):
            sock = stack.enter_context(site.connect(receive_buffer=4096))
            sock.sendall(get(f"/slow{number}"))
            assert sock.recv(4) == b"HTTP"
        assert requests.get(site.url("/small"), timeout=5).content == BODY[:5000]
        assert not any(last.gone.is_set() for last in lasts)


@pytest.mark.fault(192)
@each_server
def test_a_client_that_takes_nothing_is_dropped(
    server: FaultServer, shelf: Shelf, serve: Serve
) -> None:
    last = Last(BODY)
    server.on("/f", steps(head(200, {"Content-Length": str(1 << 30)}), last))
    shelf.put("f", server.url("/f"))
    told = Told()
    app = StreamerApp(shelf, stall_timeout=0.2, observer=told)
    with serve(app) as site, site.connect(receive_buffer=4096) as sock:
        sock.sendall(get("/f"))
        assert last.gone.wait(PATIENCE)
        (served,) = told.wait_for()
    assert isinstance(served.error, Cancelled)
    assert "took nothing for 0.2 s" in str(served.error)


@pytest.mark.need("S7")
@pytest.mark.fault(199)
@each_server
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_conditions_and_head(server: FaultServer, shelf: Shelf, serve: Serve, method: str) -> None:
    listed(server, shelf, "f", BODY, reply(200, BODY, headers={"ETag": '"one"'}))
    with serve(StreamerApp(shelf)) as site:
        known = parted(site.exchange(get("/f", 'If-None-Match: "x", W/"one"', method=method)))
        status, fields, body = parted(site.exchange(get("/f", "Range: bytes=1-2", method=method)))
    assert (known[0], known[1]["etag"], known[2]) == (304, ['"one"'], b"")
    assert (status, fields["content-length"]) == (200, [str(len(BODY))])
    assert body == (BODY if method == "GET" else b"")
    assert {request.method for request in server.requests} == {method}


@pytest.mark.fault(198)
@each_server
def test_ranges_are_forwarded_where_that_is_wanted(
    server: FaultServer, shelf: Shelf, serve: Serve
) -> None:
    listed(server, shelf, "f", BODY, published(BODY, etag='"e"'))
    with serve(StreamerApp(shelf, ranges="forward")) as site:
        status, fields, body = parted(site.exchange(get("/f", "Range: bytes=1-9")))
    assert (status, body) == (206, BODY[1:10])
    assert fields["content-range"] == [f"bytes 1-9/{len(BODY)}"]


@pytest.mark.fault(195, 205)
@each_server
def test_failures_have_the_same_statuses(server: FaultServer, shelf: Shelf, serve: Serve) -> None:
    listed(server, shelf, "gone", BODY, reply(410))
    listed(server, shelf, "busy", BODY, reply(503, headers={"Retry-After": "7"}))
    listed(server, shelf, "broken", BODY, reply(500))
    told = Told()
    with serve(StreamerApp(shelf, observer=told)) as site:

        def status(path: str, **options: Any) -> int:
            return parted(site.exchange(get(path, **options)))[0]

        assert (status("/gone"), status("/unlisted"), status("/broken")) == (404, 404, 502)
        got, fields, text = parted(site.exchange(get("/busy")))
        assert (got, fields["retry-after"]) == (503, ["7"])
        assert text == b"503 Service Unavailable: upstream is busy\n"
        assert status("/a/%2e%2e/gone") == status("/%2e%2e/gone") == status("//gone") == 400
        assert status("/a%2fb") == status("/%00") == 400
        assert status("/gone", method="POST") == 405
        assert isinstance(told.wait_for()[0].error, NotFound)
    assert shelf.asked == ["gone", "unlisted", "broken", "busy"]


@pytest.mark.fault(195)
@each_server
def test_beyond_the_cap_is_503_at_once(server: FaultServer, shelf: Shelf, serve: Serve) -> None:
    gate = server.gate()
    listed(server, shelf, "f", BODY, steps(gate, reply(200, BODY)))
    with serve(StreamerApp(shelf, max_streams=1)) as site, site.connect() as first:
        first.sendall(get("/f"))
        gate.wait_for(1)
        status, fields, _ = parted(site.exchange(get("/f")))
        gate.open()
        assert b"".join(iter(lambda: first.recv(65536), b"")).endswith(BODY)
    assert (status, fields["retry-after"]) == (503, ["1"])


@pytest.mark.fault(212)
@each_server
def test_closing_it_breaks_off_what_is_being_sent(
    server: FaultServer, shelf: Shelf, serve: Serve
) -> None:
    last = Last()
    begun = steps(head(200, {"Content-Length": "9999999"}), send(BODY[:1000]), last)
    listed(server, shelf, "f", BODY, begun)
    shelf.put("f", server.url("/f"))
    app = StreamerApp(shelf)
    with serve(loop_kept(app)) as site, site.connect() as sock:
        sock.sendall(get("/f"))
        assert last.reached.wait(PATIENCE)
        assert sock.recv(4) == b"HTTP"
        app.loop.call_soon_threadsafe(app.close)  # type: ignore[attr-defined]
        assert last.gone.wait(LETTING_GO)
        received_until_broken(sock)
        assert parted(site.exchange(get("/f")))[0] == 503


def loop_kept(app: Any) -> Any:
    """Return an application that tells its loop."""

    async def call(scope: Any, receive: Any, send: Any) -> None:
        app.loop = asyncio.get_running_loop()
        await app(scope, receive, send)

    return call


@pytest.mark.fault(205)
@each_server
def test_it_may_be_mounted(server: FaultServer, shelf: Shelf, serve: Serve) -> None:
    listed(server, shelf, "a/f", BODY, reply(200, BODY))
    app = StreamerApp(shelf)

    @contextlib.asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[None]:
        yield
        app.close()

    mounted = Starlette(routes=[Mount("/files/here", app)], lifespan=lifespan)
    with serve(mounted) as site:
        assert requests.get(site.url("/files/here/a/f"), timeout=10).content == BODY
        assert requests.get(site.url("/files/here/"), timeout=10).status_code == 404
    assert shelf.asked == ["a/f", ""]


@pytest.mark.fault(216)
def test_cancelled_twice_a_request_is_told_of_once(server: FaultServer, shelf: Shelf) -> None:
    told: list[Served] = []
    last = Last()
    listed(server, shelf, "f", BODY, last)
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/f",
        "raw_path": b"/f",
        "http_version": "1.1",
        "headers": [(b"host", b"host.test")],
    }

    async def receive() -> MutableMapping[str, Any]:
        return await asyncio.Future()

    async def send(message: MutableMapping[str, Any]) -> None:
        pytest.fail("there is no answer")

    async def main() -> None:
        with contextlib.closing(StreamerApp(shelf, observer=told.append)) as app:
            answering = asyncio.create_task(app(scope, receive, send))
            assert await asyncio.to_thread(last.reached.wait, PATIENCE)
            answering.cancel()
            await asyncio.sleep(0)
            answering.cancel()
            with pytest.raises(asyncio.CancelledError):
                await answering
        assert await asyncio.to_thread(last.gone.wait, PATIENCE)

    asyncio.run(main())
    assert [(one.path, one.is_complete) for one in told] == [("/f", False)]
