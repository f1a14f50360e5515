"""The body of an HTTP/1.1 answer, delimited by the rules of RFC 9112 section 6.3, strictly.

A length that is no number, a coding that is not chunked, surplus bytes that would become the next
answer: none is guessed about. A connection is used again only after a body that ended exactly.
"""

from __future__ import annotations

import logging
import re
import ssl
from typing import Protocol

from pulp_download.adapters.head import Head, refused
from pulp_download.adapters.wire import BUFFER_SIZE, Wire
from pulp_download.errors import ProtocolViolation, Truncated

log = logging.getLogger(__name__)

# Chunk sizes are a few digits; extensions are rare and short.
_MAX_CHUNK_LINE = 4096
_MAX_TRAILERS = 1 << 16

_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,16})(?:[ \t]*;[^\r\n\0]*)?\r\n")
_DIGITS = re.compile(r"[0-9]{1,19}")


class Body(Protocol):
    """The bytes of one answer as they arrive."""

    @property
    def length(self) -> int | None:
        """Bytes in all, or None where the framing does not tell."""

    @property
    def is_complete(self) -> bool:
        """The last byte has been read, as far as the framing has told by now."""

    @property
    def is_at_hand(self) -> bool:
        """All that is left has been received, as far as the framing has told by now."""

    @property
    def is_reusable(self) -> bool:
        """The connection may carry another message."""

    def read(self, limit: int = BUFFER_SIZE) -> memoryview:
        """Return the next bytes, at most ``limit``; empty at the end. Valid until the next read."""


def body_of(head: Head, method: str, wire: Wire) -> Body:
    """Return the body that follows a head, by the rules of RFC 9112 section 6.3, strictly."""
    coding = head.get("transfer-encoding")
    length = _content_length(head.get("content-length"))
    persistent = _is_persistent(head)
    if method == "HEAD" or head.status in (204, 304):
        promised = coding is not None or bool(length)
        return LengthBody(wire, 0, persistent and (method == "HEAD" or not promised))
    if coding is not None:
        if coding.lower() != "chunked":
            raise refused(f"unknown transfer coding {coding[:60]!r}")
        if length is not None:
            log.warning("both Content-Length and Transfer-Encoding; the latter holds")
        return ChunkedBody(wire, persistent and length is None)
    if length is not None:
        return LengthBody(wire, length, persistent)
    return UntilCloseBody(wire)


def _content_length(value: str | None) -> int | None:
    if value is None:
        return None
    if _DIGITS.fullmatch(value):
        return int(value)
    values = {part.strip(" \t") for part in value.split(",")}
    number = values.pop()
    if values or not _DIGITS.fullmatch(number):
        raise refused(f"malformed Content-Length {value[:60]!r}")
    return int(number)


def _is_persistent(head: Head) -> bool:
    options = head.get("connection")
    if options is None or options == "keep-alive":
        return head.version > 0 or options is not None
    options = options.lower()
    tokens = {token.strip() for token in options.split(",")}
    return "close" not in tokens and (head.version > 0 or "keep-alive" in tokens)


class LengthBody:
    """Content-Length bytes, not one more."""

    __slots__ = ("_left", "_persistent", "_wire", "is_complete", "length")

    def __init__(self, wire: Wire, length: int, persistent: bool):
        self._wire = wire
        self._left = self.length = length
        self._persistent = persistent
        self.is_complete = not length

    @property
    def is_at_hand(self) -> bool:
        return self._wire.pending >= self._left

    @property
    def is_reusable(self) -> bool:
        """Framed exactly, and nothing stands behind it that would be the next answer."""
        return self._persistent and self._left == 0 and self._wire.pending == 0

    def read(self, limit: int = BUFFER_SIZE) -> memoryview:
        wire, left = self._wire, self._left
        taken = wire.take(min(limit, left))
        if not taken and left:
            # The last read takes all there is, for what follows the last byte is surplus.
            if not _fill(wire, limit if limit < left else BUFFER_SIZE):
                raise Truncated(self.length - left, self.length)
            taken = wire.take(min(limit, left))
        self._left -= len(taken)
        self.is_complete = not self._left
        return taken


class UntilCloseBody:
    """Everything until the connection is closed; nothing tells whether that was all."""

    __slots__ = ("_has_ended", "_received", "_wire")

    length: int | None = None
    is_at_hand = False
    is_reusable = False

    def __init__(self, wire: Wire):
        self._wire = wire
        self._received = 0
        self._has_ended = False

    @property
    def is_complete(self) -> bool:
        return self._has_ended

    def read(self, limit: int = BUFFER_SIZE) -> memoryview:
        wire = self._wire
        if not wire.pending and not self._has_ended:
            try:
                self._has_ended = not wire.fill(limit)
            except ssl.SSLEOFError:  # no close_notify: somebody cut the stream (RFC 8446, 6.1)
                raise Truncated(self._received) from None
        taken = wire.take(limit)
        self._received += len(taken)
        return taken


class ChunkedBody:
    """The chunked transfer coding (RFC 9112 section 7.1)."""

    __slots__ = ("_has_ended", "_left", "_persistent", "_received", "_wire")

    length: int | None = None
    is_at_hand = False

    def __init__(self, wire: Wire, persistent: bool):
        self._wire = wire
        self._persistent = persistent
        self._left = 0
        self._received = 0
        self._has_ended = False

    @property
    def is_complete(self) -> bool:
        return self._has_ended

    @property
    def is_reusable(self) -> bool:
        return self._persistent and self._has_ended and self._wire.pending == 0

    def read(self, limit: int = BUFFER_SIZE) -> memoryview:
        wire = self._wire
        if not self._left and not self._has_ended:
            if self._received:
                self._end_chunk()
            self._next_chunk()
        if self._left and not wire.pending and not _fill(wire, limit):
            raise Truncated(self._received)
        taken = wire.take(min(limit, self._left))
        self._left -= len(taken)
        self._received += len(taken)
        return taken

    def _next_chunk(self) -> None:
        line = self._line(_MAX_CHUNK_LINE)
        match = _CHUNK_LINE.fullmatch(line)
        if match is None:
            if not line.endswith(b"\n"):
                raise Truncated(self._received)
            raise refused(f"malformed chunk size {line[:60]!r}")
        self._left = int(match[1], 16)
        if not self._left:
            self._skip_trailers()
            self._has_ended = True

    def _end_chunk(self) -> None:
        end = self._line(2, "end of a chunk")
        if end in (b"", b"\r"):
            raise Truncated(self._received)
        if end != b"\r\n":
            raise refused(f"chunk does not end with CRLF, but {end!r}")

    def _skip_trailers(self) -> None:
        seen = 0
        while (line := self._line(_MAX_CHUNK_LINE)) not in (b"\r\n", b"\n"):
            if not line:  # all data is here, only the last empty line is missing
                self._persistent = False
                return
            seen += len(line)
            if seen > _MAX_TRAILERS or b"\0" in line:
                raise ProtocolViolation(f"trailers of more than {_MAX_TRAILERS} bytes, or broken")

    def _line(self, limit: int, what: str = "line of a chunk") -> bytes:
        try:
            return self._wire.line(limit, what)
        except ssl.SSLEOFError:
            return b""


def _fill(wire: Wire, limit: int) -> int:
    """Read once; an end of file that TLS does not vouch for is an end all the same."""
    try:
        return wire.fill(limit)
    except ssl.SSLEOFError:
        return 0
