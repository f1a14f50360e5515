"""One logged-in control connection, and the data connections that it opens (RFC 959, RFC 2428)."""

from __future__ import annotations

import socket
import ssl
from typing import Any, Protocol, cast

from pulp_download import sockets, tls
from pulp_download.adapters.ftp.dialogue import Dialogue, expected
from pulp_download.adapters.ftp.place import Place
from pulp_download.adapters.ftp.replies import Reply, data_port, no_tls, refusal
from pulp_download.adapters.ftp.transfer import Transfer
from pulp_download.adapters.wire import Wire, new_buffer
from pulp_download.errors import NotAuthorized, NotFound, ProtocolViolation
from pulp_download.watch import Watch

_OPTIONS = (
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    # A control connection is silent while a long file comes, and routers forget silent ones.
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
)


class Owner(Protocol):
    """Whoever lends connections out."""

    def put(self, control: Control) -> None:
        """Take back a connection that can be used again."""

    def closed(self, control: Control) -> None:
        """Take note that a connection is gone."""

    def can_restart(self, control: Control) -> bool:
        """Tell whether nothing has been seen at its host that speaks against REST."""

    def cannot_restart(self, control: Control) -> None:
        """Ask for no parts at its host from now on."""


class Control(Dialogue):
    """A control connection; used by one thread at a time, under the ``watch`` of its borrower.

    Everything can be stopped, and no reply leads to another host.
    """

    wire: Wire | None = None  # nothing of it is worth being drained

    def __init__(self, place: Place, pool: Owner):
        super().__init__()
        self.place = place
        self.host, self.port = place.host, place.port
        self.is_reused = False
        self._pool = pool
        self._is_closed = False
        self._context: ssl.SSLContext | None = None
        self._peer: tuple[Any, ...] = ()
        self._lifeline: socket.socket | None = None
        self._data: socket.socket | None = None
        self._data_lifeline: socket.socket | None = None
        self._buffer: memoryview | None = None
        self._has_no_epsv = False
        self._unknown: set[str] = set()  # commands

    # Opening.

    def open(self, watch: Watch) -> None:
        """Connect, greet, secure and log in, within the limit for connecting."""
        self.watch = watch
        watch.begin("connect", watch.limits.connect)
        self.sock = sockets.connect(self.host, self.port, watch, _OPTIONS)
        self._lifeline = self.sock.dup()
        watch.attach(self._lifeline)
        self.af, self._peer = self.sock.family, self.sock.getpeername()
        if self.place.is_implicit:
            self._secure()
        while (greeting := self.reply()).code == 120:  # ready in so many minutes
            pass
        self.welcome = expected(greeting, 220).text
        if self.place.tls is not None and not self.place.is_implicit:
            self._ask_for_tls("AUTH TLS", 234)
            if self.received:  # they would be taken for answers to what is said under TLS
                raise ProtocolViolation("bytes behind the answer to AUTH TLS")
            self._secure()
        self._log_in()
        self._learn()
        watch.check()
        watch.end()
        self.is_open = True

    def _secure(self) -> None:
        assert self.place.tls is not None and self.sock is not None
        self._context = tls.ssl_context(self.place.tls)
        self.sock = tls.wrap(self._context, self.sock, self.host)

    def _ask_for_tls(self, line: str, code: int) -> None:
        """Send a line without whose consent nothing more may be said."""
        reply = self.command(line)
        if reply.code >= 500:
            raise no_tls(*reply)
        expected(reply, code)

    def _log_in(self) -> None:
        # RFC 1635: anonymous, with a mail address for a password, of which servers check the "@".
        user, password = self.place.credentials or ("anonymous", "anonymous@")
        reply = self.command(f"USER {user}")
        if reply.code == 331:
            reply = self.command(f"PASS {password}")
        if reply.code not in (230, 202):
            error = refusal(reply)
            # proftpd and pyftpdlib refuse with 550 who comes without TLS.
            raise NotAuthorized(*reply) if isinstance(error, NotFound) else error
        if self.place.tls is not None:
            self._ask_for_tls("PBSZ 0", 200)
            self._ask_for_tls("PROT P", 200)

    def _learn(self) -> None:
        """Ask what the server can; one that cannot say so may know the common commands still."""
        reply = self.command("FEAT")
        if reply.code == 211:
            features = {words[0].upper() for line in self.lines[1:-1] if (words := line.split())}
            self._unknown = {"SIZE", "MDTM", "REST"} - features
            if "UTF8" in features:
                self.command("OPTS UTF8 ON")  # many have it on already, and refuse
        self.ask("TYPE I", 200)

    # Talking.

    def borrow(self, watch: Watch) -> None:
        """Work for another borrower from now on; raises its verdict if it was stopped already."""
        self.watch = watch
        self.is_reused = True
        self._attach_control()

    def fact(self, verb: str, path: str) -> Reply | None:
        """Return what the server says of a file by SIZE or MDTM; None where it does not know how.

        Raises what makes the connection useless.
        """
        if verb in self._unknown:
            return None
        reply = self.command(f"{verb} {path}")
        if reply.code == 421:
            raise refusal(reply)
        if reply.is_unknown:
            self._unknown.add(verb)
        return reply

    def restart_at(self, offset: int) -> bool:
        """Have the next transfer begin at this byte; False where the server cannot."""
        if not self.can_restart:
            return False
        if self.command(f"REST {offset}").code == 350:
            return True
        self.cannot_restart()
        return False

    @property
    def can_restart(self) -> bool:
        """The server knows REST, as far as it has said and shown."""
        return "REST" not in self._unknown and self._pool.can_restart(self)

    def cannot_restart(self) -> None:
        """Take note that the server does not begin where it is told to, whatever it says."""
        self._pool.cannot_restart(self)

    # Data connections.

    @property
    def has_data(self) -> bool:
        """There is a data connection."""
        return self._data is not None

    def connect_data(self) -> None:
        """Open a data connection to the host of this one, whatever host a reply names."""
        while self._data is None:
            _, port = self.makepasv()
            self.watch.begin("connect", self.watch.limits.connect)
            peer = (self._peer[0], port, *self._peer[2:])
            try:
                self._data = sockets.connect_to(peer, self.af, self.watch)
            except ConnectionRefusedError:  # some gateway knows PASV only
                if self._has_no_epsv or self.af != socket.AF_INET:
                    raise
                self._has_no_epsv = True
            finally:
                self._attach_control()

    def makepasv(self) -> tuple[str, int]:
        """Ask where to connect to: by EPSV, or by PASV where that is not known."""
        if not self._has_no_epsv:
            reply = self.command("EPSV")
            if reply.code == 229:
                return self._peer[0], data_port(self.lines[-1])
            if reply.code == 421 or self.af != socket.AF_INET:
                raise refusal(reply)
            self._has_no_epsv = True
        self.ask("PASV", 227)
        return self._peer[0], data_port(self.lines[-1])

    def start(self, line: str) -> socket.socket:
        """Have a command use the data connection; raises what a refusal means."""
        assert self._data is not None
        reply = self.command(line)
        if not reply.is_preliminary:
            raise refusal(reply)
        if self._context is None:
            self.watch.attach(self._data)
        else:
            self._data_lifeline = self._data.dup()
            self.watch.attach(self._data_lifeline)
            # The control connection's session: servers take it for a proof that both have one
            # client. It belongs to its context.
            assert isinstance(self.sock, ssl.SSLSocket)
            self._data = tls.wrap(self._context, self._data, self.host, self.sock.session)
        return self._data

    def ntransfercmd(
        self, cmd: str, rest: int | str | None = None
    ) -> tuple[socket.socket, int | None]:
        """Open a data connection for the verbs of ``ftplib``."""
        self.connect_data()
        if rest is not None:
            self.ask(f"REST {rest}", 350)
        self.start(cmd)
        self.watch.begin_body()
        return cast(socket.socket, Transfer(self.received_into(), self._end_transfer)), None

    def received_into(self) -> Wire:
        """Return the data connection's bytes, in this connection's own buffer."""
        assert self._data is not None
        if self._buffer is None:
            self._buffer = new_buffer()
        wire = Wire(self._data, self._buffer)
        wire.watch = self.watch
        return wire

    def end_data(self, within: float | None) -> Reply:
        """Close the data connection, and return what the server says of the transfer.

        Raises TimeoutError when it says nothing ``within`` these seconds.
        """
        self._attach_control()
        self._close_data()
        if within is not None and self.is_silent_for(within):
            raise TimeoutError("no last word")
        self.watch.begin("read", self.watch.limits.read)
        reply = self.reply()
        self.watch.end()
        return reply

    def _end_transfer(self) -> None:
        self._attach_control()
        self._close_data()
        self.watch.begin("read", self.watch.limits.read)

    def _attach_control(self) -> None:
        assert self._lifeline is not None
        self.watch.attach(self._lifeline)

    def _close_data(self) -> None:
        for end in (self._data, self._data_lifeline):
            if end is not None:
                end.close()
        self._data = self._data_lifeline = None

    # Its end.

    def give_back(self, *, reusable: bool) -> None:
        """Return to the pool, closed unless the last dialogue came to its end."""
        self._close_data()
        if reusable:
            self._pool.put(self)
        else:
            self.close()

    def close(self) -> None:
        """Close both connections. Idempotent."""
        if self._is_closed:
            return
        self._is_closed = True
        self._close_data()
        super().close()
        if self._lifeline is not None:
            self._lifeline.close()
        self._pool.closed(self)
