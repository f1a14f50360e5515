"""The plainest clients: a socket, a request, the bytes that come back."""

from __future__ import annotations

import contextlib
import http.client
import socket
from collections.abc import Iterator

from tests.servers import FaultServer

TIMEOUT = 10.0  # seconds; only a broken bench reaches it


@contextlib.contextmanager
def connected(server: FaultServer) -> Iterator[socket.socket]:
    with socket.create_connection((server.host, server.port), timeout=TIMEOUT) as sock:
        yield sock


def ask(sock: socket.socket, path: str, *, method: str = "GET", extra: str = "") -> None:
    sock.sendall(f"{method} {path} HTTP/1.1\r\nHost: test\r\n{extra}\r\n".encode())


def read_to_end(sock: socket.socket) -> bytes:
    """Everything until FIN; a reset raises ConnectionResetError."""
    data = b""
    while piece := sock.recv(65536):
        data += piece
    return data


def read_exactly(sock: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        piece = sock.recv(count - len(data))
        assert piece, f"the end came after {len(data)} of {count} bytes"
        data += piece
    return data


def all_of(server: FaultServer, path: str, *, extra: str = "") -> bytes:
    """All bytes of one answer whose end is the connection's end."""
    with connected(server) as sock:
        ask(sock, path, extra=extra)
        return read_to_end(sock)


@contextlib.contextmanager
def http_client(server: FaultServer) -> Iterator[http.client.HTTPConnection]:
    conn = http.client.HTTPConnection(server.host, server.port, timeout=TIMEOUT)
    with contextlib.closing(conn):
        yield conn


def get(conn: http.client.HTTPConnection, path: str, **headers: str) -> tuple[int, bytes]:
    conn.request("GET", path, headers={k.replace("_", "-"): v for k, v in headers.items()})
    answer = conn.getresponse()
    return answer.status, answer.read()
