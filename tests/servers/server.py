"""The fault server: an HTTP/1.1 listener on raw sockets whose every answer is a script."""

from __future__ import annotations

import contextlib
import ssl

from tests.servers.conversation import Conversation
from tests.servers.listener import Listener
from tests.servers.request import NO_REQUEST, MalformedRequest, Request
from tests.servers.steps import Answer, Script, as_script, reply


class FaultServer(Listener):
    """A scriptable HTTP server on a loopback port, one thread for each connection.

    How it starts, fails and ends is said at ``Listener``.
    """

    def __init__(self, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> None:
        super().__init__(host=host)
        self.tls = tls
        self._routes: dict[str, Script] = {}
        self._default: Script = reply(404, b"no script for this path\n")
        self._accept_script: Script | None = None

    # -- what to answer

    def on(self, path: str, answer: Answer) -> None:
        """Answer requests for ``path``: a whole target, or one without its query."""
        self._routes[path] = as_script(answer)

    def default(self, answer: Answer) -> None:
        """Answer every other request; 404 unless set."""
        self._default = as_script(answer)

    def on_accept(self, answer: Answer) -> None:
        """Run a script on each new connection, before its TLS handshake and its first request.

        It is given an empty request. Unless it ends the connection, requests are served after it.
        """
        self._accept_script = as_script(answer)

    def url(self, path: str = "/", *, host: str | None = None, userinfo: str = "") -> str:
        """The URL of ``path`` here; ``host`` names the server another way."""
        return f"{'https' if self.tls else 'http'}://{self.netloc(host, userinfo)}{path}"

    # -- what happened

    @property
    def requests(self) -> list[Request]:
        """Every request so far, in the order their heads were complete: a copy."""
        with self._ledger.changed:
            return list(self._ledger.requests)

    def requests_to(self, path: str) -> list[Request]:
        """The requests whose target is ``path``, with or without a query."""
        return [request for request in self.requests if path in (request.target, request.path)]

    @property
    def malformed(self) -> list[bytes]:
        """What clients sent that was no request; it was answered with 400."""
        return list(self._ledger.malformed)

    def wait_for_requests(self, count: int, timeout: float = 10.0) -> list[Request]:
        """The requests, once there are at least ``count``."""
        self.wait_for(lambda: len(self._ledger.requests) >= count, timeout)
        return self.requests

    # -- one connection, in its own thread

    def dispatch(self, conn: Conversation, request: Request) -> None:
        """Answer one request: the door for servers of another kind (see ``FaultProxy``)."""
        routes = self._routes
        script = routes.get(request.target) or routes.get(request.path) or self._default
        script(conn, request)

    def serve(self, conn: Conversation) -> None:
        try:
            self._serve(conn)
        except MalformedRequest as error:
            self._ledger.saw_malformed(error.args[0])
            with contextlib.suppress(OSError):
                conn.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

    def _serve(self, conn: Conversation) -> None:
        if self._accept_script is not None:
            self._accept_script(conn, NO_REQUEST)
        if conn.closed or (self.tls is not None and not conn.start_tls(self.tls)):
            return
        while not conn.closed and (request := conn.recv_request()) is not None:
            self.dispatch(conn, request)
