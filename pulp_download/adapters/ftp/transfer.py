"""A data connection as ``ftplib`` reads it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

from pulp_download.adapters.wire import Wire


class Transfer:
    """As much of a socket as ``ftplib`` uses to read: a context manager with ``recv``, watched.

    A copy of the socket would not do: of one under TLS there is none. ``close`` is called once.
    """

    def __init__(self, wire: Wire, close: Callable[[], None]):
        self._wire = wire
        self._close = close

    def recv(self, limit: int) -> bytes:
        wire = self._wire
        return bytes(wire.take(limit)) if wire.pending or wire.fill(limit) else b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._close()
