"""pyftpdlib's server in a thread, with a loop of its own."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from pyftpdlib.authorizers import DummyAuthorizer  # type: ignore[import-untyped]
from pyftpdlib.handlers import (  # type: ignore[import-untyped]
    DTPHandler,
    FTPHandler,
    ThrottledDTPHandler,
    TLS_DTPHandler,
    TLS_FTPHandler,
)
from pyftpdlib.ioloop import IOLoop  # type: ignore[import-untyped]
from pyftpdlib.servers import FTPServer  # type: ignore[import-untyped]

from tests.servers import ftp_kind
from tests.servers.ftp_kind import HOST, Protection
from tests.servers.tls import authority

LOOK_EVERY = 0.02  # seconds; how often the loop looks whether it is to end
READ_ONLY = "elr"  # pyftpdlib's letters: change directory, list, retrieve
NO_READING = "el"


class ImplicitHandler(TLS_FTPHandler):  # type: ignore[misc]
    """A session that begins with the handshake; pyftpdlib has the explicit kind only."""

    def handle(self) -> None:
        self.secure_connection(self.ssl_context)

    def handle_ssl_established(self) -> None:
        super().handle()


SESSIONS = {
    Protection.NONE: FTPHandler,
    Protection.EXPLICIT: TLS_FTPHandler,
    Protection.IMPLICIT: ImplicitHandler,
}


class PyFtpd:
    """pyftpdlib: ``options`` are attributes of its server, session handler or data handler class.

    ``{"max_cons_per_ip": 2}``, ``{"timeout": 1}``. Files in ``unreadable`` folders, by path from
    the root, may be seen and not fetched (it runs as this process's user, who may be root).
    """

    def __init__(
        self,
        root: Path,
        *,
        protection: Protection = Protection.NONE,
        user: tuple[str, str] | None = None,
        rate: int | None = None,
        options: Mapping[str, Any] | None = None,
        unreadable: tuple[str, ...] = (),
    ) -> None:
        self.root = root
        self.protection = protection
        self.user = user
        self.rate = rate
        self.options = dict(options or {})
        self.unreadable = unreadable
        self.port = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="pyftpdlib", daemon=True)

    @classmethod
    def why_not(cls, protection: Protection = Protection.NONE) -> str | None:
        return None  # the test extra has it

    def url(self, path: str = "/", *, scheme: str | None = None, userinfo: str = "") -> str:
        return ftp_kind.url(self.protection, self.port, path, scheme, userinfo)

    def __enter__(self) -> Self:
        handler = self._handler()
        self._loop = IOLoop()  # the default one is shared, and closed with the first server
        kind = type("Server", (FTPServer,), self._taken_by(FTPServer))
        try:
            self._server = kind((HOST, 0), handler, ioloop=self._loop)
        except BaseException:
            self._loop.close()
            raise
        self.port = self._server.address[1]
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._ended.set()
        self._thread.join()

    def _serve(self) -> None:
        try:
            while not self._ended.is_set():
                self._loop.loop(LOOK_EVERY, blocking=False)
        finally:
            self._server.close_all()

    def _handler(self) -> Any:
        """The class of its sessions: everything pyftpdlib can be told is a class attribute."""
        safe = self.protection is not Protection.NONE
        session, data = SESSIONS[self.protection], TLS_DTPHandler if safe else DTPHandler
        parents: tuple[Any, ...] = (data,)
        limits = {}
        if self.rate is not None:
            parents = (data, ThrottledDTPHandler) if safe else (ThrottledDTPHandler,)
            limits = {"write_limit": self.rate}
        attributes: dict[str, Any] = {
            "authorizer": self._authorizer(),
            "dtp_handler": type("Data", parents, limits | self._taken_by(data)),
            # It would wait three seconds before it says that a login has failed.
            "auth_failed_timeout": 0,
        }
        if safe:
            attributes |= {
                "ssl_context": context_of(session),
                "tls_control_required": True,
                "tls_data_required": True,
            }
        return type("Handler", (session,), attributes | self._taken_by(session))

    def _authorizer(self) -> DummyAuthorizer:
        authorizer = DummyAuthorizer()
        name, password = self.user or ("anonymous", "")
        if self.user is None:
            authorizer.add_anonymous(str(self.root), perm=READ_ONLY)
        else:
            authorizer.add_user(name, password, str(self.root), perm=READ_ONLY)
        for folder in self.unreadable:
            place = str(self.root / folder)
            authorizer.override_perm(name, place, NO_READING, recursive=True)
        return authorizer

    def _taken_by(self, kind: type) -> dict[str, Any]:
        return {name: value for name, value in self.options.items() if hasattr(kind, name)}


def context_of(session: Any) -> Any:
    """A TLS context as pyftpdlib makes it, with a certificate for loopback."""
    with tempfile.TemporaryDirectory() as folder:
        chain, key = authority().server_files(Path(folder))
        files = {"certfile": str(chain), "keyfile": str(key)}
        maker: Any = type("Files", (session,), files)
        return maker.get_ssl_context()
