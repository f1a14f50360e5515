"""Behind nginx and Squid, by the configurations that docs/streamer.rst shows."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from tests.functional.cli.command import PATIENCE, Command
from tests.functional.streamer.served import Streamer, serving
from tests.servers import (
    FaultServer,
    Script,
    authority,
    chunk,
    chunked,
    cut,
    head,
    reply,
    send,
    steps,
    until_close,
)
from tests.servers.fronts import Front, Nginx, Squid

BODY = bytes(range(256)) * 2000  # more than proxies hold back
WRONG = BODY[:-1] + b"!"
LONG = BODY + b"!"
HALF = BODY[: len(BODY) // 2]

# Ways to ask for the numbers, all of which the streamer understands.
NUMBERS = ["/metrics", "/%6detrics", "/metrics?x"]


def framed(body: bytes) -> dict[str, Script]:
    """One body in every framing of HTTP/1."""
    return {
        "length": reply(200, body),
        "chunks": chunked([chunk(body)]),
        "close": until_close(body),
    }


BAD = {
    **{f"wrong, by {framing}": script for framing, script in framed(WRONG).items()},
    **{f"long, by {framing}": script for framing, script in framed(LONG).items()},
    "short, by length": steps(head(200, {"Content-Length": str(len(BODY))}), send(HALF), cut()),
    "short, by chunks": chunked([chunk(HALF)], end=b"", keep=False),
    "short, by close": until_close(HALF),
}


class Failed(Exception):
    """What a client says when it did not get the file."""


def by_curl(*options: str) -> Callable[[str], bytes]:
    def get(url: str) -> bytes:
        run = ["curl", "-sSf", *options, url]
        done = subprocess.run(run, capture_output=True, timeout=PATIENCE, check=False)
        if done.returncode:
            raise Failed(done.stderr.decode())
        return done.stdout

    return get


def by_http_client(url: str) -> bytes:
    host, _, path = url.removeprefix("http://").partition("/")
    connection = http.client.HTTPConnection(host, timeout=PATIENCE)
    with contextlib.closing(connection):
        try:
            connection.request("GET", f"/{path}")
            answer = connection.getresponse()
            body = answer.read()
        except (http.client.HTTPException, OSError) as error:
            raise Failed(str(error)) from None
        if answer.status != 200:
            raise Failed(str(answer.status))
        return body


def by_requests(url: str) -> bytes:
    try:
        answer = requests.get(url, timeout=PATIENCE)
        answer.raise_for_status()
    except requests.RequestException as error:
        raise Failed(str(error)) from None
    return answer.content


CLIENTS = {
    "curl": by_curl("--http1.1"),
    "http.client": by_http_client,
    "requests": by_requests,
}


@pytest.fixture
def streamer(server: FaultServer, command: Command) -> Iterator[Streamer]:
    """A streamer of one listed file, whose upstream is asked once for each request."""
    digest = hashlib.sha256(BODY).hexdigest()
    server.on("/SHA256SUMS", reply(200, f"{digest}  file\n".encode()))
    with serving(command, server.url("/SHA256SUMS"), "--retries", 0) as started:
        yield started


def outcomes(
    front: Front,
    server: FaultServer,
    clients: dict[str, Callable[[str], bytes]],
    path: str = "/file",
) -> None:
    """Every client sees every bad file for what it is, and gets the good one whole."""
    for what, script in BAD.items():
        server.on("/file", script)
        for name, get in clients.items():
            with pytest.raises(Failed):
                pytest.fail(f"{name} took what was {what}: {len(get(front.url(path)))} bytes")
    for framing, script in framed(BODY).items():
        server.on("/file", script)
        for name, get in clients.items():
            assert get(front.url(path)) == BODY, f"{name}, by {framing}"


@pytest.mark.need("S3")
@pytest.mark.fault(193, 196, 202)
class TestNginx:
    def test_a_bad_file_is_never_clean(self, streamer: Streamer, server: FaultServer) -> None:
        with Nginx(streamer.port) as front:
            outcomes(front, server, CLIENTS)

    def test_a_bad_file_is_never_clean_by_http_2(
        self, streamer: Streamer, server: FaultServer, tmp_path: Path
    ) -> None:
        chain, key = authority().server_files(tmp_path)
        listen = f"ssl http2; ssl_certificate {chain}; ssl_certificate_key {key};"
        clients = {"curl": by_curl("--http2", "--cacert", str(authority().file(tmp_path)))}
        with Nginx(streamer.port, listens=listen) as front:
            outcomes(front, server, clients)

    def test_clients_of_http_1_0_are_refused(self, streamer: Streamer, server: FaultServer) -> None:
        server.on("/file", reply(200, BODY))
        with Nginx(streamer.port) as front, pytest.raises(Failed, match="505"):
            by_curl("--http1.0")(front.url("/file"))

    def test_with_its_own_settings_a_bad_file_is_not_clean_either(
        self, streamer: Streamer, server: FaultServer
    ) -> None:
        edits = {
            "proxy_http_version 1.1;": "",
            'proxy_set_header Connection "";': "",
            "proxy_buffering off;": "",
            "proxy_max_temp_file_size 0;": "",
        }
        with Nginx(streamer.port, edits=edits) as front:
            outcomes(front, server, CLIENTS)

    @pytest.mark.fault(213)
    def test_a_cache_keeps_good_files_only(self, streamer: Streamer, server: FaultServer) -> None:
        cache = "proxy_cache kept; proxy_cache_valid 200 1h; proxy_cache_lock on;"
        zone = "proxy_cache_path {folder}/kept keys_zone=kept:1m; upstream streamer {"
        with Nginx(
            streamer.port, edits={"proxy_buffering off;": cache, "upstream streamer {": zone}
        ) as front:
            outcomes(front, server, CLIENTS)
            asked = len(server.requests_to("/file"))
            for get in CLIENTS.values():
                assert get(front.url("/file")) == BODY
            assert len(server.requests_to("/file")) == asked

    def test_bytes_go_on_as_they_come(self, streamer: Streamer, server: FaultServer) -> None:
        gate = server.gate()
        begin = head(200, {"Content-Length": str(len(BODY)), "ETag": '"e"'})
        server.on("/file", steps(begin, send(BODY[:1000]), gate, send(BODY[1000:])))
        with Nginx(streamer.port) as front:
            connection = http.client.HTTPConnection("127.0.0.1", front.port, timeout=PATIENCE)
            with contextlib.closing(connection):
                connection.request("GET", "/file")
                answer = connection.getresponse()
                assert answer.headers["ETag"] == '"e"'
                assert answer.headers["Content-Length"] == str(len(BODY))
                first = answer.read(999)  # one byte is held back
                gate.wait_for(1)
                gate.open()
                assert first + answer.read() == BODY

    def test_a_client_that_leaves_frees_upstream(
        self, streamer: Streamer, server: FaultServer
    ) -> None:
        gate = server.gate()
        begin = head(200, {"Content-Length": str(len(BODY))})
        server.on("/file", steps(begin, send(BODY[:1000]), gate))
        with Nginx(streamer.port) as front:
            connection = http.client.HTTPConnection("127.0.0.1", front.port, timeout=PATIENCE)
            connection.request("GET", "/file")
            gate.wait_for(1)
            connection.close()
            server.wait_for(lambda: server.held == 0, 5.0)

    def test_the_numbers_are_not_for_everybody(self, streamer: Streamer) -> None:
        with Nginx(streamer.port) as front:
            for target in NUMBERS:
                with pytest.raises(Failed, match="404"):
                    by_http_client(front.url(target))


@pytest.mark.need("S3")
@pytest.mark.fault(193, 196, 202, 213)
class TestSquid:
    def test_a_bad_file_is_never_clean_nor_kept(
        self, streamer: Streamer, server: FaultServer
    ) -> None:
        with Squid(streamer.port) as front:
            outcomes(front, server, CLIENTS)

    def test_a_good_file_is_kept_and_the_numbers_are_nobodys(
        self, streamer: Streamer, server: FaultServer
    ) -> None:
        fresh = {"Cache-Control": "public, max-age=3600"}
        server.on("/file", reply(200, BODY, headers=fresh))
        with Squid(streamer.port) as front:
            for _ in range(3):
                assert by_requests(front.url("/file")) == BODY
            for target in NUMBERS:
                with pytest.raises(Failed, match="403"):
                    by_http_client(front.url(target))
        assert len(server.requests_to("/file")) == 1
