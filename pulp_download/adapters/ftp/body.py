"""The bytes of a data connection, and whether they were all."""

from __future__ import annotations

import ssl

from pulp_download.adapters.ftp.control import Control
from pulp_download.adapters.wire import BUFFER_SIZE
from pulp_download.errors import ProtocolViolation, Truncated

# Seconds to wait for the server's last word on a file that is there in full. Some never say it.
_LAST_WORD = 5.0


class FtpBody:
    """What arrives until the data connection ends, which must be all that SIZE told.

    ``length`` is what SIZE told, less what was left out by REST, or None. With a length, a missing
    last word of the server's costs the connection only; without one it is all that tells that the
    file was not cut (226 or 250, RFC 959), so that ``Truncated`` is raised. ``most`` ends it early,
    for a range that ends before the file does.
    """

    is_at_hand = False  # even then the server's last word may have to be waited for

    def __init__(self, control: Control, length: int | None, *, most: int | None = None):
        self.length = length if most is None else most
        self.is_complete = False
        self.is_reusable = False
        self._control = control
        self._wire = control.received_into()
        self._is_part = most is not None
        self._received = 0
        if self.length == 0:
            self.read()

    def read(self, limit: int = BUFFER_SIZE) -> memoryview:
        """Return the next bytes, at most ``limit``; empty at the end. Valid until the next read."""
        wire = self._wire
        if self.is_complete:
            return wire.take(0)
        if not wire.pending and not self._fill(limit):
            self._end()
            return wire.take(0)
        if self._is_part:
            assert self.length is not None
            limit = min(limit, self.length - self._received)
        taken = wire.take(limit)
        self._received += len(taken)
        if self._is_part:
            self.is_complete = self._received == self.length
        elif self.length is not None and self._received > self.length:
            self._control.cannot_restart()  # the whole file, where the rest of it was asked for?
            raise ProtocolViolation(f"more than the {self.length} bytes that the server told of")
        return taken

    def _fill(self, limit: int) -> int:
        try:
            return self._wire.fill(limit)
        except ssl.SSLEOFError:
            # Nothing vouches for this end, and many servers leave it so: the length must tell.
            if self.length is None:
                raise Truncated(self._received) from None
            return 0

    def _end(self) -> None:
        is_whole = self._received == self.length
        try:
            reply = self._control.end_data(_LAST_WORD if is_whole else None)
        except OSError:
            if not is_whole:
                raise Truncated(self._received, self.length) from None
        else:
            if not reply.is_complete or (self.length is not None and not is_whole):
                raise Truncated(self._received, self.length)
            self.is_reusable = True
        self.is_complete = True


class NoBody:
    """What follows a head that nothing follows."""

    length = 0
    is_complete = True
    is_at_hand = True
    is_reusable = True

    def read(self, limit: int = BUFFER_SIZE) -> memoryview:
        return memoryview(b"")
