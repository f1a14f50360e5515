"""What all real FTP servers of the bench have in common."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, Self

HOST = "127.0.0.1"


class Protection(enum.Enum):
    """What a server wants of TLS."""

    NONE = "no TLS"
    EXPLICIT = "AUTH TLS before the login, and PROT P before data (RFC 4217)"
    IMPLICIT = "a handshake before the banner, and PROT P before data"


class RealServer(Protocol):
    """How all of them look from a test."""

    port: int

    def __init__(
        self,
        root: Path,
        *,
        protection: Protection = Protection.NONE,
        user: tuple[str, str] | None = None,
        rate: int | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        """``root`` is what is served, and must be readable by anyone.

        Without a ``user`` (name and password) anonymous logins are granted, with one no other
        ones. ``rate`` limits each transfer, in bytes a second. ``options`` are the server's own.
        """

    @classmethod
    def why_not(cls, protection: Protection) -> str | None:
        """The reason why it cannot be run here; None when it can."""

    def url(self, path: str = "/", *, scheme: str | None = None, userinfo: str = "") -> str: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, *exc_info: object) -> None: ...


def url(protection: Protection, port: int, path: str, scheme: str | None, userinfo: str) -> str:
    """The URL of a path; the scheme is ftps with implicit TLS, otherwise ftp."""
    scheme = scheme or ("ftps" if protection is Protection.IMPLICIT else "ftp")
    at = f"{userinfo}@" if userinfo else ""
    return f"{scheme}://{at}{HOST}:{port}{path}"
