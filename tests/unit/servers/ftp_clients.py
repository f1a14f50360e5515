"""FTP clients of the standard library, as the tests of the FTP servers want them."""

from __future__ import annotations

import contextlib
import ftplib
import socket
import ssl
from collections.abc import Iterator

from tests.servers.ftp import FtpFaultServer
from tests.unit.servers.clients import TIMEOUT


class ReusingFtpTls(ftplib.FTP_TLS):
    """FTP_TLS whose data connections resume the control connection's TLS session."""

    def ntransfercmd(
        self, cmd: str, rest: int | str | None = None
    ) -> tuple[socket.socket, int | None]:
        conn, size = ftplib.FTP.ntransfercmd(self, cmd, rest)
        if self._prot_p:  # type: ignore[attr-defined]
            assert isinstance(self.sock, ssl.SSLSocket)
            conn = self.context.wrap_socket(
                conn, server_hostname=self.host, session=self.sock.session
            )
        return conn, size


class ImplicitFtpTls(ReusingFtpTls):
    """The same for servers whose connections begin with a handshake."""

    def connect(  # type: ignore[override]
        self, host: str, port: int, timeout: float = TIMEOUT
    ) -> str:
        self.host, self.port, self.timeout = host, port, timeout
        raw = socket.create_connection((host, port), timeout)
        self.af = raw.family
        self.sock = self.context.wrap_socket(raw, server_hostname=host)
        self.file = self.sock.makefile("r", encoding=self.encoding)
        self.welcome = self.getresp()
        return self.welcome


@contextlib.contextmanager
def connected(server: FtpFaultServer) -> Iterator[ftplib.FTP]:
    """A client that has read the banner."""
    with contextlib.closing(ftplib.FTP(timeout=TIMEOUT)) as client:
        client.connect(server.host, server.port)
        yield client


@contextlib.contextmanager
def logged_in(server: FtpFaultServer, user: str = "", password: str = "") -> Iterator[ftplib.FTP]:
    with connected(server) as client:
        client.login(user, password)
        client.voidcmd("TYPE I")
        yield client


@contextlib.contextmanager
def secured(
    server: FtpFaultServer, context: ssl.SSLContext, *, kind: type[ftplib.FTP_TLS] = ReusingFtpTls
) -> Iterator[ftplib.FTP_TLS]:
    """A client that has logged in under TLS and asked for protected data."""
    with contextlib.closing(kind(timeout=TIMEOUT, context=context)) as client:
        client.connect(server.host, server.port)
        client.login()
        client.prot_p()
        client.voidcmd("TYPE I")
        yield client


def fetch(client: ftplib.FTP, path: str, *, rest: int | None = None) -> bytes:
    """The whole answer of RETR; raises what ftplib raises."""
    pieces: list[bytes] = []
    client.retrbinary(f"RETR {path}", pieces.append, rest=rest)
    return b"".join(pieces)


def fetch_what_comes(client: ftplib.FTP, path: str) -> bytes:
    """The data of RETR until their end, without a look at the final reply."""
    with client.transfercmd(f"RETR {path}") as conn:
        return read_to_end(conn)


def read_to_end(conn: socket.socket) -> bytes:
    data = b""
    while piece := conn.recv(65536):
        data += piece
    return data
