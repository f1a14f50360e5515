"""What a client sent: one request as a value, with its exact bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, overload


class MalformedRequest(ValueError):
    """The client sent bytes that are no HTTP/1 request head; the argument is those bytes."""


class Headers:
    """Header fields in the order sent: repeats are kept, names compare without case."""

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self.pairs = tuple(pairs)

    def all(self, name: str) -> list[str]:
        """Every value of ``name``, in the order sent."""
        wanted = name.lower()
        return [value for key, value in self.pairs if key.lower() == wanted]

    @overload
    def get(self, name: str) -> str | None: ...
    @overload
    def get(self, name: str, default: str) -> str: ...
    def get(self, name: str, default: str | None = None) -> str | None:
        """The first value of ``name``, or ``default``."""
        values = self.all(name)
        return values[0] if values else default

    def __getitem__(self, name: str) -> str:
        values = self.all(name)
        if not values:
            raise KeyError(name)
        return values[0]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and bool(self.all(name))

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self.pairs)

    def __len__(self) -> int:
        return len(self.pairs)

    def __repr__(self) -> str:
        return f"Headers({list(self.pairs)!r})"


@dataclass(frozen=True, kw_only=True)
class Request:
    """One request as the server saw it.

    ``connection`` and ``number`` count from 1: the connection among all the server accepted, the
    request among those of its connection. ``time`` is ``time.monotonic()`` when the head was
    complete. ``raw`` is the head and the body, byte for byte.
    """

    method: str = ""
    target: str = ""
    version: str = ""
    headers: Headers = field(default_factory=Headers)
    body: bytes = b""
    raw: bytes = b""
    connection: int = 0
    number: int = 0
    time: float = 0.0
    client_certificate: Mapping[str, Any] | None = None
    """As ``ssl.SSLSocket.getpeercert`` gives it; None without one or without TLS."""

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]

    @property
    def wants_close(self) -> bool:
        """Whether the client asked that the connection ends after this answer (RFC 9112 9.6)."""
        said = self.headers.get("Connection", "").lower()
        return "close" in said or (self.version == "HTTP/1.0" and "keep-alive" not in said)


NO_REQUEST = Request()
"""What a script gets that runs when a connection is accepted, before any request was read."""


def parse_head(head: bytes) -> tuple[str, str, str, Headers]:
    """Method, target, version and headers of ``head``, which ends in an empty line.

    Bytes become text as latin-1, one character for each byte. Raises ``MalformedRequest``.
    """
    first, *lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    words = first.split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        raise MalformedRequest(head)
    pairs = []
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise MalformedRequest(head)
        pairs.append((name, value.strip(" \t")))
    return words[0], words[1], words[2], Headers(pairs)
