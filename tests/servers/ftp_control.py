"""One FTP control connection: lines both ways, who has logged in, and what was agreed on."""

from __future__ import annotations

import contextlib
import posixpath
import re
import socket
import ssl

from tests.servers.conversation import Conversation, PeerGone
from tests.servers.ftp_house import Command, House, Login
from tests.servers.ledger import Ledger

LONGEST_LINE = 65536  # bytes; far above any path a client test wants to send
TELNET = re.compile(rb"\xff[\xf0-\xff]")  # commands some clients send before ABOR (RFC 959 4.1.3)


class Control(Conversation):
    """A control connection: commands, replies, and the state of the login.

    Its methods are called by its own thread only. ``number`` counts sessions from 1.
    """

    def __init__(self, sock: socket.socket, ledger: Ledger, number: int, house: House) -> None:
        super().__init__(sock, ledger, number)
        # ABOR comes with urgent bytes; they belong to the line.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
        self.house = house
        self.secured = False
        """Whether the control connection is under TLS."""
        self.protected = False
        """Whether data connections are to be (``PROT P``)."""
        self.user: str | None = None
        self.logged_in = False
        self.folder = house.home
        self.binary = False
        self.offset = 0
        """Where the next transfer begins (REST)."""
        self._finished = False

    # -- commands and replies

    def reply(self, *lines: str) -> None:
        """Send lines as they are, each with CRLF."""
        self.send("".join(f"{line}\r\n" for line in lines).encode("utf-8", "surrogateescape"))

    def recv_command(self) -> Command | None:
        """The next command, also recorded by the server; None when the client left before one."""
        while (line := self._take_line()) is None:
            if len(self._buffer) > LONGEST_LINE:
                raise PeerGone("a line without an end")
            if not self._fill():
                return None
        text = TELNET.sub(b"", line).decode("utf-8", "surrogateescape")
        verb, _, argument = text.partition(" ")
        command = Command(self.number, verb.upper(), argument)
        with self._ledger.changed:
            self.house.commands.append(command)
            self._ledger.changed.notify_all()
        return command

    def log_in(self) -> None:
        """Let the user of the last USER in, and write it down."""
        self.logged_in = True
        with self._ledger.changed:
            self.house.logins.append(Login(self.number, self.user or ""))
            self._ledger.changed.notify_all()

    def secure(self, context: ssl.SSLContext) -> None:
        """Put the control connection under TLS; ``PeerGone`` when the handshake fails.

        What the client sent in the clear behind its last command is thrown away, and noted among
        the TLS failures: whoever reads it after the handshake can be injected into.
        """
        if self._buffer:
            self._ledger.tls_failed(f"plain text before the handshake: {bytes(self._buffer)!r}")
            self._buffer.clear()
        if not self.start_tls(context):
            raise PeerGone("the handshake failed")
        self.secured = True

    def finish_control(self) -> None:
        """End the server's side of the control connection, but not the session's script.

        So the client reads the end of the control connection while its data still come.
        """
        self._finished = True
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self.sock, socket.SHUT_WR)

    # -- files

    def path(self, argument: str) -> str:
        """The absolute path of an argument, seen from the session's folder."""
        return posixpath.normpath("/" + posixpath.join(self.folder, argument).lstrip("/"))

    def body(self, argument: str) -> bytes:
        """The bytes of a file as the session's type has them: in ASCII, LF becomes CR LF."""
        body = self.house.find(self.path(argument)).body
        return body if self.binary else body.replace(b"\n", b"\r\n")

    def take_offset(self) -> int:
        """The offset of the last REST, which is good for one transfer."""
        offset, self.offset = self.offset, 0
        return offset

    # -- within

    def _take_line(self) -> bytes | None:
        line, found, _ = self._buffer.partition(b"\n")
        if not found:
            return None
        del self._buffer[: len(line) + 1]
        return bytes(line).removesuffix(b"\r")
