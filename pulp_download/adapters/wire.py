"""One connection's incoming bytes, and the heads among them (RFC 9112).

Strict where leniency loses data: an end of file inside the head, an interim answer taken for the
final one.
"""

from __future__ import annotations

import errno
import fcntl
import mmap
import re
import ssl
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from pulp_download.adapters.head import HEAD, Head, head_of, parse_head, refused
from pulp_download.errors import ProtocolViolation
from pulp_download.watch import Watch

# Bytes read at once at most, and kept for each connection. With 256 KiB large files take 3 % more
# time, for threads hand the interpreter to each other more often, and with 1 MiB 2 % less.
BUFFER_SIZE = 3 << 17
# Bytes asked for at once at least, and with a head at most. Whoever reads in smaller pieces than
# the buffer, as streams do whose clients are slow, uses the rest of it only behind a head or a line
# that came in parts. Of half as many, a large file took a tenth longer through a streamer.
_LEAST_READ = 1 << 17
# Like curl, whose limits are 300 KiB and 10 interim answers.
_MAX_HEAD = 1 << 18
_MAX_INTERIM = 10
_NOTHING = bytes(4)  # no bytes, as an int of C
# Into more than 1024 bytes an ioctl writes without giving up the interpreter's lock, where a poll
# would hand it to another thread (CPython 3.11 to 3.13).
_SCRATCH_SIZE = 2048
_END_OF_HEAD = re.compile(rb"\n\r?\n")


def new_buffer() -> memoryview:
    """Return BUFFER_SIZE bytes; those behind the first _LEAST_READ take memory when they are used.

    Where the kernel has to find memory while it copies, TCP takes the reader for a slow one, and
    has less ready for each read as long as the connection lasts. So the first reads find it there.
    """
    buffer = memoryview(mmap.mmap(-1, BUFFER_SIZE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))
    pages = buffer[: _LEAST_READ : mmap.PAGESIZE]
    pages[:] = bytes(len(pages))
    return buffer


class Readable(Protocol):
    """The part of a socket that is used here."""

    def fileno(self) -> int:
        """Return the descriptor."""

    def recv_into(self, buffer: memoryview, /) -> int:
        """Read at least one byte, or return 0 at the end."""

    def settimeout(self, seconds: float | None, /) -> None:
        """Have each read fail after ``seconds``."""


class NoAnswer(ConnectionResetError):
    """The connection ended before the first byte of an answer."""


class Wire:
    """One connection's incoming bytes, in one buffer that is used again for every read.

    ``buffer`` is one of BUFFER_SIZE that somebody has already.
    """

    __slots__ = (
        "_buffer",
        "_deadline",
        "_end",
        "_is_met",
        "_scratch",
        "_socket",
        "_start",
        "watch",
    )

    def __init__(self, sock: Readable, buffer: memoryview | None = None):
        self._socket = sock
        self._buffer = new_buffer() if buffer is None else buffer
        self._start = self._end = 0
        self._scratch = bytearray(_SCRATCH_SIZE)
        self._deadline: float | None = None
        # Whoever speaks TLS 1.3 sends tickets first, which look from outside like an answer.
        self._is_met = not isinstance(sock, ssl.SSLSocket)
        self.watch: Watch | None = None

    @property
    def pending(self) -> int:
        """Bytes received and not taken."""
        return self._end - self._start

    def fileno(self) -> int:
        """Return the socket's descriptor."""
        return self._socket.fileno()

    def has_more(self) -> bool:
        """Tell whether bytes lie in the socket unread, which nobody has asked for yet.

        An end of file does not show here, only in a read.
        """
        fcntl.ioctl(self._socket.fileno(), termios.FIONREAD, self._scratch)
        return self._scratch[:4] != _NOTHING

    def fill(self, limit: int = BUFFER_SIZE, *, timed: bool = True) -> int:
        """Read once behind what is pending; return how many bytes came, 0 at the end.

        Asks for ``limit`` bytes or a few more. ``timed`` has the watch count the wait as one for
        the body.
        """
        if self._start == self._end:
            self._start = self._end = 0
        elif self._end == BUFFER_SIZE:
            rest = bytes(self._buffer[self._start : self._end])
            self._buffer[: len(rest)] = rest
            self._start, self._end = 0, len(rest)
        if self._deadline is not None:
            self._socket.settimeout(max(0.001, self._deadline - time.monotonic()))
        watch = self.watch
        room = self._buffer[self._end : self._end + max(limit, _LEAST_READ)]
        # Somebody waited until the head began; whether more has come nobody knows.
        if timed or self._end or not self._is_met:
            self._hurry()
        if watch is None or not timed:
            count = self._socket.recv_into(room)
        else:
            watch.begin_read()
            count = 0
            try:
                count = self._socket.recv_into(room)
            finally:
                watch.end_read(count)
        if watch is not None:
            watch.check()  # a socket that was shut down reads like a clean end
        self._end += count
        return count

    def _hurry(self) -> None:
        """Tell who is in a hurry that the next read may take a while, if it may."""
        watch = self.watch
        if watch is not None and watch.on_block is not None:
            if not (self._is_met and self.has_more()):
                watch.may_block()
            self._is_met = True

    @contextmanager
    def hurried(self, seconds: float) -> Iterator[None]:
        """Have all reads in this block end within ``seconds`` together, by TimeoutError.

        The watch does not judge them: what is read is wanted by nobody.
        """
        self.watch, self._deadline = None, time.monotonic() + seconds
        try:
            yield
        finally:
            self._deadline = None
            self._socket.settimeout(None)

    def take(self, limit: int) -> memoryview:
        """Return up to ``limit`` pending bytes, valid until the next ``fill``."""
        start, end = self._start, self._start + limit
        self._start = end = end if end < self._end else self._end
        return self._buffer[start:end]

    def head(self) -> Head:
        """Read the final answer's head, skipping interim ones (RFC 9110 section 15.2)."""
        for _ in range(_MAX_INTERIM + 1):
            head = self._next_head()
            if head.status == 101:
                raise ProtocolViolation("101 without having asked to switch protocols")
            if head.status >= 200:
                return head
            if not self.pending:
                self._hurry()
        raise refused(f"more than {_MAX_INTERIM} interim answers")

    def _next_head(self) -> Head:
        if self._start == self._end and not self.fill(_LEAST_READ, timed=False):
            raise NoAnswer(errno.ECONNRESET, "connection closed without an answer")
        # Nearly always one read has brought it whole, and no line is folded.
        whole = HEAD.match(self._buffer, self._start, self._end)
        if whole is None:
            return parse_head(self._head_bytes())
        self._start = whole.end()
        return head_of(whole)

    def _head_bytes(self) -> bytes:
        """Read on to the end of a head that has begun."""
        searched = self._start
        while True:
            if found := _END_OF_HEAD.search(self._buffer, searched, self._end):
                return bytes(self.take(found.end() - self._start))
            self._check_start()
            # The separator may lie across two reads; moving the buffer moves the search as well.
            done = max(0, self.pending - 3)
            if self.pending >= _MAX_HEAD:
                raise refused(f"head is longer than {_MAX_HEAD} bytes")
            if not self.fill(_LEAST_READ, timed=False):
                raise ProtocolViolation("connection closed inside the head of the answer")
            searched = self._start + done

    def _check_start(self) -> None:
        """Refuse at once what does not begin like HTTP/1, instead of waiting for its end."""
        begin = bytes(self._buffer[self._start : min(self._end, self._start + 7)])
        if not b"HTTP/1.".startswith(begin):
            raise ProtocolViolation(f"not an HTTP/1 answer: {begin!r}")

    def line(self, limit: int, what: str = "line") -> bytes:
        """Return one line with its end; short only at the end of the stream.

        Raises ProtocolViolation, which says ``what`` it is, if it is longer than ``limit`` bytes.
        """
        while True:
            window = bytes(self._buffer[self._start : min(self._end, self._start + limit)])
            end = window.find(b"\n") + 1
            if end:
                self._start += end
                return window[:end]
            if len(window) >= limit:
                raise refused(f"{what} is longer than {limit} bytes")
            if not self.fill(_LEAST_READ):
                return bytes(self.take(limit))
