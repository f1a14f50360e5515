"""One accepted connection in the hands of a script: any byte, at any moment, and any ending."""

from __future__ import annotations

import contextlib
import enum
import select
import socket
import ssl
import struct
import time
from collections.abc import Mapping
from typing import Any

from tests.servers.ledger import Ledger
from tests.servers.request import MalformedRequest, Request, parse_head

RECEIVE = 65536  # bytes asked of one recv; not measured
LONGEST_HEAD = 1 << 20  # bytes; far above any limit a client test wants to reach


class PeerGone(ConnectionError):
    """The client left, or the server stops, while a script wanted something of it."""


class Cut(enum.Enum):
    """How a connection ends."""

    FIN = "orderly: close_notify under TLS, then FIN"
    BARE = "FIN without close_notify; without TLS the same as FIN"
    RST = "reset: the peer may lose bytes it has not read yet"


class Conversation:
    """One connection. Its methods are called by the connection's own thread only.

    ``number`` counts accepted connections from 1. A write to a client that left raises a
    ``ConnectionError``, which scripts let pass: it ends the conversation and is no failure.
    """

    def __init__(self, sock: socket.socket, ledger: Ledger, number: int) -> None:
        self.sock = sock
        self.number = number
        self.closed = False
        self._ledger = ledger
        self._buffer = bytearray()
        self._requests = 0
        self._certificate: Mapping[str, Any] | None = None

    # -- sending and receiving

    def send(self, data: bytes) -> None:
        """Send exactly these bytes (through TLS where there is TLS)."""
        try:
            self.sock.sendall(data)
        except ssl.SSLError as error:
            raise self._tls_broke(error) from error

    def send_raw(self, data: bytes) -> None:
        """Send bytes on the TCP connection, below TLS: not even a record around them."""
        while data:
            data = data[socket.socket.send(self.sock, data) :]

    def recv(self, limit: int = RECEIVE) -> bytes:
        """The next bytes, at most ``limit``; ``b""`` when the client has finished sending."""
        if not self._buffer and not self._fill():
            return b""
        data = bytes(self._buffer[:limit])
        del self._buffer[:limit]
        return data

    @property
    def pending(self) -> bool:
        """Whether received bytes wait here that the kernel no longer shows as readable."""
        tls = self.sock
        return bool(self._buffer) or (isinstance(tls, ssl.SSLSocket) and tls.pending() > 0)

    def recv_exactly(self, count: int) -> bytes:
        """The next ``count`` bytes; ``PeerGone`` when fewer come."""
        while len(self._buffer) < count:
            if not self._fill():
                raise PeerGone(f"{len(self._buffer)} of {count} bytes came")
        return self.recv(count) if count else b""

    def recv_request(self) -> Request | None:
        """The next request, also recorded by the server; None when the client left before one.

        Raises ``MalformedRequest``, as soon as it can be known.
        """
        scanned = 0
        while (end := self._buffer.find(b"\r\n\r\n", scanned)) < 0:
            scanned = max(0, len(self._buffer) - 3)
            garbage = self._buffer and not self._buffer[:1].isalpha()
            if garbage or len(self._buffer) > LONGEST_HEAD:
                raise MalformedRequest(bytes(self._buffer))
            if not self._fill():
                return None
        head = self.recv_exactly(end + 4)
        now = time.monotonic()
        method, target, version, headers = parse_head(head)
        length = headers.get("Content-Length", "0")
        if not length.isdecimal() or "Transfer-Encoding" in headers:
            raise MalformedRequest(head)
        body = self.recv_exactly(int(length))
        self._requests += 1
        request = Request(
            method=method,
            target=target,
            version=version,
            headers=headers,
            body=body,
            raw=head + body,
            connection=self.number,
            number=self._requests,
            time=now,
            client_certificate=self._certificate,
        )
        self._ledger.saw(request)
        return request

    def start_tls(self, context: ssl.SSLContext) -> bool:
        """Shake hands; False, and the reason in the server's ``tls_failures``, if that fails."""
        try:
            with self._ledger.changed:  # wrapping moves the descriptor to another object
                self.sock = tls = context.wrap_socket(
                    self.sock, server_side=True, do_handshake_on_connect=False
                )
            tls.do_handshake()
        except OSError as error:
            self._ledger.tls_failed(str(error))
            return False
        self._certificate = tls.getpeercert() or None
        return True

    # -- waiting

    def hold(self) -> None:
        """Do nothing until the client leaves or the server stops: a stall without sleeping."""
        self._ledger.holding(+1)
        try:
            self._poll(None)
        finally:
            self._ledger.holding(-1)

    def pause(self, seconds: float) -> None:
        """Let time pass; raises ``PeerGone`` at once when the client leaves or the server stops."""
        if self._poll(seconds):
            raise PeerGone("while a script paused")

    def wait_closed_by_peer(self, timeout: float) -> bool:
        """Whether the client closed its sending side within ``timeout`` seconds."""
        return self._poll(timeout)

    def wait_readable(self) -> None:
        """Return when the client has sent something that no request was made of yet."""
        while not self._buffer:
            if not self._fill():
                raise PeerGone("before it sent more")

    def wait_or_leave(self, descriptor: int) -> None:
        """Return when ``descriptor`` is readable; ``PeerGone`` when the client leaves before."""
        if self._poll(None, descriptor):
            raise PeerGone("while a script held it")

    def peer_left(self) -> bool:
        """Whether the client closed or reset its side, as the kernel knows it now."""
        return self._poll(0)

    # -- ending

    def close(self) -> None:
        """End in order: everything sent arrives, under TLS with a close_notify."""
        self.cut(Cut.FIN)

    def close_without_notify(self) -> None:
        """Close TCP underneath TLS: the client cannot tell the end from an attacker's cut."""
        self.cut(Cut.BARE)

    def reset(self) -> None:
        """Send RST (SO_LINGER with zero seconds)."""
        self.cut(Cut.RST)

    def cut(self, how: Cut) -> None:
        """End the connection the given way; the second time nothing happens."""
        if self.closed:
            return
        self.closed = True
        self._ledger.left(self)
        with contextlib.suppress(OSError):
            if how is Cut.RST:
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            else:
                self._finish_sending(notify=how is Cut.FIN)
        self.sock.close()

    def _finish_sending(self, *, notify: bool) -> None:
        self.sock.setblocking(False)
        if notify and isinstance(self.sock, ssl.SSLSocket):
            with contextlib.suppress(OSError, ValueError):  # the peer's own notify is not awaited
                self.sock.unwrap()
        # A close with unread bytes would be turned into RST by the kernel: read them.
        with contextlib.suppress(BlockingIOError):
            while socket.socket.recv(self.sock, RECEIVE):
                pass
        socket.socket.shutdown(self.sock, socket.SHUT_WR)

    def shut_down(self) -> None:
        """Wake this connection's thread out of any wait. Called with the ledger's lock held."""
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self.sock, socket.SHUT_RDWR)

    # -- within

    def _fill(self) -> bool:
        try:
            data = self.sock.recv(RECEIVE)
        except ssl.SSLError as error:
            raise self._tls_broke(error) from error
        self._buffer += data
        return bool(data)

    def _tls_broke(self, error: ssl.SSLError) -> PeerGone:
        self._ledger.tls_failed(str(error))
        return PeerGone(str(error))

    def _poll(self, seconds: float | None, readable: int | None = None) -> bool:
        """Whether the peer left or the server shut this down, before the time or ``readable``.

        POLLRDHUP (Linux) sees the end behind bytes that nobody has read, and below TLS.
        """
        own = self.sock.fileno()
        if self.closed or own < 0:  # wrapping in TLS has failed
            return True
        poll = select.poll()
        poll.register(own, select.POLLRDHUP)
        if readable is not None:
            poll.register(readable, select.POLLIN)
        events = poll.poll(None if seconds is None else max(0.0, seconds) * 1000)
        return any(descriptor == own for descriptor, _ in events)
