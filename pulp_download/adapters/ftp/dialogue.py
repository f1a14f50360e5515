"""A dialogue of lines with an FTP server, in which nothing is read without limit (RFC 959)."""

from __future__ import annotations

import errno
import ftplib
import select
import ssl

from pulp_download.adapters.ftp.replies import Reply, refusal
from pulp_download.errors import InvalidURL, ProtocolViolation
from pulp_download.watch import Watch

# Replies are a line or two; banners and FEAT some dozens. curl has no limit on their number.
_MAX_LINE = 8192
_MAX_REPLY = 1 << 16


class Dialogue(ftplib.FTP):
    """What is said on a control connection; used by one thread at a time, under its ``watch``.

    ``ftplib`` writes the verbs that are not ours upon it. Names that are not UTF-8 go out as they
    came. Raises this library's errors and the socket's own.
    """

    watch: Watch

    def __init__(self) -> None:
        super().__init__()
        self.is_open = False  # logged in: until then the limit for connecting holds
        self.lines: list[str] = []  # of the last reply
        self.received = bytearray()

    def command(self, line: str) -> Reply:
        """Send a line and return the reply, whatever it says."""
        self.putcmd(line)
        return self.reply()

    def ask(self, line: str, *codes: int) -> Reply:
        """Send a line; raise what the reply means unless it has one of these codes."""
        return expected(self.command(line), *codes)

    def putcmd(self, line: str) -> None:
        if any(character in line for character in "\r\n\0"):
            raise InvalidURL("control character in a name for an FTP server")
        assert self.sock is not None
        if self.is_open:
            self.watch.begin("read", self.watch.limits.read)
        self.sock.sendall(f"{line}\r\n".encode("utf-8", "surrogateescape"))

    def reply(self) -> Reply:
        """Read one whole reply; raises ProtocolViolation for what is none."""
        text = self.getmultiline()
        self.lines = text.split("\n")
        return Reply.parse(text)

    def getmultiline(self) -> str:
        """Return one reply's lines (RFC 959 section 4.2), within a limit."""
        lines = [self.getline()]
        if lines[0][3:4] == "-" and lines[0][:3].isdecimal():  # "SSH-2.0" begins nothing
            end = f"{lines[0][:3]} "
            length = 0
            while not (lines[-1].startswith(end) or lines[-1] == end[:3]):
                lines.append(self.getline())
                length += len(lines[-1])
                if length + 80 * len(lines) > _MAX_REPLY:
                    raise ProtocolViolation("a reply without an end")
        return "\n".join(lines)

    def getline(self) -> str:
        """Return one line without its end."""
        assert self.sock is not None
        while (end := self.received.find(b"\n")) < 0:
            if len(self.received) > _MAX_LINE:
                raise ProtocolViolation(f"line of a reply is longer than {_MAX_LINE} bytes")
            piece = self.sock.recv(_MAX_LINE)
            self.watch.check()  # a socket that was shut down reads like a clean end
            if not piece:
                raise ConnectionResetError(errno.ECONNRESET, "control connection closed")
            self.received += piece
        line = bytes(self.received[:end])
        del self.received[: end + 1]
        return line.rstrip(b"\r").decode("utf-8", "replace")

    def is_silent_for(self, seconds: float) -> bool:
        """Wait so long for the server to say something, or to hang up."""
        assert self.sock is not None
        if self.received or (isinstance(self.sock, ssl.SSLSocket) and self.sock.pending()):
            return False
        poll = select.poll()
        poll.register(self.sock, select.POLLIN)
        return not poll.poll(1000 * seconds)


def expected(reply: Reply, *codes: int) -> Reply:
    """Return a reply with one of these codes; raise what any other one means."""
    if reply.code not in codes:
        raise refusal(reply)
    return reply
