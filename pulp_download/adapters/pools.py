"""urllib3's connections and pools, with an exchange that is watched and framed strictly.

The one place that uses names of urllib3's with a leading underscore: ``_new_conn`` of connections,
``_get_conn``, ``_put_conn``, ``_new_conn`` and ``_prepare_proxy`` of pools, all in subclasses.
"""

from __future__ import annotations

import http.client
import re
import socket
import ssl
from typing import NoReturn, cast

import urllib3
from requests import PreparedRequest
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.util.proxy import connection_requires_http_tunnel

from pulp_download import sockets
from pulp_download.adapters.bodies import body_of
from pulp_download.adapters.framing import Wire
from pulp_download.adapters.raw import RawAnswer
from pulp_download.errors import NotAuthorized, ProxyFailed
from pulp_download.watchdog import Watch

# Methods that may be sent again when a reused connection was dead (RFC 9110 section 9.2.2).
_REPEATABLE = ("GET", "HEAD", "OPTIONS")


class WatchedConnection(HTTPConnection):
    """What both kinds of connection add to urllib3's: a watch, a wire, and a lifeline.

    The lifeline is a second descriptor of the same socket. TLS replaces the socket object while a
    handshake is under way, but shutting the lifeline down ends the connection in every phase.
    """

    watch: Watch | None = None
    wire: Wire | None = None
    pool: Pool | None = None
    _lifeline: socket.socket | None = None

    def _new_conn(self) -> socket.socket:
        if self.watch is None:
            return super()._new_conn()
        host: str = getattr(self, "_dns_host", self.host)
        options = self.socket_options or ()
        sock = sockets.connect(host.strip("[]"), self.port, self.watch, options)
        try:
            self._lifeline = sock.dup()
            self.watch.attach(self._lifeline)
        except BaseException:  # stopped just now: nobody else knows this socket
            sock.close()
            raise
        return sock

    def attach(self, watch: Watch) -> None:
        """Put a connection that is open already under a watch."""
        assert self.wire is not None and self._lifeline is not None
        self.wire.watch = watch
        watch.attach(self._lifeline)

    def opened(self, watch: Watch) -> None:
        """Take over from urllib3 when the connection stands."""
        self.watch = None
        sock = cast(socket.socket, self.sock)
        if isinstance(sock, ssl.SSLSocket):
            # An end without close_notify must be told apart from one that the peer meant.
            sock.suppress_ragged_eofs = False  # type: ignore[attr-defined]
        sock.settimeout(None)  # the watch has all time limits
        self.wire = Wire(sock)
        self.wire.watch = watch

    def give_back(self, *, reusable: bool) -> None:
        """Return to the pool, closed unless the last message was framed exactly."""
        if not reusable:
            self.close()
        elif self.wire is not None:
            self.wire.watch = None
        # An idle connection must not hold its pool, whose end is what closes idle connections.
        pool, self.pool = self.pool, None
        if pool is not None:
            pool._put_conn(self)

    def close(self) -> None:
        self.wire = None
        super().close()
        if self._lifeline is not None:
            self._lifeline.close()
            self._lifeline = None


class WatchedTLSConnection(WatchedConnection, HTTPSConnection):
    pass


class Pool(urllib3.HTTPConnectionPool):
    """urllib3's pool with an exchange that is watched from the first look-up on."""

    ConnectionCls = WatchedConnection

    def exchange(self, request: PreparedRequest, target: str, watch: Watch) -> RawAnswer:
        """Send a request without a body and read the answer's head.

        A reused connection that proves dead before the first byte of the answer is replaced by a
        fresh one, once; that is no failure of upstream (RFC 9112 section 9.3.1).
        """
        message = self._message(request, target)
        connection = cast(WatchedConnection, self._get_conn())
        connection.pool = self
        try:
            if connection.wire is not None:
                try:
                    return self._ask(connection, request, message, watch)
                except (ConnectionError, ssl.SSLError):
                    watch.check()
                    if request.method not in _REPEATABLE:
                        raise
                    connection.close()
            self._open(connection, watch)
            return self._ask(connection, request, message, watch)
        except BaseException:
            watch.detach()
            watch.end()
            connection.give_back(reusable=False)
            raise

    def _ask(
        self, connection: WatchedConnection, request: PreparedRequest, message: bytes, watch: Watch
    ) -> RawAnswer:
        assert connection.sock is not None and connection.wire is not None
        connection.attach(watch)
        watch.begin("read", watch.limits.read)
        connection.sock.sendall(message)
        head = connection.wire.head()
        watch.end()
        watch.begin_body()
        body = body_of(head, request.method or "GET", connection.wire)
        return RawAnswer(head, body, connection, watch, request.method)

    def _open(self, connection: WatchedConnection, watch: Watch) -> None:
        connection.watch = watch
        watch.begin("connect", watch.limits.connect)
        try:
            if connection_requires_http_tunnel(self.proxy, self.proxy_config, self.scheme):
                self._prepare_proxy(connection)
            else:
                connection.connect()
            watch.check()
        except BaseException as error:
            watch.check()
            if self.proxy is not None:
                _blame_proxy(error)
            raise
        connection.opened(watch)

    def _message(self, request: PreparedRequest, target: str) -> bytes:
        fields = dict(request.headers)
        names = {name.lower() for name in fields}
        lines = [f"{request.method} {target} HTTP/1.1"]
        if "host" not in names:
            lines.append(f"Host: {_host_field(request)}")
        if self.proxy is not None and self.scheme == "http":
            fields.update(self.proxy_headers)
        for name, value in fields.items():
            text = value.decode("latin-1") if isinstance(value, bytes) else value
            lines.append(f"{name}: {text}")
        message = "\r\n".join([*lines, "", ""])
        return message.encode("latin-1")


class TLSPool(Pool, urllib3.HTTPSConnectionPool):
    ConnectionCls = WatchedTLSConnection


POOLS_BY_SCHEME = {"http": Pool, "https": TLSPool}


def _host_field(request: PreparedRequest) -> str:
    return (request.url or "").split("://", 1)[1].split("/", 1)[0].rpartition("@")[2]


_TUNNEL_STATUS = re.compile(r"Tunnel connection failed: ([0-9]{3})")


def _blame_proxy(error: BaseException) -> NoReturn:
    """Tell a proxy's failure from that of the origin behind it, so that no mirror is blamed."""
    if isinstance(error, ssl.SSLCertVerificationError):
        raise error
    if isinstance(error, (OSError, http.client.HTTPException, urllib3.exceptions.HTTPError)):
        status = _TUNNEL_STATUS.search(str(error))
        if status and status[1] == "407":
            raise NotAuthorized(407, "proxy authentication required") from None
        reason = f"CONNECT answered {status[1]}" if status else type(error).__name__
        raise ProxyFailed(f"proxy: {reason}") from None
    raise error
