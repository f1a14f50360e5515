"""Clients that mean no good: refused or bounded, and upstream hears nothing of them."""

from __future__ import annotations

import socket
import time

import pytest
import requests
from twisted.web.resource import Resource

from tests.functional.streamer.running import PATIENCE, Shelf, Streamer, get, listed, parted
from tests.servers import FaultServer, reply, steps

BODY = b"the file\n"


@pytest.mark.need("S7")
@pytest.mark.fault(205)
@pytest.mark.parametrize(
    "target",
    [
        "/../f",
        "/a/../f",
        "/a/..",
        "/%2e%2e/f",
        "/%2E%2e%2ff",
        "/a%2ff",
        "/./f",
        "/a/./f",
        "//f",
        "/a//f",
        "//evil.example/f",
        "/f%00",
        "/f%0d%0aX-Injected:%201",
        "/a%5cf",
        "/a\\f",
        "/%zz",
        "/f%",
        "/%ff%fe",
        "/f#x",
        "f",
        "*",
        "evil.example:80",
        "file:///etc/passwd",
        "ftp://evil.example/f",
        "http:/f",
        "/" + "a/" * 3000,
        "/" + "a" * 300,
    ],
)
def test_tricks_with_paths_are_refused(server: FaultServer, shelf: Shelf, target: str) -> None:
    listed(server, shelf, "f", BODY, reply(200, BODY))
    with Streamer(shelf) as streamer:
        answer = streamer.exchange(get(target))
    status, fields, _ = parted(answer)
    assert status in (400, 405, 414)
    assert "x-injected" not in fields
    assert shelf.asked == []
    assert server.requests == []


@pytest.mark.fault(205)
@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/f", "f"),
        ("/F", "F"),
        ("/f.", "f."),
        ("/f%3Fx", "f?x"),
        ("/f?x=/../y", "f"),
        ("/a%20b/%C3%A9", "a b/\xe9"),
        ("/a%252e", "a%2e"),
        ("/f%2500", "f%00"),
        ("/dir/", "dir/"),
        ("/", ""),
        ("http://evil.example/f", "f"),
        ("HTTP://user:pw@evil.example:99/f", "f"),
        ("http://evil.example", ""),
    ],
)
def test_a_path_is_a_key_to_what_is_listed(shelf: Shelf, target: str, path: str) -> None:
    with Streamer(shelf) as streamer:
        assert parted(streamer.exchange(get(target)))[0] == 404
    assert shelf.asked == [path]


@pytest.mark.fault(209)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "get"])
def test_other_methods_are_refused(shelf: Shelf, method: str) -> None:
    with Streamer(shelf) as streamer:
        status, fields, body = parted(streamer.exchange(get("/f", method=method)))
    assert (status, fields["allow"]) == (405, ["GET, HEAD"])
    assert method.encode() not in body.replace(b"GET", b"")
    assert shelf.asked == []


@pytest.mark.fault(209)
@pytest.mark.parametrize("request_line", ["OPTIONS *", "CONNECT evil.example:443"])
def test_what_is_asked_of_no_file_is_refused_and_told_of(shelf: Shelf, request_line: str) -> None:
    method, _, target = request_line.partition(" ")
    with Streamer(shelf) as streamer:
        status, fields, _ = parted(streamer.exchange(get(target, method=method)))
        (served,) = streamer.wait_for_served()
    assert (status, fields["allow"], fields.get("server")) == (405, ["GET, HEAD"], None)
    assert (served.method, served.path, served.status) == (method, target, 405)


@pytest.mark.fault(209)
def test_beside_other_resources_what_is_asked_of_the_server_is_left_to_twisted(
    shelf: Shelf,
) -> None:
    with Streamer(shelf) as streamer:
        root = Resource()
        root.putChild(b"content", streamer.resource)
        streamer.site.resource = root
        assert parted(streamer.exchange(get("*", method="OPTIONS")))[0] == 200
        assert parted(streamer.exchange(get("/content/f")))[0] == 404


@pytest.mark.fault(204)
@pytest.mark.parametrize("hosts", [[], ["Host: a", "Host: b"]])
def test_a_request_without_its_one_host_is_refused(shelf: Shelf, hosts: list[str]) -> None:
    lines = ["GET /f HTTP/1.1", *hosts, "Connection: close", "", ""]
    with Streamer(shelf) as streamer:
        assert parted(streamer.exchange("\r\n".join(lines).encode()))[0] == 400
    assert shelf.asked == []


@pytest.mark.need("S6")
@pytest.mark.fault(206, 209)
def test_what_a_request_brings_is_dropped(server: FaultServer, shelf: Shelf) -> None:
    listed(server, shelf, "f", BODY, reply(200, BODY))
    with Streamer(shelf) as streamer:
        answer = requests.get(streamer.url("/f"), data=bytes(5_000_000), timeout=10)
    assert answer.content == BODY
    assert server.requests[0].body == b""


@pytest.mark.fault(206)
@pytest.mark.parametrize(
    "fields",
    [
        ["Content-Length: 3", "Transfer-Encoding: chunked"],
        ["Content-Length: 3", "Content-Length: 4"],
        ["Content-Length: +3"],
        ["Transfer-Encoding: xchunked"],
        ["X-Name : value"],
    ],
)
def test_requests_of_unclear_length_are_refused(shelf: Shelf, fields: list[str]) -> None:
    with Streamer(shelf) as streamer:
        assert streamer.exchange(get("/f", *fields) + b"0\r\n\r\n").startswith(b"HTTP/1.1 400 ")
    assert shelf.asked == []


@pytest.mark.fault(210)
@pytest.mark.parametrize(
    "request_bytes",
    [
        get("/" + "a" * 65_536),
        get("/f", *(f"X-{number}: y" for number in range(600))),
        get("/f", "X: " + "y" * 65_536),
        b"\x00" * 65_536,
    ],
)
def test_requests_that_are_too_large_end_the_connection(shelf: Shelf, request_bytes: bytes) -> None:
    with Streamer(shelf) as streamer, streamer.connect() as sock:
        try:
            sock.sendall(request_bytes)
            answer = sock.recv(65536)
        except ConnectionError:
            answer = b""
        assert answer == b"" or answer.startswith(b"HTTP/1.1 400 ")
    assert shelf.asked == []


@pytest.mark.fault(208)
def test_a_request_that_drips_ends_in_time(shelf: Shelf) -> None:
    with Streamer(shelf, head_timeout=0.5) as streamer, streamer.connect() as sock:
        begun = time.monotonic()
        sock.settimeout(0.05)
        with pytest.raises(ConnectionError):
            for byte in get("/f", "X: " + "y" * 1000):
                sock.sendall(bytes([byte]))
                if is_closed(sock):
                    raise ConnectionResetError
        assert time.monotonic() - begun < 5
    assert shelf.asked == []


@pytest.mark.fault(208)
def test_an_idle_connection_ends_in_time(server: FaultServer, shelf: Shelf) -> None:
    listed(server, shelf, "f", BODY, reply(200, BODY))
    with (
        Streamer(shelf, idle_timeout=0.3) as streamer,
        streamer.connect() as silent,
        streamer.connect() as served,
    ):
        served.sendall(b"GET /f HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = b"".join(iter(lambda: served.recv(4096), b""))  # to the end of its patience
        assert silent.recv(1) == b""
    assert answer.endswith(BODY)


@pytest.mark.fault(208)
def test_a_slow_upstream_is_no_idle_connection(server: FaultServer, shelf: Shelf) -> None:
    gate = server.gate()
    listed(server, shelf, "f", BODY, steps(gate, reply(200, BODY)))
    with (
        Streamer(shelf, idle_timeout=0.2, head_timeout=0.2) as streamer,
        streamer.connect() as sock,
        streamer.connect() as idle,
    ):
        sock.sendall(get("/f"))
        gate.wait_for(1)
        assert idle.recv(1) == b""  # so long has it been
        gate.open()
        assert b"".join(iter(lambda: sock.recv(4096), b"")).endswith(BODY)


@pytest.mark.fault(208)
def test_connections_beyond_a_number_are_closed_at_once(server: FaultServer, shelf: Shelf) -> None:
    listed(server, shelf, "f", BODY, reply(200, BODY))
    with Streamer(shelf, max_connections=3) as streamer:
        held = [streamer.connect() for _ in range(3)]
        for sock in held:  # each is known to be there
            sock.sendall(b"GET /f HTTP/1.1\r\nHost: x\r\n\r\n")
            assert sock.recv(4096).startswith(b"HTTP/1.1 200 ")
        with streamer.connect() as surplus:
            assert surplus.recv(1) == b""
        for sock in held:
            sock.close()
        deadline = time.monotonic() + PATIENCE
        while streamer.site.connections and time.monotonic() < deadline:
            streamer.in_reactor(lambda: None)
        assert parted(streamer.exchange(get("/f")))[0] == 200


@pytest.mark.fault(211)
def test_requests_beyond_a_number_are_503_at_once(server: FaultServer, shelf: Shelf) -> None:
    gate = server.gate()
    server.on("/f", steps(gate, reply(200, BODY)))
    shelf.put("f", server.url("/f"), BODY)
    with Streamer(shelf, max_streams=2) as streamer:
        waiting = [streamer.connect() for _ in range(2)]
        for sock in waiting:
            sock.sendall(get("/f"))
        gate.wait_for(2)
        assert streamer.resource.open_streams == 2
        status, fields, _ = parted(streamer.exchange(get("/f")))
        assert (status, fields["retry-after"]) == (503, ["1"])
        gate.open()
        for sock in waiting:
            assert b"".join(iter(lambda s=sock: s.recv(4096), b"")).endswith(BODY)
            sock.close()
        assert parted(streamer.exchange(get("/f")))[0] == 200
    assert len(shelf.asked) == 3


def is_closed(sock: socket.socket) -> bool:
    try:
        return sock.recv(4096) == b""
    except TimeoutError:
        return False
