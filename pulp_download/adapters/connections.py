"""urllib3's connections, watched from the first look-up on, and what each sends and receives.

With :mod:`~pulp_download.adapters.pools` the only place that uses names of urllib3's with a leading
underscore: ``_new_conn`` and ``_tunnel`` (with ``_tunnel_host``, ``_tunnel_port`` and
``_tunnel_headers``) of connections, ``_put_conn`` of pools.
"""

from __future__ import annotations

import socket
import ssl
from typing import Any, Protocol, cast

from urllib3.connection import HTTPConnection, HTTPSConnection

from pulp_download import sockets, tls
from pulp_download.adapters.bodies import body_of
from pulp_download.adapters.exchange import Exchange
from pulp_download.adapters.wire import Wire
from pulp_download.errors import ConnectionFailed, NotAuthorized, ProtocolViolation, ProxyFailed
from pulp_download.watch import Watch


class Owner(Protocol):
    """The pool that has lent a connection."""

    def open(self, connection: WatchedConnection, watch: Watch) -> None:
        """Connect, anew if need be."""

    def _put_conn(self, connection: WatchedConnection) -> None:
        """Take it back."""


class WatchedConnection(HTTPConnection):
    """What both kinds of connection add to urllib3's: a watch, a wire, and a lifeline.

    The lifeline is a second descriptor of the same socket. TLS replaces the socket object while a
    handshake is under way, but shutting the lifeline down ends the connection in every phase.
    """

    watch: Watch | None = None
    wire: Wire | None = None
    pool: Owner | None = None  # while it is lent
    is_tunnelled = False  # is to go through the pool's proxy
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

        After that the connection is not taken over again, see :mod:`~pulp_download.adapters.pools`.
        """
        self.wire = None
        super().request(*args, **kwargs)

    def ask(self, message: bytes, watch: Watch) -> None:
        """Send a message without a body."""
        assert self.sock is not None and self.wire is not None and self._lifeline is not None
        self.wire.watch = watch
        watch.begin("read", watch.limits.read)
        watch.attach(self._lifeline)
        self.sock.sendall(message)

    def answer(self, method: str, watch: Watch) -> Exchange:
        """Read the answer's head."""
        assert self.wire is not None
        head = self.wire.head()
        watch.begin_body()
        return Exchange(head, body_of(head, method, self.wire), self, watch)

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
            tls.close_forgotten(error)
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
