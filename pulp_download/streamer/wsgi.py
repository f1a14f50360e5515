"""A WSGI application that passes files on from wherever its supplier has them.

For Flask, Django, or alone, under servers that give each request a thread. Needs none of them.

A view of your own needs nothing from here but :func:`passed_on`: a ``Content`` is what WSGI wants
of a body, an iterable with a ``close()``.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from urllib.parse import quote
from wsgiref.types import StartResponse, WSGIEnvironment

from pulp_download.streamer.answers import Answering, Ranges, checked_ranges
from pulp_download.streamer.asked import Asked, BadTarget, asked_of
from pulp_download.streamer.failures import ALLOW, FULL, NOT_ALLOWED, Refusal
from pulp_download.streamer.heads import passed_on
from pulp_download.streamer.served import Observer
from pulp_download.streamer.supplier import Supplier
from pulp_download.streamer.wsgi_reply import Reply

__all__ = ["StreamerApp", "passed_on"]


class StreamerApp:
    """Serves whatever ``supplier`` finds for a path, as it comes, verified and never on disk.

    At most ``max_streams`` requests are answered at a time; others get 503 at once. ``ranges`` is
    "ignore", or "forward" to relay parts of files, which are not verified. ``observer`` is called
    with a ``Served`` for each request, in the server's thread for it. A stream holds up to 128 KiB.

    A file that fails on the way is raised, after its head: so a server knows to break the
    connection off. Some servers, that of ``wsgiref`` among them, end a body without a length by
    closing the connection, whole or not. Therefore what upstream does not tell the length of is
    held until its end, and refused beyond 64 KiB, unless ``needs_length`` is False: for servers
    that speak HTTP/1.1 and break off in the middle of their chunks.

    Reads and writes in the server's thread for the request. That a client is gone shows when
    something is written to it. Thread-safe; has nothing to close.
    """

    def __init__(
        self,
        supplier: Supplier,
        *,
        max_streams: int = 100,
        ranges: Ranges = "ignore",
        needs_length: bool = True,
        observer: Observer | None = None,
    ):
        self.supplier = supplier
        self._ranges = checked_ranges(ranges)
        self._needs_length = needs_length
        self._observer = observer
        self._room = threading.BoundedSemaphore(max_streams)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        # The path is decoded already: a "%2F" in it cannot be told from a "/".
        path = environ.get("PATH_INFO", "").encode("latin-1")
        target = quote(path or b"/", safe="/:@!$&'()*+,;=").encode("ascii")
        reply = Reply(environ, target, start_response, observer=self._observer)
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            return reply.refuse(NOT_ALLOWED, ALLOW)
        try:
            asked = _asked(environ, target)
        except BadTarget as bad:
            return reply.refuse(Refusal(bad.status, bad.reason))
        if not self._room.acquire(blocking=False):
            return reply.refuse(FULL)
        reply.when_over = self._room.release
        return reply.pass_on(
            Answering(self.supplier, asked, self._ranges),
            needs_length=self._needs_length or environ.get("SERVER_PROTOCOL") == "HTTP/1.0",
        )


def _asked(environ: WSGIEnvironment, target: bytes) -> Asked:
    """Return what is asked for; raises BadTarget. Servers have joined what came several times."""

    def values(name: str) -> list[str]:
        key = "HTTP_" + name.upper().replace("-", "_")
        return [environ[key]] if key in environ else []

    return asked_of(
        environ["REQUEST_METHOD"],
        target,
        values,
        version=environ.get("SERVER_PROTOCOL", "").removeprefix("HTTP/"),
    )
