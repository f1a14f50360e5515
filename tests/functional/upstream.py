"""What the stories in this folder have in common: bytes, digests, and downloads of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from pulp_download import DigestValidation, Download, MemoryWriter, Remote, SizeValidation
from pulp_download.validations import Validation
from tests.servers import FaultServer, reply


def body_of(number: int, size: int = 100) -> bytes:
    """Return bytes that no other number has."""
    return hashlib.sha256(str(number).encode()).digest() * (size // 32 + 1)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def expectations(data: bytes) -> list[Validation]:
    return [SizeValidation(len(data)), DigestValidation("sha256", sha256(data))]


def publish(server: FaultServer, count: int) -> None:
    """Have the server answer /0, /1, ... with their bodies."""
    for number in range(count):
        server.on(f"/{number}", reply(200, body_of(number)))


def downloads_of(
    server: FaultServer,
    numbers: Iterable[int],
    remote: Remote | None = None,
    into: Path | None = None,
) -> Iterator[Download]:
    """Yield verified downloads of what ``publish`` has put there, attached to their numbers."""
    for number in numbers:
        data = body_of(number)
        yield Download(
            server.url(f"/{number}"),
            MemoryWriter() if into is None else into / str(number),
            validations=expectations(data),
            remote=remote,
            attachment=number,
        )
