"""urllib3's connections and pools, with an exchange that is watched and framed strictly.

The one place that uses names of urllib3's with a leading underscore: ``_new_conn`` and ``_tunnel``
(with ``_tunnel_host``, ``_tunnel_port`` and ``_tunnel_headers``) of connections,
``_get_conn``, ``_put_conn``, ``_new_conn`` and ``_prepare_proxy`` of pools, all in subclasses.
"""

from __future__ import annotations

import http.client
import queue
import socket
import ssl
from typing import Any, NoReturn, cast

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

from pulp_download import sockets
from pulp_download.adapters.bodies import body_of
from pulp_download.adapters.exchange import Exchange
from pulp_download.adapters.framing import Wire
from pulp_download.errors import (
    ConnectionFailed,
    NotAuthorized,
    ProtocolViolation,
    ProxyFailed,
    TimedOut,
)
from pulp_download.watch import Watch

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
    is_through = False  # the tunnel stands: what fails now is not the proxy
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

    def request(self, *args: Any, **kwargs: Any) -> None:
        """Send by urllib3's own way, which leaves its time limit on the socket.

        After that the connection is not taken over again, see ``Pool._open``.
        """
        self.wire = None
        super().request(*args, **kwargs)

    def ask(self, method: str, message: bytes, watch: Watch) -> Exchange:
        """Send a message without a body, and read the answer's head."""
        wire, lifeline = self.wire, self._lifeline
        assert self.sock is not None and wire is not None and lifeline is not None
        wire.watch = watch
        watch.begin("read", watch.limits.read)
        watch.attach(lifeline)
        self.sock.sendall(message)
        head = wire.head()
        watch.begin_body()
        return Exchange(head, body_of(head, method, wire), self, watch)

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
        self.is_through = False
        super().close()
        if self._lifeline is not None:
            self._lifeline.close()
            self._lifeline = None


class WatchedTLSConnection(WatchedConnection, HTTPSConnection):
    """Beside TLS, the way through a proxy's tunnel."""

    def connect(self) -> None:
        try:
            super().connect()
        except OSError as error:
            _close_forgotten(error)
            raise

    def _tunnel(self) -> None:
        """Ask the proxy for a tunnel. http.client would read an answer without an end."""
        if self.watch is None:
            super()._tunnel()
            return
        assert self.sock is not None and self._tunnel_host is not None
        host = f"[{self._tunnel_host}]" if ":" in self._tunnel_host else self._tunnel_host
        fields = {"Host": f"{host}:{self._tunnel_port}"}
        fields |= self._tunnel_headers  # type: ignore[attr-defined]
        lines = [f"CONNECT {fields['Host']} HTTP/1.1", *(f"{n}: {v}" for n, v in fields.items())]
        self.sock.sendall("\r\n".join([*lines, "", ""]).encode("latin-1"))
        wire = Wire(self.sock)
        try:
            head = wire.head()
        except (ConnectionFailed, ProtocolViolation) as error:
            raise ProxyFailed(f"proxy: {error.reason}") from None
        if head.status == 407:
            raise NotAuthorized(407, "proxy authentication required")
        if not 200 <= head.status < 300:
            raise ProxyFailed(f"proxy: CONNECT answered {head.status}")
        if wire.pending:  # TLS begins with us; these would be taken for the origin's
            raise ProxyFailed("proxy: bytes behind the answer to CONNECT")
        self.is_through = True


def _close_forgotten(error: OSError) -> None:
    """Close the socket that ``ssl`` forgets when it is reset before its handshake (CPython 3.11).

    It took the descriptor over and raised; only the frames of the error know it.
    """
    step = error.__traceback__
    while step is not None:
        made = step.tb_frame.f_locals.get("self")
        if isinstance(made, ssl.SSLSocket):
            made.close()
        step = step.tb_next


class _Idle(queue.LifoQueue[Any]):
    """Idle connections, the last one first, without a queue's lock and conditions.

    Nobody waits here, and appending to a list and popping from it are single steps.
    """

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        if len(self.queue) >= self.maxsize:
            raise queue.Full
        self.queue.append(item)

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        try:
            return self.queue.pop()
        except IndexError:
            raise queue.Empty from None


class Pool(urllib3.HTTPConnectionPool):
    """urllib3's pool with an exchange that is watched from the first look-up on."""

    ConnectionCls = WatchedConnection
    QueueCls = _Idle

    def exchange(self, method: str, message: bytes, watch: Watch, *, tunnel: bool) -> Exchange:
        """Send a message without a body and read the answer's head.

        ``tunnel`` asks for a way through the pool's proxy. A reused connection that proves dead
        before the first byte of the answer is replaced by a fresh one, once; that is no failure of
        upstream (RFC 9112 section 9.3.1).
        """
        connection = self._get_conn()
        connection.pool = self
        try:
            if connection.wire is not None:
                try:
                    return connection.ask(method, message, watch)
                except (ConnectionError, ssl.SSLError):
                    watch.check()
                    if method not in _REPEATABLE:
                        raise
            self._open(connection, watch, tunnel=tunnel)
            return connection.ask(method, message, watch)
        except BaseException:
            watch.detach()
            watch.end()
            connection.give_back(reusable=False)
            raise

    def _get_conn(self, timeout: float | None = None) -> WatchedConnection:
        """Return an idle connection that is silent, or one that is not connected yet."""
        if self.pool is None:
            raise urllib3.exceptions.ClosedPoolError(self, "pool is closed")
        try:
            connection: WatchedConnection | None = self.pool.get(block=False)
        except (queue.Empty, AttributeError):  # closed at this moment
            connection = None
        if connection is None:
            return cast(WatchedConnection, self._new_conn())
        if connection.wire is None or connection.wire.has_more():
            connection.close()
        return connection

    def _open(self, connection: WatchedConnection, watch: Watch, *, tunnel: bool) -> None:
        connection.close()  # one that urllib3 used by itself may be open
        connection.watch = watch
        watch.begin("connect", watch.limits.connect)
        try:
            if tunnel:
                self._prepare_proxy(connection)
            else:
                connection.connect()
            watch.check()
        except BaseException as error:
            if self.proxy is not None and not connection.is_through and _is_late(error, watch):
                watch.blame(
                    ProxyFailed(f"proxy: connect timeout of {watch.limits.connect:g} s passed")
                )
            watch.check()
            if self.proxy is not None:
                _blame_proxy(error)
            raise
        connection.opened(watch)


class TLSPool(Pool, urllib3.HTTPSConnectionPool):
    ConnectionCls = WatchedTLSConnection


POOLS_BY_SCHEME = {"http": Pool, "https": TLSPool}


def _is_late(error: BaseException, watch: Watch) -> bool:
    """Tell whether the time for connecting is over, whoever noticed it first."""
    if watch.verdict is None:
        return isinstance(error, TimeoutError) and not watch.remaining()
    return isinstance(watch.verdict, TimedOut) and watch.verdict.limit == "connect"


def _blame_proxy(error: BaseException) -> NoReturn:
    """Tell a proxy's failure from that of the origin behind it, so that no mirror is blamed."""
    if isinstance(error, ssl.SSLCertVerificationError):
        raise error
    if isinstance(error, (OSError, http.client.HTTPException, urllib3.exceptions.HTTPError)):
        raise ProxyFailed(f"proxy: {type(error).__name__}") from None
    raise error
