"""What all sessions of one FTP server share: its files, its users, and what it writes down."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple


class Refused(Exception):
    """A command cannot be served; its text is the reply."""


class Command(NamedTuple):
    """One line that a client sent, as text (UTF-8, other bytes as surrogates)."""

    session: int
    """The connection it came on, counted from 1."""
    verb: str
    """Its first word, in capitals."""
    argument: str


class Login(NamedTuple):
    """One PASS that was answered with 230."""

    session: int
    user: str


@dataclass
class DataRecord:
    """One data connection that a client opened and the server took."""

    session: int
    tls_reused: bool | None = None
    """Whether its TLS handshake resumed an earlier session; None without TLS."""
    sent: int = 0
    """Bytes handed to the kernel, before encryption."""


@dataclass(frozen=True)
class Published:
    """One file of the server."""

    body: bytes
    modified: datetime | None = None


@dataclass
class House:
    """The files, by absolute path, the rules, and the books of one server.

    The books (``commands``, ``logins``, ``data``, ``refused``) change under the ledger's
    condition, the files under ``lock``.
    """

    tls: ssl.SSLContext | None = None
    users: Mapping[str, str] | None = None
    home: str = "/"
    tls_required: bool = False
    reuse_required: bool = False
    files: dict[str, Published] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)
    commands: list[Command] = field(default_factory=list)
    logins: list[Login] = field(default_factory=list)
    data: list[DataRecord] = field(default_factory=list)
    refused: int = 0

    def publish(self, path: str, file: Published) -> None:
        with self.lock:
            self.files["/" + path.lstrip("/")] = file

    def is_folder(self, path: str) -> bool:
        """Whether it is the root, the home, or above a published file."""
        start = path.rstrip("/") + "/"
        with self.lock:
            return path in ("/", self.home) or any(name.startswith(start) for name in self.files)

    def find(self, path: str) -> Published:
        """The file of an absolute path; ``Refused`` with 550 if there is none."""
        with self.lock:
            found = self.files.get(path)
        if found is None:
            what = "Not a plain file" if self.is_folder(path) else "No such file or directory"
            raise Refused(f"550 {path}: {what}.")
        return found
