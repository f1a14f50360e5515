"""What a client gets of a file that is well: status, fields and bytes, as upstream sent them."""

from __future__ import annotations

import http.client
import urllib.request

import pytest
import requests

from tests.functional.fetch import sha256
from tests.functional.streamer.running import Shelf, Streamer, get, listed, parted
from tests.servers import FaultServer, chunk, chunked, interim, published, reply, until_close
from tests.servers.steps import Script, head, send, steps

BODY = bytes(range(256)) * 1024


@pytest.mark.need("S1", "S3", "S6")
@pytest.mark.parametrize("size", [0, 1, 2, 65_536, 65_537, len(BODY)])
def test_a_file_of_any_size_arrives_whole(server: FaultServer, shelf: Shelf, size: int) -> None:
    listed(server, shelf, "a/file.rpm", BODY[:size], reply(200, BODY[:size]))
    with Streamer(shelf) as streamer:
        answer = requests.get(streamer.url("/a/file.rpm"), timeout=10)
        (served,) = streamer.wait_for_served()
    assert (answer.status_code, answer.content) == (200, BODY[:size])
    assert answer.headers["Content-Length"] == str(size)
    assert (served.sent, served.is_complete, served.error) == (size, True, None)


@pytest.mark.need("S7")
def test_fields_pass_repeats_included(server: FaultServer, shelf: Shelf) -> None:
    fields = [
        ("Content-Type", "application/x-rpm"),
        ("Cache-Control", "max-age=60"),
        ("Cache-Control", "immutable"),
        ("ETag", '"one"'),
        ("Last-Modified", "Mon, 06 Jul 2026 10:00:00 GMT"),
        ("X-Pulp", "a"),
        ("X-Pulp", "b"),
    ]
    listed(server, shelf, "f", BODY, reply(200, BODY, headers=fields))
    with Streamer(shelf) as streamer:
        status, got, body = parted(streamer.exchange(get("/f")))
    assert (status, body) == (200, BODY)
    assert got["x-pulp"] == ["a", "b"]
    assert got["cache-control"] == ["max-age=60", "immutable"]
    assert got["etag"] == ['"one"']
    assert got["last-modified"] == ["Mon, 06 Jul 2026 10:00:00 GMT"]
    assert got["content-type"] == ["application/x-rpm"]
    assert got["content-length"] == [str(len(BODY))]
    assert got["accept-ranges"] == ["none"]


@pytest.mark.need("S7")
@pytest.mark.fault(200)
def test_what_is_for_one_hop_or_for_the_streamer_itself_stays(
    server: FaultServer, shelf: Shelf
) -> None:
    secret = "not-for-clients"
    names = (
        "Keep-Alive X-Hop Proxy-Authenticate TE Trailer Upgrade Set-Cookie WWW-Authenticate "
        "Strict-Transport-Security Alt-Svc X-Accel-Redirect X-Sendfile Location Server"
    ).split()
    fields = [("Connection", "X-Hop"), *((name, secret) for name in names), ("X-End", "passes")]
    listed(server, shelf, "f", BODY, reply(200, BODY, headers=fields))
    with Streamer(shelf) as streamer:
        answer = streamer.exchange(get("/f"))
    status, got, body = parted(answer)
    assert (status, body, got["x-end"]) == (200, BODY, ["passes"])
    assert secret.encode() not in answer


@pytest.mark.need("S7")
@pytest.mark.fault(201)
@pytest.mark.parametrize("evil", ["a\rX-Injected: 1", "a\x00b", "caf\xe9", "a\x85X-Injected: 1"])
def test_a_field_that_could_be_read_in_two_ways_is_left_out(
    server: FaultServer, shelf: Shelf, evil: str
) -> None:
    fields = [("X-Evil", evil), ("Content-Length", str(len(BODY)))]
    listed(server, shelf, "f", BODY, steps(head(200, fields), send(BODY)))
    with Streamer(shelf) as streamer:
        answer = streamer.exchange(get("/f"))
    _, got, _ = parted(answer)
    assert "x-evil" not in got
    assert "x-injected" not in got
    assert b"X-Injected" not in answer


@pytest.mark.need("S7")
@pytest.mark.fault(201)
def test_upstreams_reason_phrase_is_not_passed_on(server: FaultServer, shelf: Shelf) -> None:
    line = b"HTTP/1.1 200 OK surely\r\nContent-Length: 2\r\n\r\nok"
    listed(server, shelf, "f", b"ok", send(line))
    with Streamer(shelf) as streamer:
        assert streamer.exchange(get("/f")).startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.need("S7")
@pytest.mark.fault(47)
def test_a_coding_passes_with_its_bytes(server: FaultServer, shelf: Shelf) -> None:
    answer = reply(200, BODY, headers={"Content-Encoding": "gzip"})
    listed(server, shelf, "f.gz", BODY, answer)
    with Streamer(shelf) as streamer:
        _, got, body = parted(streamer.exchange(get("/f.gz", "Accept-Encoding: br")))
    assert (got["content-encoding"], body) == (["gzip"], BODY)
    assert server.requests[0].headers["Accept-Encoding"] == "identity"


@pytest.mark.need("S7")
def test_the_head_arrives_while_the_body_is_waited_for(server: FaultServer, shelf: Shelf) -> None:
    gate = server.gate()
    begun = head(200, {"Content-Length": str(len(BODY)), "X-Early": "yes"})
    listed(server, shelf, "f", BODY, steps(begun, gate, send(BODY)))
    with Streamer(shelf) as streamer, streamer.connect() as sock:
        sock.sendall(get("/f"))
        answer = http.client.HTTPResponse(sock)
        answer.begin()  # although the gate is shut
        gate.wait_for(1)
        assert answer.headers["X-Early"] == "yes"
        gate.open()
        assert answer.read() == BODY


@pytest.mark.need("S7")
def test_a_small_files_head_does_not_wait_for_its_body_for_long(
    server: FaultServer, shelf: Shelf
) -> None:
    gate = server.gate()
    listed(server, shelf, "f", b"ab", steps(head(200, {"Content-Length": "2"}), gate, send(b"ab")))
    with Streamer(shelf) as streamer, streamer.connect() as sock:
        sock.sendall(get("/f"))
        assert sock.recv(17) == b"HTTP/1.1 200 OK\r\n"  # although the gate is shut
        gate.open()
        assert b"".join(iter(lambda: sock.recv(4096), b"")).endswith(b"ab")


@pytest.mark.need("S3", "S7")
@pytest.mark.fault(197)
def test_head_pulls_no_body(server: FaultServer, shelf: Shelf) -> None:
    listed(server, shelf, "f", BODY, published(BODY, etag='"e"'))
    with Streamer(shelf) as streamer:
        status, got, body = parted(streamer.exchange(get("/f", method="HEAD")))
    assert (status, body) == (200, b"")
    assert (got["content-length"], got["etag"]) == ([str(len(BODY))], ['"e"'])
    assert [request.method for request in server.requests] == ["HEAD"]


@pytest.mark.fault(197)
def test_an_upstream_without_head_is_asked_and_left(server: FaultServer, shelf: Shelf) -> None:
    def answer(conn, request):  # type: ignore[no-untyped-def]
        (reply(405) if request.method == "HEAD" else reply(200, BODY))(conn, request)

    listed(server, shelf, "f", BODY, answer)
    with Streamer(shelf) as streamer:
        status, got, body = parted(streamer.exchange(get("/f", method="HEAD")))
    assert (status, body, got["content-length"]) == (200, b"", [str(len(BODY))])


@pytest.mark.fault(202)
@pytest.mark.parametrize("version", ["1.1", "1.0"])
def test_a_body_of_unknown_length_arrives_whole(
    server: FaultServer, shelf: Shelf, version: str
) -> None:
    server.on("/f", chunked([chunk(BODY)]))
    shelf.put("f", server.url("/f"), validations=[sha256(BODY)])
    with Streamer(shelf) as streamer, streamer.connect() as sock:
        sock.sendall(get("/f", version=version))
        answer = http.client.HTTPResponse(sock)
        answer.begin()
        assert answer.headers["Content-Length"] is None
        assert (answer.headers["Transfer-Encoding"] == "chunked") == (version == "1.1")
        assert answer.read() == BODY


@pytest.mark.fault(202)
@pytest.mark.parametrize("framed", [chunked([chunk(BODY)]), until_close(BODY)])
def test_a_length_that_only_the_list_tells_is_told(
    server: FaultServer, shelf: Shelf, framed: Script
) -> None:
    listed(server, shelf, "f", BODY, framed)
    with Streamer(shelf) as streamer:
        answer = requests.get(streamer.url("/f"), timeout=10)
        assert answer.headers["Content-Length"] == str(len(BODY))
        assert answer.content == BODY


def test_a_body_until_close_and_an_interim_answer_are_no_matter(
    server: FaultServer, shelf: Shelf
) -> None:
    listed(server, shelf, "f", BODY, interim(103, until_close(BODY)))
    with Streamer(shelf) as streamer:
        assert requests.get(streamer.url("/f"), timeout=10).content == BODY


def test_connections_of_clients_and_to_upstream_are_used_again(
    server: FaultServer, shelf: Shelf
) -> None:
    listed(server, shelf, "f", BODY, reply(200, BODY))
    with Streamer(shelf) as streamer, requests.Session() as session:
        for _ in range(5):
            assert session.get(streamer.url("/f"), timeout=10).content == BODY
        assert streamer.site.connections == 1
    assert {request.connection for request in server.requests} == {1}


@pytest.mark.fault(207)
def test_pipelined_requests_are_answered_in_their_order(server: FaultServer, shelf: Shelf) -> None:
    gate = server.gate()
    listed(server, shelf, "slow", b"first", steps(gate, reply(200, b"first")))
    listed(server, shelf, "fast", b"second", reply(200, b"second"))
    with Streamer(shelf) as streamer, streamer.connect() as sock:
        sock.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n" + get("/fast"))
        gate.wait_for(1)
        gate.open()
        answer = b"".join(iter(lambda: sock.recv(65536), b""))
    assert answer.index(b"first") < answer.index(b"second")


@pytest.mark.need("S2")
def test_a_file_of_this_machine_is_served_too(shelf: Shelf, tmp_path) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "present"
    file.write_bytes(BODY)
    shelf.put("present", file.as_uri(), BODY)
    with Streamer(shelf) as streamer, urllib.request.urlopen(streamer.url("/present")) as answer:
        assert answer.read() == BODY
        assert answer.headers["Content-Length"] == str(len(BODY))
