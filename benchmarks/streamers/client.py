"""A client that costs little: sockets that stay open, and no more of HTTP than what is served."""

from __future__ import annotations

import hashlib
import re
import selectors
import socket
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from benchmarks.job import Item

# Bytes taken at a time, into one buffer.
PIECE = 1 << 18
# Nobody waits longer for the next bytes, in seconds.
PATIENCE = 30.0

_LENGTH = re.compile(rb"\r\nContent-Length: *(\d+)\r\n", re.IGNORECASE)


class Wrong(Exception):
    """A client got something else than the file."""


@dataclass(frozen=True)
class Times:
    """Seconds from the request to the first byte of the body, and to the last."""

    first_byte: float
    whole: float


class Connection:
    """One connection, on which a file is asked for after the other."""

    def __init__(self, port: int, *, verifies: bool = False):
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._verifies = verifies
        self._buffer = memoryview(bytearray(PIECE))
        self._head = b""
        self._left: int | None = None  # of the body; None until the head is there

    def ask(self, item: Item) -> None:
        self._item = item
        self._head, self._left = b"", None
        self._digest = hashlib.sha256()
        self._begun, self._first_byte = time.perf_counter(), 0.0
        self.sock.sendall(b"GET /%b HTTP/1.1\r\nHost: localhost\r\n\r\n" % item.path.encode())

    def take(self) -> Times | None:
        """Take what is there, waiting for it; return times once the file is whole."""
        count = self.sock.recv_into(self._buffer)
        if not count:
            raise Wrong(f"{self._item.path}: the connection ended")
        piece = self._buffer[:count]
        if self._left is None:
            piece = self._body_after_head(piece)
        if self._left is not None and len(piece):
            self._first_byte = self._first_byte or time.perf_counter()
            self._left -= len(piece)
            if self._verifies:
                self._digest.update(piece)
        return self._times() if self._left == 0 else None

    def close(self) -> None:
        self.sock.close()

    def _body_after_head(self, piece: memoryview) -> memoryview:
        """Read the head, if it is whole; return what follows it."""
        self._head += piece
        head, end, body = self._head.partition(b"\r\n\r\n")
        if not end:
            return piece[:0]
        length = _LENGTH.search(head + b"\r\n")
        if not head.startswith(b"HTTP/1.1 200 ") or length is None:
            raise Wrong(f"{self._item.path}: {head[:60]!r}")
        if int(length[1]) != self._item.size:
            raise Wrong(f"{self._item.path}: {int(length[1])} bytes announced")
        self._left = self._item.size
        return memoryview(body)

    def _times(self) -> Times:
        if self._verifies and self._digest.hexdigest() != self._item.sha256:
            raise Wrong(f"{self._item.path}: wrong digest")
        return Times(self._first_byte - self._begun, time.perf_counter() - self._begun)


def fetch(connection: Connection, item: Item) -> Times:
    """Get one file."""
    connection.ask(item)
    while (times := connection.take()) is None:
        pass
    return times


def fetch_all(
    port: int, items: Iterable[Item], connections: int, *, verifies: bool = False
) -> float:
    """Get files over so many connections, each with one request at a time; return seconds."""
    left = iter(items)
    with selectors.DefaultSelector() as selector:
        opened = [Connection(port, verifies=verifies) for _ in range(connections)]
        try:
            begun = time.perf_counter()
            for connection in opened:
                if _asks(connection, left):
                    selector.register(connection.sock, selectors.EVENT_READ, connection)
            while selector.get_map():
                _take_all(selector, left)
            return time.perf_counter() - begun
        finally:
            for connection in opened:
                connection.close()


def _take_all(selector: selectors.BaseSelector, left: Iterator[Item]) -> None:
    ready: list[tuple[selectors.SelectorKey, Any]] = selector.select(PATIENCE)
    if not ready:
        raise Wrong("nothing came for too long")
    for key, _ in ready:
        if key.data.take() is not None and not _asks(key.data, left):
            selector.unregister(key.fileobj)


def _asks(connection: Connection, left: Iterator[Item]) -> bool:
    item = next(left, None)
    if item is not None:
        connection.ask(item)
    return item is not None
