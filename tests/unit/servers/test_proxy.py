"""FaultProxy: forwarding, tunnels, credentials, and scripted answers to CONNECT."""

import base64
import contextlib
import http.client
import socket
import ssl
from collections.abc import Iterator

import pytest

from tests.servers import (
    Cut,
    FaultProxy,
    FaultServer,
    authority,
    cut,
    endless_headers,
    hold,
    next_request_begins,
    reply,
    send,
    steps,
    truncated,
)
from tests.unit.servers.clients import (
    TIMEOUT,
    ask,
    connected,
    get,
    http_client,
    read_exactly,
    read_to_end,
)

PASS = "Basic " + base64.b64encode(b"me:secret").decode()


@contextlib.contextmanager
def tunnel(proxy: FaultProxy, target: str, **headers: str) -> Iterator[http.client.HTTPSConnection]:
    host, _, port = target.partition(":")
    client = http.client.HTTPSConnection(
        proxy.host, proxy.port, timeout=TIMEOUT, context=authority().client_context()
    )
    client.set_tunnel(host, int(port), {k.replace("_", "-"): v for k, v in headers.items()})
    with contextlib.closing(client):
        yield client


@pytest.fixture
def upstream() -> Iterator[FaultServer]:
    with FaultServer() as server:
        server.default(reply(200, b"from upstream"))
        yield server


def test_an_absolute_target_is_forwarded_by_name_without_dns(upstream: FaultServer) -> None:
    with FaultProxy(resolve={"upstream.test": ("127.0.0.1", upstream.port)}) as proxy:
        with http_client(proxy) as client:
            assert get(client, "http://upstream.test/a?b", X_Kept="1") == (200, b"from upstream")
        assert proxy.requests[0].target == "http://upstream.test/a?b"
    seen = upstream.requests[0]
    assert (seen.target, seen.headers["Host"]) == ("/a?b", "upstream.test")
    assert seen.headers["X-Kept"] == "1"


def test_credentials_are_asked_for_kept_and_not_passed_on(upstream: FaultServer) -> None:
    with FaultProxy(credentials=("me", "secret")) as proxy, http_client(proxy) as client:
        assert get(client, upstream.url("/a"))[0] == 407
        assert get(client, upstream.url("/a"), Proxy_Authorization=PASS)[0] == 200
        assert proxy.requests[1].headers["Proxy-Authorization"] == PASS
    assert "Proxy-Authorization" not in upstream.requests[0].headers
    assert len(upstream.requests) == 1


def test_a_tunnel_carries_tls_to_a_named_host() -> None:
    with (
        FaultServer(tls=authority().server_context("upstream.test")) as server,
        FaultProxy(
            resolve={"upstream.test": ("127.0.0.1", server.port)}, credentials=("me", "secret")
        ) as proxy,
        tunnel(proxy, "upstream.test:443", Proxy_Authorization=PASS) as client,
    ):
        server.default(reply(200, b"x" * 300_000))
        assert get(client, "/a") == get(client, "/b") == (200, b"x" * 300_000)
        assert proxy.tunnels == ["upstream.test:443"]
        assert (proxy.accepted, server.accepted, proxy.open) == (1, 1, 1)


def test_a_tunnel_without_credentials_is_refused() -> None:
    with FaultProxy(credentials=("me", "secret")) as proxy:
        with tunnel(proxy, "upstream.test:443") as client, pytest.raises(OSError, match="407"):
            client.connect()
        assert proxy.requests[0].method == "CONNECT"


def test_a_reset_upstream_is_a_reset_through_the_tunnel(upstream: FaultServer) -> None:
    upstream.default(truncated(b"abc", sent=1, how=Cut.RST))
    with FaultProxy() as proxy, connected(proxy) as sock:
        sock.sendall(f"CONNECT 127.0.0.1:{upstream.port} HTTP/1.1\r\n\r\n".encode())
        assert read_exactly(sock, 39).startswith(b"HTTP/1.1 200 ")
        ask(sock, "/")
        with pytest.raises(ConnectionResetError):
            read_to_end(sock)


def test_an_unreachable_upstream_is_502() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with FaultProxy() as proxy, tunnel(proxy, f"127.0.0.1:{port}") as client:
        with pytest.raises(OSError, match="502"):
            client.connect()
        with http_client(proxy) as plain:
            assert get(plain, f"http://127.0.0.1:{port}/")[0] == 502


def test_connect_answers_can_be_scripted() -> None:
    established = send(b"HTTP/1.1 200 fine\r\n\r\n")
    with FaultProxy() as proxy:
        proxy.on("one.test:443", reply(503))
        proxy.on_tunnel([reply(502), steps(send(b"garbage\r\n\r\n"), cut())])
        for target, expected in [("one.test:443", "503"), ("two.test:443", "502")]:
            with tunnel(proxy, target) as client, pytest.raises(OSError, match=expected):
                client.connect()
        with tunnel(proxy, "two.test:443") as client, pytest.raises(http.client.BadStatusLine):
            client.connect()
        proxy.on_tunnel(steps(established, next_request_begins, send(b"not TLS at all"), hold))
        with tunnel(proxy, "two.test:443") as client, pytest.raises(ssl.SSLError):
            client.connect()


def test_connect_can_stay_silent_or_never_finish_its_head() -> None:
    with FaultProxy() as proxy:
        proxy.on_tunnel([hold, endless_headers()])
        with connected(proxy) as sock:
            sock.sendall(b"CONNECT a.test:443 HTTP/1.1\r\n\r\n")
            proxy.wait_for(lambda: proxy.held == 1)
        with connected(proxy) as sock:
            sock.sendall(b"CONNECT a.test:443 HTTP/1.1\r\n\r\n")
            assert len(read_exactly(sock, 100_000)) == 100_000


def test_close_ends_stalled_tunnels_at_both_sides(upstream: FaultServer) -> None:
    upstream.default(hold)
    with connected_through(upstream) as (proxy, sock):
        ask(sock, "/")
        upstream.wait_for(lambda: upstream.held == 1)
        proxy.close()
        upstream.wait_for(lambda: upstream.held == 0)


@contextlib.contextmanager
def connected_through(upstream: FaultServer) -> Iterator[tuple[FaultProxy, socket.socket]]:
    with FaultProxy() as proxy, connected(proxy) as sock:
        sock.sendall(f"CONNECT 127.0.0.1:{upstream.port} HTTP/1.1\r\n\r\n".encode())
        read_exactly(sock, 39)
        yield proxy, sock


def test_a_proxy_can_itself_speak_tls(upstream: FaultServer) -> None:
    with (
        FaultProxy(tls=authority().server_context()) as proxy,
        connected(proxy) as raw,
        authority().client_context().wrap_socket(raw, server_hostname="localhost") as sock,
    ):
        sock.sendall(f"CONNECT 127.0.0.1:{upstream.port} HTTP/1.1\r\n\r\n".encode())
        assert read_exactly(sock, 39).startswith(b"HTTP/1.1 200 ")
        upstream.default(reply(200, b"y" * 200_000, close=True))
        ask(sock, "/")
        assert read_to_end(sock).endswith(b"y" * 200_000)
        assert proxy.url().startswith("https://")
