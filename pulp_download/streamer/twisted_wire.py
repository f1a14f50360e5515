"""What differs between the connections of HTTP/1 and the streams of HTTP/2, below an answer.

Twisted gives both as a request's ``channel``. Its HTTP/2 bounds what it holds by the window that
the client chose, and resets without saying that something went wrong; both is put right here, by
names that are not public (``tests/unit/streamer/test_dependencies.py`` fails when one is gone).
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from pulp_download.streamer.bridge import CHUNK

# Bytes that Twisted holds at most for one stream of HTTP/2.
MOST = 65_536
# RFC 9113 section 7; after NO_ERROR, clients take what they have for the whole.
_INTERNAL_ERROR = 0x2
# Seconds between two looks for a window that other streams have used up for a moment.
_LOOK_AGAIN = 0.02


class Wire:
    """An HTTP/1 connection. Of the reactor's thread."""

    def __init__(self, request: Any, reactor: Any):
        self._channel = request.channel
        self._reactor = reactor
        self._is_broken_off = False

    def room(self) -> int:
        """Return how many bytes may be written now, apart from what a producer is told."""
        return CHUNK

    def when_there_is_room(self, call: Callable[[], None]) -> None:
        """Call soon, or have the producer resumed, when it is worth asking again."""

    def soon(self, call: Callable[[], None]) -> None:
        """Call from where Twisted resumes a producer."""
        call()

    def abort(self) -> None:
        """Break off at once: RST, so that also a body without a length has no clean end."""
        self._is_broken_off = True
        self._channel.transport.abortConnection()

    @property
    def is_settled(self) -> bool:
        """All that was written has been sent, and what was broken off is closed.

        Twisted does either in its next turns, and neither if it is stopped before.
        """
        transport = _innermost(self._connection().transport)
        if not transport.connected:
            return True
        return not self._is_broken_off and transport not in self._reactor.getWriters()

    def taken(self) -> int | None:
        """Return a count that grows as the client takes bytes, or None where that is not known."""
        return _acknowledged(self._channel.transport)

    def _connection(self) -> Any:
        return self._channel


class StreamWire(Wire):
    """One stream of an HTTP/2 connection."""

    def room(self) -> int:
        connection, stream = self._channel._conn, self._channel.streamID
        own = _size(connection._outboundStreamQueues[stream])
        window = connection.conn.local_flow_control_window(stream)
        room = min(MOST, window) - own
        if room > 0 and window < MOST * len(connection.streams):
            # Beyond the window of the whole connection Twisted would go round in circles.
            room = min(room, window - sum(map(_size, connection._outboundStreamQueues.values())))
        return int(max(0, room))

    def when_there_is_room(self, call: Callable[[], None]) -> None:
        connection, stream = self._channel._conn, self._channel.streamID
        blocked = connection._consumerBlocked
        if connection.remainingOutboundWindow(stream) <= 0:
            self._channel.flowControlBlocked()  # it pauses the producer, and will resume it
        elif blocked is not None:
            blocked.addCallback(lambda _: self.soon(call))
        elif connection._outboundStreamQueues[stream]:
            self._reactor.callLater(0, call)
        else:
            self._reactor.callLater(_LOOK_AGAIN, call)

    def soon(self, call: Callable[[], None]) -> None:
        self._reactor.callLater(0, call)  # Twisted is going through its streams just now

    def abort(self) -> None:
        connection, stream = self._channel._conn, self._channel.streamID
        if stream not in connection.streams:
            return
        connection.conn.reset_stream(stream, error_code=_INTERNAL_ERROR)
        if connection._tryToWriteControlData():
            connection._requestDone(stream)

    def taken(self) -> int | None:
        connection, stream = self._channel._conn, self._channel.streamID
        if connection.conn.local_flow_control_window(stream) <= 0:
            return None
        return _acknowledged(connection.transport)

    def _connection(self) -> Any:
        return self._channel._conn


def wire_of(request: Any, reactor: Any) -> Wire:
    """Return what is below a request."""
    kind = StreamWire if hasattr(request.channel, "streamID") else Wire
    return kind(request, reactor)


def _size(queue: Any) -> int:
    return sum(len(piece) for piece in queue if isinstance(piece, bytes))


def _innermost(transport: Any) -> Any:
    """Return the connection itself, below TLS."""
    while (inner := getattr(transport, "transport", None)) is not None:
        transport = inner
    return transport


# struct tcp_info (Linux): eight bytes, 24 numbers of four, then the third of eight: bytes_acked.
_BYTES_ACKED = struct.Struct("=120xQ")


def _acknowledged(transport: Any) -> int | None:
    """Return how many bytes the peer's system has taken, as the kernel counts them."""
    transport = _innermost(transport)
    with suppress(AttributeError, OSError, struct.error):
        info = transport.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _BYTES_ACKED.size)
        return int(_BYTES_ACKED.unpack(info)[0])
    return None
