"""What is wrong never ends as a whole file: in no framing, no version, for no client."""

from __future__ import annotations

import http.client
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from pulp_download import (
    ConnectionFailed,
    DigestMismatch,
    Mirrors,
    Remote,
    SizeMismatch,
    Truncated,
)
from tests.functional.streamer.running import Shelf, Streamer, get, listed
from tests.servers import (
    Cut,
    FaultServer,
    Script,
    authority,
    chunk,
    chunked,
    endless_body,
    published,
    reply,
    truncated,
    until_close,
)

# Beyond what buffers hold, so that it fails when the head is long gone.
BODY = bytes(range(256)) * 4096
WRONG = BODY[:-1] + b"!"

# What upstream sends, and whether it tells a length.
WRONGS: dict[str, Script] = {
    "wrong last byte": reply(200, WRONG),
    "wrong last byte, chunked": chunked([chunk(WRONG)]),
    "wrong last byte, until close": until_close(WRONG),
    "one byte too many, chunked": chunked([chunk(BODY + b"!")]),
    "one byte too few, chunked": chunked([chunk(BODY[:-1])]),
    "one byte too few, until close": until_close(BODY[:-1]),
    "cut with a length": truncated(BODY, sent=len(BODY) // 2),
    "reset with a length": truncated(BODY, sent=len(BODY) // 2, how=Cut.RST),
    "cut in a chunk": chunked([chunk(BODY)[: len(BODY) // 2]], end=b"", keep=False),
    "cut between chunks": chunked([chunk(BODY)], end=b"", keep=False),
}
REASONS = (DigestMismatch, SizeMismatch, Truncated, ConnectionFailed)
each_wrong = pytest.mark.parametrize("wrong", WRONGS)


def with_curl(url: str, *options: str) -> bool:
    command = ["curl", "--silent", "--output", "/dev/null", "--max-time", "10", *options, url]
    return subprocess.run(command, check=False).returncode == 0


def with_http_client(url: str) -> bool:
    connection = http.client.HTTPConnection(url.split("/")[2], timeout=10)
    try:
        connection.request("GET", "/f")
        connection.getresponse().read()
    except (http.client.HTTPException, OSError):
        return False
    finally:
        connection.close()
    return True


def with_requests(url: str) -> bool:
    try:
        assert requests.get(url, timeout=10).status_code == 200
    except requests.RequestException:
        return False
    return True


CLIENTS: dict[str, Callable[[str], bool]] = {
    "curl": with_curl,
    "curl, HTTP/1.0": lambda url: with_curl(url, "--http1.0"),
    "http.client": with_http_client,
    "requests": with_requests,
}


@pytest.mark.need("S3")
@pytest.mark.fault(193, 196)
@each_wrong
def test_clients_see_that_they_have_no_whole_file(
    server: FaultServer, shelf: Shelf, wrong: str
) -> None:
    listed(server, shelf, "f", BODY, WRONGS[wrong])
    with Streamer(shelf) as streamer:
        content = [name for name, client in CLIENTS.items() if client(streamer.url("/f"))]
        served = streamer.wait_for_served(len(CLIENTS))
    assert content == []
    assert {(one.status, one.is_complete) for one in served} == {(200, False)}
    assert all(isinstance(one.error, REASONS) for one in served)


@pytest.mark.need("S3")
@pytest.mark.parametrize("good", [reply(200, BODY), chunked([chunk(BODY)]), until_close(BODY)])
def test_the_same_clients_are_content_with_a_good_file(
    server: FaultServer, shelf: Shelf, good: Script
) -> None:
    listed(server, shelf, "f", BODY, good)
    with Streamer(shelf) as streamer:
        assert [name for name, client in CLIENTS.items() if client(streamer.url("/f"))] == [
            *CLIENTS
        ]


@pytest.mark.need("S3")
@pytest.mark.fault(193, 196)
@pytest.mark.parametrize("options", [["--http2"], ["--http1.1"], ["--http1.0", "--no-alpn"]])
def test_over_tls_too(
    server: FaultServer, shelf: Shelf, tmp_path: Path, options: list[str]
) -> None:
    listed(server, shelf, "good", BODY, chunked([chunk(BODY)]))
    for wrong, answer in WRONGS.items():
        listed(server, shelf, wrong.replace(" ", "-"), BODY, answer)
    trusted = ["--cacert", str(authority().file(tmp_path)), *options]
    with Streamer(shelf, tls=tmp_path) as streamer:
        for wrong in WRONGS:
            url = streamer.url("/" + wrong.replace(" ", "-"))
            assert not with_curl(url, *trusted), wrong
        assert with_curl(streamer.url("/good"), *trusted)
        versions = {served.version for served in streamer.wait_for_served(len(WRONGS) + 1)}
    assert versions == {"HTTP/2" if "--http2" in options else f"HTTP/{options[0][6:]}"}


@pytest.mark.fault(193)
@pytest.mark.parametrize("version", ["1.1", "1.0"])
def test_without_a_length_the_end_is_a_reset(
    server: FaultServer, shelf: Shelf, version: str
) -> None:
    listed(server, shelf, "f", BODY, chunked([chunk(WRONG)]))
    with Streamer(shelf) as streamer, streamer.connect() as sock:
        sock.sendall(get("/f", version=version))
        with pytest.raises(ConnectionResetError):
            while sock.recv(65536):
                pass


@pytest.mark.need("S3")
@pytest.mark.fault(196)
@pytest.mark.parametrize("body", [b"ab", b"a", bytes(60_000)])
def test_a_small_file_is_verified_before_its_first_byte(
    server: FaultServer, shelf: Shelf, body: bytes
) -> None:
    listed(server, shelf, "f", body, reply(200, b"!" * len(body)))
    with Streamer(shelf) as streamer:
        answer = requests.get(streamer.url("/f"), timeout=10)
        (served,) = streamer.wait_for_served()
    assert answer.status_code == 502
    assert answer.text == ("502 Bad Gateway: what upstream gave is not the file that is listed\n")
    assert isinstance(served.error, DigestMismatch)


@pytest.mark.fault(202)
def test_a_length_that_is_not_the_listed_one_is_never_announced(
    server: FaultServer, shelf: Shelf
) -> None:
    listed(server, shelf, "f", BODY, reply(200, BODY + b"!"))
    with Streamer(shelf) as streamer:
        assert requests.get(streamer.url("/f"), timeout=10).status_code == 502


@pytest.mark.fault(218)
def test_an_endless_body_ends_at_the_listed_size(server: FaultServer, shelf: Shelf) -> None:
    listed(server, shelf, "f", BODY, endless_body())
    with Streamer(shelf) as streamer:
        assert not with_curl(streamer.url("/f"))
        (served,) = streamer.wait_for_served()
    assert isinstance(served.error, SizeMismatch)
    assert served.sent <= len(BODY)


@pytest.mark.fault(194)
def test_a_second_source_is_not_appended_to_the_first(server: FaultServer, shelf: Shelf) -> None:
    listed(server, shelf, "f", BODY, [truncated(BODY, sent=500_000), reply(200, BODY)])
    with Streamer(shelf) as streamer, streamer.connect() as sock:
        sock.sendall(get("/f"))
        got = received_until_broken(sock)
    assert BODY.startswith(got.partition(b"\r\n\r\n")[2])


@pytest.mark.need("S1", "S3", "S5")
@pytest.mark.fault(193, 194)
def test_a_stream_goes_on_where_upstream_broke(server: FaultServer) -> None:
    broken = truncated(BODY, sent=500_000, headers={"ETag": '"one"'})
    with Remote(max_retries=1) as patient:
        shelf = Shelf(patient)
        listed(server, shelf, "f", BODY, [broken, published(BODY, etag='"one"')])
        server.on("/dying", broken)
        server.on("/alive", published(BODY, etag='"other"'))
        shelf.put("mirrored", Mirrors([server.url("/dying"), server.url("/alive")]), BODY)
        with Streamer(shelf) as streamer:
            for path in ("/f", "/mirrored"):
                assert requests.get(streamer.url(path), timeout=10).content == BODY
            assert all(served.is_complete for served in streamer.wait_for_served(2))
    assert server.requests_to("/f")[1].headers["Range"].startswith("bytes=")


def received_until_broken(sock: socket.socket) -> bytes:
    got = b""
    try:
        while data := sock.recv(65536):
            got += data
    except ConnectionResetError:
        pass
    return got


@pytest.mark.fault(212)
def test_other_requests_go_on_after_one_broke(server: FaultServer, shelf: Shelf) -> None:
    listed(server, shelf, "bad", BODY, reply(200, WRONG))
    listed(server, shelf, "good", BODY, reply(200, BODY))
    with Streamer(shelf) as streamer:
        assert not with_curl(streamer.url("/bad"))
        assert with_curl(streamer.url("/good"))
        streamer.wait_for_served(2)
        assert streamer.resource.open_streams == 0
