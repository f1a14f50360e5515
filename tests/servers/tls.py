"""Certificates for loopback servers and their clients, good ones and every bad kind."""

from __future__ import annotations

import functools
import ssl
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

LOOPBACK = ("localhost", "127.0.0.1", "::1")
LONG_AGO = datetime(2020, 1, 1)  # naive UTC, as the certificate library wants it
FAR_AHEAD = datetime(2090, 1, 1)


@dataclass(frozen=True)
class ClientFiles:
    """A client certificate: paths of PEM files, and the same as text."""

    cert: Path
    key: Path
    both: Path
    cert_pem: str
    key_pem: str


class Wrapped(ssl.SSLSocket):
    """Closes itself where its peer was gone before it was made, as that of Python 3.13 does.

    It is made of an open socket, whose descriptor is its own from then on: what its making raises
    leaves nobody who could close it.
    """

    def getpeername(self) -> Any:
        try:
            return super().getpeername()
        except OSError:
            self.close()
            raise


class Authority:
    """A certificate authority of its own; what it signs is trusted by whoever loads ``pem``."""

    def __init__(self) -> None:
        self._ca = trustme.CA()

    @property
    def pem(self) -> str:
        """The authority's certificate, as PEM text."""
        return self._ca.cert_pem.bytes().decode("ascii")

    def file(self, directory: Path) -> Path:
        """A PEM file with the authority's certificate, for ``verify=``."""
        path = directory / "authority.pem"
        path.write_text(self.pem)
        return path

    def server_context(
        self,
        *hosts: str,
        common_name: str | None = None,
        not_before: datetime | None = None,
        not_after: datetime | None = None,
        client_certs: ssl.VerifyMode = ssl.CERT_NONE,
        client_authority: Authority | None = None,
    ) -> ssl.SSLContext:
        """A context for ``FaultServer(tls=...)`` with a certificate for ``hosts``.

        Without hosts it is for the loopback names, or, given a ``common_name``, for no host at
        all. ``client_certs`` asks for (CERT_OPTIONAL) or insists on (CERT_REQUIRED) certificates
        of ``client_authority``, by default this one.
        """
        names = hosts if hosts or common_name else LOOPBACK
        leaf = self._ca.issue_cert(
            *names, common_name=common_name, not_before=not_before, not_after=not_after
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.sslsocket_class = Wrapped
        leaf.configure_cert(context)
        if client_certs is not ssl.CERT_NONE:
            context.load_verify_locations(cadata=(client_authority or self).pem)
            context.verify_mode = client_certs
        return context

    def server_files(self, folder: Path) -> tuple[Path, Path]:
        """Write a certificate chain for loopback and its key, for servers of other makers."""
        leaf = self._ca.issue_cert(*LOOPBACK)
        chain, key = folder / "server.pem", folder / "server.key"
        chain.write_bytes(b"".join(part.bytes() for part in leaf.cert_chain_pems))
        leaf.private_key_pem.write_to_path(key)
        return chain, key

    def expired(self, *hosts: str) -> ssl.SSLContext:
        """A server context whose certificate ended years ago."""
        return self.server_context(*hosts, not_after=LONG_AGO)

    def not_yet_valid(self, *hosts: str) -> ssl.SSLContext:
        """A server context whose certificate begins in decades."""
        return self.server_context(*hosts, not_before=FAR_AHEAD)

    def client_context(self) -> ssl.SSLContext:
        """A client's context that trusts this authority and nothing else, and SAN names only."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.hostname_checks_common_name = False
        self._ca.configure_trust(context)
        return context

    def client_cert_files(
        self, directory: Path, name: str = "client.test", *, password: str | None = None
    ) -> ClientFiles:
        """A new client certificate for ``name`` in ``directory``; ``password`` locks its key."""
        leaf = self._ca.issue_cert(name)
        cert_pem = leaf.cert_chain_pems[0].bytes().decode("ascii")
        key = leaf.private_key_pem.bytes()
        if password is not None:
            lock = BestAvailableEncryption(password.encode())
            unlocked = load_pem_private_key(key, None)
            key = unlocked.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock)
        key_pem = key.decode("ascii")
        files = ClientFiles(
            cert=directory / f"{name}.crt",
            key=directory / f"{name}.key",
            both=directory / f"{name}.pem",
            cert_pem=cert_pem,
            key_pem=key_pem,
        )
        files.cert.write_text(cert_pem)
        files.key.write_text(key_pem)
        files.both.write_text(key_pem + cert_pem)
        return files


@functools.cache
def authority() -> Authority:
    """The authority that the tests of one run share."""
    return Authority()


@functools.cache
def other_authority() -> Authority:
    """A second authority, which nobody trusts who trusts the first one only."""
    return Authority()
