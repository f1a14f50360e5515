"""A forward and CONNECT proxy that can be told to misbehave."""

from __future__ import annotations

import base64
import contextlib
import select
import socket
import ssl
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from tests.servers.conversation import RECEIVE, Conversation
from tests.servers.request import Request
from tests.servers.server import FaultServer
from tests.servers.steps import Answer, Script, as_script, reply

Address = tuple[str, int]
HOP_BY_HOP = {"proxy-authorization", "proxy-connection", "connection", "keep-alive"}


class FaultProxy(FaultServer):
    """A fault server that passes requests on: absolute targets, and tunnels for CONNECT.

    What it saw is in ``requests``, CONNECT and Proxy-Authorization included. ``resolve`` gives
    host names an address, so that tests use names without DNS. ``on("host:443", script)`` answers
    one CONNECT target, ``on("http://host/path", script)`` one forwarded URL, ``on_tunnel`` every
    CONNECT. A forwarded answer is relayed byte for byte, and its connection ends with it.
    """

    def __init__(
        self,
        *,
        credentials: tuple[str, str] | None = None,
        resolve: Mapping[str, Address] | None = None,
        tls: ssl.SSLContext | None = None,
        host: str = "127.0.0.1",
    ) -> None:
        super().__init__(tls=tls, host=host)
        self.resolve = dict(resolve or {})
        self._expected: str | None = None
        if credentials is not None:
            token = base64.b64encode(":".join(credentials).encode()).decode("ascii")
            self._expected = f"Basic {token}"
        self._tunnel: Script = self._open_tunnel
        self.default(self._forward)

    def on_tunnel(self, answer: Answer) -> None:
        """Answer every CONNECT by a script instead of a tunnel."""
        self._tunnel = as_script(answer)

    @property
    def tunnels(self) -> list[str]:
        """The targets (``host:port``) of all CONNECT requests so far."""
        return [request.target for request in self.requests if request.method == "CONNECT"]

    def dispatch(self, conn: Conversation, request: Request) -> None:
        if self._expected not in (None, request.headers.get("Proxy-Authorization")):
            challenge = {"Proxy-Authenticate": 'Basic realm="proxy"'}
            reply(407, b"who are you\n", headers=challenge)(conn, request)
        elif request.method == "CONNECT" and request.target not in self._routes:
            self._tunnel(conn, request)
        else:
            super().dispatch(conn, request)

    def _open_tunnel(self, conn: Conversation, request: Request) -> None:
        host, _, port = request.target.rpartition(":")
        with self._upstream(host.strip("[]"), int(port)) as upstream:
            if upstream is None:
                reply(502, close=True)(conn, request)
                return
            conn.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
            _relay(conn, upstream)

    def _forward(self, conn: Conversation, request: Request) -> None:
        url = urlsplit(request.target)
        if url.scheme != "http" or url.hostname is None:
            reply(400, b"not a proxy request\n")(conn, request)
            return
        with self._upstream(url.hostname, url.port or 80) as upstream:
            if upstream is None:
                reply(502, close=True)(conn, request)
                return
            origin = (url.path or "/") + (f"?{url.query}" if url.query else "")
            lines = [f"{request.method} {origin} HTTP/1.1", "Connection: close"]
            kept = (pair for pair in request.headers if pair[0].lower() not in HOP_BY_HOP)
            lines += [f"{name}: {value}" for name, value in kept]
            upstream.sendall(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + request.body)
            _relay(conn, upstream)

    @contextlib.contextmanager
    def _upstream(self, host: str, port: int) -> Iterator[socket.socket | None]:
        """A connection to the real server, which the proxy's end also ends; None if refused."""
        try:
            sock = socket.create_connection(self.resolve.get(host, (host, port)), timeout=10)
        except OSError:
            yield None
            return
        with sock:
            sock.settimeout(None)
            live = _Upstream(sock)
            self._ledger.watch(live)
            try:
                yield sock
            finally:
                self._ledger.left(live)


class _Upstream:
    """A connection that is shut down with the server and counted nowhere."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def shut_down(self) -> None:
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)


def _relay(conn: Conversation, upstream: socket.socket) -> None:
    """Carry bytes both ways until either end is done; then end both, a reset as a reset."""
    poll = select.poll()
    poll.register(conn.sock, select.POLLIN)
    poll.register(upstream, select.POLLIN)
    while True:
        ready = {descriptor for descriptor, _ in poll.poll(0 if conn.pending else None)}
        if conn.pending or conn.sock.fileno() in ready:
            data = conn.recv()
            if not data:
                return
            upstream.sendall(data)
        if upstream.fileno() in ready:
            try:
                data = upstream.recv(RECEIVE)
            except ConnectionResetError:
                conn.reset()
                return
            if not data:
                conn.close()
                return
            conn.send(data)
