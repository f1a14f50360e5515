"""The streamer under servers of WSGI, with clients that know nothing of that."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import flask
import pytest
import requests
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from pulp_download import Download, NotFound
from pulp_download.streamer.wsgi import StreamerApp, passed_on
from tests.functional.streamer.running import PATIENCE, Shelf, get, listed, parted
from tests.functional.streamer.test_asgi import UNMEASURED
from tests.functional.streamer.test_clients_that_leave import LETTING_GO, Last, leave
from tests.functional.streamer.test_never_clean import BODY, CLIENTS, REASONS, WRONG, WRONGS
from tests.functional.streamer.web_servers import (
    Serve,
    Told,
    under_cheroot,
    under_werkzeug,
    under_wsgiref,
)
from tests.servers import (
    FaultServer,
    chunk,
    chunked,
    head,
    published,
    reply,
    steps,
)

each_server = pytest.mark.parametrize("serve", [under_cheroot, under_werkzeug, under_wsgiref])


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
    server.on("/a/f%20g", reply(200, BODY, headers=fields))
    shelf.put("a/f g", server.url("/a/f%20g"), BODY)
    told = Told()
    with serve(StreamerApp(shelf, observer=told)) as site:
        status, got, body = parted(site.exchange(get("/a/f%20g?query")))
        (served,) = told.wait_for()
    assert (status, body) == (200, BODY)
    assert got["cache-control"] == ["max-age=60", "immutable"]
    assert got["content-length"] == [str(len(BODY))]
    assert got["accept-ranges"] == ["none"]
    assert len(got["date"]) == 1
    assert not {"x-hop", "set-cookie"} & got.keys()
    assert (served.client, served.method, served.path) == ("127.0.0.1", "GET", "/a/f%20g")
    assert (served.version, served.status, served.sent) == ("HTTP/1.1", 200, len(BODY))
    assert (served.is_complete, served.error) == (True, None)


MEASURED = [wrong for wrong in WRONGS if wrong == "wrong last byte" or "a length" in wrong]


@pytest.mark.need("S3")
@pytest.mark.fault(193, 196)
@each_server
def test_clients_see_that_they_have_no_whole_file(
    server: FaultServer, shelf: Shelf, serve: Serve
) -> None:
    told, content = Told(), []
    with serve(StreamerApp(shelf, observer=told)) as site:
        for wrong in MEASURED:
            listed(server, shelf, "f", BODY, WRONGS[wrong])
            content += [(wrong, name) for name, client in CLIENTS.items() if client(site.url("/f"))]
        served = told.wait_for(len(CLIENTS) * len(MEASURED))
    assert content == []
    assert {(one.status, one.is_complete) for one in served} == {(200, False)}
    assert all(isinstance(one.error, REASONS) for one in served)


@pytest.mark.need("S3")
@pytest.mark.fault(193, 196)
@each_server
def test_clients_are_told_where_they_could_not_see(
    server: FaultServer, shelf: Shelf, serve: Serve
) -> None:
    with serve(StreamerApp(shelf)) as site:
        for wrong in WRONGS.keys() - MEASURED:
            listed(server, shelf, "f", BODY, WRONGS[wrong], size=False)
            status, _, text = parted(site.exchange(get("/f")))
            assert status == 502
            assert text == b"502 Bad Gateway: upstream does not tell the length of the file\n"


@pytest.mark.need("S3")
@pytest.mark.fault(193, 196)
def test_a_server_that_breaks_off_its_chunks_needs_no_length(
    server: FaultServer, shelf: Shelf
) -> None:
    clients = {name: client for name, client in CLIENTS.items() if "1.0" not in name}
    with under_cheroot(StreamerApp(shelf, needs_length=False)) as site:
        for answer in WRONGS.values():
            listed(server, shelf, "f", BODY, answer, size=False)
            assert [name for name, client in clients.items() if client(site.url("/f"))] == []
        listed(server, shelf, "f", BODY, chunked([chunk(BODY)]), size=False)
        assert requests.get(site.url("/f"), timeout=10).content == BODY
        assert parted(site.exchange(get("/f", version="1.0")))[0] == 502


@pytest.mark.need("S3")
@pytest.mark.fault(193, 196)
@each_server
def test_what_is_small_is_judged_before_its_head(
    server: FaultServer, shelf: Shelf, serve: Serve
) -> None:
    small = (reply(200, b"!" * 60_000), bytes(60_000), 502)
    with serve(StreamerApp(shelf)) as site:
        for answer, body, status in (*UNMEASURED, small):
            listed(server, shelf, "f", body, answer, size=False)
            got, fields, content = parted(site.exchange(get("/f")))
            assert (got, fields["content-length"]) == (status, [str(len(content))])
            assert (content == body) is (status == 200)


def test_what_ends_the_servers_thread_gives_its_place_back(
    server: FaultServer, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Ended(BaseException):
        pass

    def end(path: str) -> Download:
        raise Ended

    told = Told()
    listed(server, shelf, "f", BODY, reply(200, BODY))
    app = StreamerApp(shelf, max_streams=1, observer=told)
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/f", "HTTP_HOST": "host.test"}
    statuses: list[str] = []

    def start(status: str, fields: object, info: object = None) -> Any:
        statuses.append(status)

    with monkeypatch.context() as broken:
        broken.setattr(shelf, "get_download", end)
        with pytest.raises(Ended):
            app(environ, start)
    answer: Any = app(environ, start)
    assert b"".join(answer) == BODY
    answer.close()
    assert statuses == ["200 OK"]
    assert [one.is_complete for one in told.wait_for(2)] == [False, True]


@pytest.mark.need("S1", "S4")
@pytest.mark.fault(191)
@each_server
def test_upstream_is_released_when_the_client_goes(
    server: FaultServer, shelf: Shelf, serve: Serve
) -> None:
    told = Told()
    app = StreamerApp(shelf, max_streams=1, observer=told)
    release(server, shelf, serve(app), told.wait_for)  # its place is free when it is told of
    assert [(one.path, one.is_complete, one.error) for one in told.wait_for(2)] == [
        ("/f", False, None),
        ("/next", True, None),
    ]


def release(
    server: FaultServer, shelf: Shelf, serving: Any, wait: Callable[[], object] | None = None
) -> None:
    """Leave while upstream has more than anybody takes; then there is room for another."""
    last = Last(BODY)
    server.on("/f", steps(head(200, {"Content-Length": str(1 << 30)}), last))
    shelf.put("f", server.url("/f"))
    listed(server, shelf, "next", BODY, reply(200, BODY))
    with serving as site:
        with site.connect(receive_buffer=4096) as sock:
            sock.sendall(get("/f"))
            assert sock.recv(4) == b"HTTP"
            left = time.monotonic()
            leave(sock, "close")
            assert last.gone.wait(PATIENCE)
            assert time.monotonic() - left < LETTING_GO
        if wait is not None:
            wait()
        assert requests.get(site.url("/next"), timeout=10).content == BODY


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
        assert status("/a/%2e%2e/gone") == status("/%2e%2e/gone") == status("/%00") == 400
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


@pytest.mark.fault(205)
@each_server
def test_it_may_be_mounted(server: FaultServer, shelf: Shelf, serve: Serve) -> None:
    listed(server, shelf, "a/f", BODY, reply(200, BODY))
    app = flask.Flask("site")
    app.wsgi_app = DispatcherMiddleware(  # type: ignore[method-assign]
        app.wsgi_app, {"/files/here": StreamerApp(shelf)}
    )
    with serve(app) as site:
        assert requests.get(site.url("/files/here/a/f"), timeout=10).content == BODY
        assert requests.get(site.url("/files/here"), timeout=10).status_code == 404
    assert shelf.asked == ["a/f", ""]


def views(shelf: Shelf) -> flask.Flask:
    """Return an application with a view of its own, over a content and nothing else."""
    app = flask.Flask("site")

    @app.get("/<path:path>")
    def view(path: str) -> flask.Response:
        content = shelf.get_download(path).iter_content()
        return flask.Response(content, content.status, passed_on(content))

    return app


@pytest.mark.need("S3", "S6")
@pytest.mark.fault(193, 196)
@each_server
def test_a_view_passes_on_a_content(server: FaultServer, shelf: Shelf, serve: Serve) -> None:
    listed(server, shelf, "good", BODY, reply(200, BODY, headers={"ETag": '"e"'}))
    listed(server, shelf, "f", BODY, reply(200, WRONG))
    with serve(views(shelf)) as site:
        answer = requests.get(site.url("/good"), timeout=10)
        assert [name for name, client in CLIENTS.items() if client(site.url("/f"))] == []
    assert (answer.content, answer.headers["ETag"]) == (BODY, '"e"')
    release(server, shelf, serve(views(shelf)))
