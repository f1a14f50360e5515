"""One FTP session in the hands of a script: the control connection and what it opens for data."""

from __future__ import annotations

import select
import socket
import ssl

from tests.servers.conversation import Conversation, Cut, PeerGone
from tests.servers.ftp_control import TELNET, Control
from tests.servers.ftp_house import DataRecord, House, Refused
from tests.servers.ledger import Ledger

PIECE = 65536  # bytes offered to the kernel at once; not measured
REUSE_REQUIRED = "522 SSL connection failed: session reuse required"  # vsftpd's words


class Aborted(Exception):
    """The client sent ABOR while a script waited for, or sent, data."""


class DataLost(Exception):
    """The client ended the data connection before all was sent."""


class Session(Control):
    """A control connection with at most one data connection at a time."""

    def __init__(self, sock: socket.socket, ledger: Ledger, number: int, house: House) -> None:
        super().__init__(sock, ledger, number, house)
        self.data: Conversation | None = None
        self.record: DataRecord | None = None
        """What is written down of the data connection, of the last one when it has ended."""
        self._passive: socket.socket | None = None

    def listen(self) -> int:
        """Open a port for one data connection, in place of an earlier one, and return it."""
        self._close_passive()
        host, *_ = socket.socket.getsockname(self.sock)
        family = self.sock.family
        self._passive = socket.create_server((host, 0), family=family, backlog=1)
        port: int = self._passive.getsockname()[1]
        return port

    def open_data(self, text: str) -> None:
        """Reply ``text`` and take the client's data connection, with TLS after ``PROT P``.

        Raises ``Refused`` without a passive port and when the handshake fails. If it resumes no
        session although the server insists, the client is told, and the session is over.
        """
        if self._passive is None:
            raise Refused("425 Use EPSV or PASV first.")
        self.reply(text)
        self._wait(self._passive.fileno(), select.POLLIN)
        sock, _ = self._passive.accept()
        self._close_passive()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.data = Conversation(sock, self._ledger, self.number)
        self.record = DataRecord(self.number)
        self._ledger.watch(self.data)
        if self.protected:
            assert self.house.tls is not None
            if not self.data.start_tls(self.house.tls):
                self.close_data()
                raise Refused("522 The TLS handshake of the data connection failed.")
            assert isinstance(self.data.sock, ssl.SSLSocket)
            self.record.tls_reused = bool(self.data.sock.session_reused)
        with self._ledger.changed:
            self.house.data.append(self.record)
            self._ledger.changed.notify_all()
        if self.house.reuse_required and self.record.tls_reused is False:
            self.reply(REUSE_REQUIRED)
            self.close()
            raise PeerGone("sent away")

    def send_data(self, data: bytes) -> None:
        """Send on the data connection.

        Raises ``Aborted`` if the client says so meanwhile, ``DataLost`` if it ends the connection.
        """
        conn, record = self._opened()
        sock = conn.sock
        sock.setblocking(False)
        rest = memoryview(data)
        while rest:
            self._look_for_abort()
            event = select.POLLOUT
            try:
                count = sock.send(rest[:PIECE])
            except ssl.SSLWantReadError:
                event = select.POLLIN
            except (BlockingIOError, ssl.SSLWantWriteError):
                pass
            except OSError as error:
                raise DataLost(str(error)) from error
            else:
                rest = rest[count:]
                with self._ledger.changed:
                    record.sent += count
                    self._ledger.changed.notify_all()
                continue
            self._wait(sock.fileno(), event)

    def hold_data(self, seconds: float | None = None) -> None:
        """Send nothing until the client leaves or aborts, or until the time is over.

        Without a time it is counted in ``held``. Raises ``PeerGone``, ``DataLost`` or ``Aborted``.
        """
        conn, _ = self._opened()
        stall = 1 if seconds is None else 0
        self._ledger.holding(stall)
        try:
            self._wait(conn.sock.fileno(), select.POLLRDHUP, seconds)
        finally:
            self._ledger.holding(-stall)
        if conn.peer_left():
            raise DataLost("while its data were held")

    def close_data(self, how: Cut = Cut.FIN) -> None:
        """End the data connection, if there is one."""
        self._close_passive()
        if self.data is not None:
            self.data.cut(how)
            self.data = None

    def cut(self, how: Cut) -> None:
        self.close_data()
        super().cut(how)

    # -- within

    def _opened(self) -> tuple[Conversation, DataRecord]:
        if self.data is None or self.record is None:
            raise RuntimeError("the script sends data before open_data()")
        return self.data, self.record

    def _close_passive(self) -> None:
        if self._passive is not None:
            self._passive.close()
            self._passive = None

    def _look_for_abort(self) -> None:
        """Raise ``Aborted`` if ABOR has come. Other commands wait until the transfer is over."""
        while not self._finished and not self._next_is_known():
            poll = select.poll()
            poll.register(self.sock.fileno(), select.POLLIN | select.POLLRDHUP)
            tls = self.sock
            decrypted = isinstance(tls, ssl.SSLSocket) and tls.pending() > 0
            if not decrypted and not poll.poll(0):
                return
            if not self._fill():
                raise PeerGone("while its data were sent")

    def _next_is_known(self) -> bool:
        """Whether a whole command is here already; raises ``Aborted`` when it is ABOR."""
        line, found, _ = TELNET.sub(b"", bytes(self._buffer)).partition(b"\n")
        if found and line.strip().upper() == b"ABOR":
            self.recv_command()
            raise Aborted
        return bool(found)

    def _wait(self, descriptor: int, event: int, seconds: float | None = None) -> None:
        """Return when ``descriptor`` is ready or the time is over; watch the client meanwhile."""
        own = self.sock.fileno()
        while True:
            self._look_for_abort()
            poll = select.poll()
            poll.register(descriptor, event)
            if not self._finished:
                listening = 0 if self._next_is_known() else select.POLLIN
                poll.register(own, select.POLLRDHUP | listening)
            ready = dict(poll.poll(None if seconds is None else seconds * 1000))
            if not ready or descriptor in ready:
                return
            if ready[own] & ~select.POLLIN:
                raise PeerGone("while a script waited for its data connection")
