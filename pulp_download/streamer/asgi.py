"""An ASGI application that passes files on from wherever its supplier has them.

For Starlette, FastAPI, or alone, under servers that run on asyncio. Needs none of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from urllib.parse import quote

from pulp_download.streamer.answers import Answering, Ranges, checked_ranges
from pulp_download.streamer.asgi_reply import Receive, Reply, Scope, Send
from pulp_download.streamer.asked import Asked, BadTarget, asked_of
from pulp_download.streamer.async_content import aiter_content
from pulp_download.streamer.failures import ALLOW, FULL, NOT_ALLOWED, STOPPING, Refusal
from pulp_download.streamer.heads import passed_on
from pulp_download.streamer.pool import Pool
from pulp_download.streamer.served import Observer
from pulp_download.streamer.supplier import Supplier

__all__ = ["StreamerApp", "aiter_content", "passed_on"]


class StreamerApp:
    """Serves whatever ``supplier`` finds for a path, as it comes, verified and never on disk.

    At most ``max_streams`` requests are answered at a time; others get 503 at once. ``threads``
    bounds the threads that may block in opening and reading, beside the one that opens (by default
    one for each stream, made on demand). A client that leaves no room for the next 32 KiB for
    ``stall_timeout`` seconds is dropped. ``ranges`` is "ignore", or "forward" to relay parts of
    files, which are not verified. ``observer`` is called with a ``Served`` for each request, in the
    loop's thread. A stream holds up to 128 KiB, and the server what it holds; it has one of the
    places that its remote allows at a host until it is over, so a remote for slow clients wants
    ``per_host`` as large as ``max_streams``.

    A file that fails on the way is raised, after its head: so a server knows to break the
    connection off. May be mounted anywhere. To be used in one event loop; its threads end with the
    server's lifespan, or with :meth:`close`, which is yours to call where it is mounted.
    """

    def __init__(
        self,
        supplier: Supplier,
        *,
        max_streams: int = 100,
        threads: int | None = None,
        stall_timeout: float = 60.0,
        ranges: Ranges = "ignore",
        observer: Observer | None = None,
    ):
        self.supplier = supplier
        self._max_streams = max_streams
        self._stall_timeout = stall_timeout
        self._ranges = checked_ranges(ranges)
        self._observer = observer
        self._pool = Pool(threads or max_streams, _soon)
        self._streams: set[Reply] = set()
        self._is_closed = False

    @property
    def open_streams(self) -> int:
        """The requests for files that are being answered."""
        return len(self._streams)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or go through the server's lifespan."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)
        else:
            await send({"type": "websocket.close"})

    def close(self) -> None:
        """Take no more files, and abort those that are being sent. In the loop's thread."""
        self._is_closed = True
        for reply in tuple(self._streams):
            reply.abort()
        self._pool.close()

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        target = scope.get("raw_path") or quote(scope["path"]).encode("ascii")
        reply = Reply(
            scope,
            target,
            send,
            stall_timeout=self._stall_timeout,
            observer=self._observer,
        )
        if scope["method"] not in ("GET", "HEAD"):
            await reply.refuse(NOT_ALLOWED, ALLOW)
            return
        try:
            asked = _asked(scope, target)
        except BadTarget as bad:
            await reply.refuse(Refusal(bad.status, bad.reason))
            return
        if self._is_closed:
            await reply.refuse(STOPPING)
        elif len(self._streams) >= self._max_streams:
            await reply.refuse(FULL)
        else:
            self._streams.add(reply)
            try:
                question = Answering(self.supplier, asked, self._ranges)
                await reply.pass_on(self._pool, question, receive)
            finally:
                self._streams.discard(reply)


def _soon(call: Callable[[], None]) -> None:
    asyncio.get_running_loop().call_soon(call)


def _asked(scope: Scope, target: bytes) -> Asked:
    """Return what is asked for; raises BadTarget."""

    def values(name: str) -> list[str]:
        wanted = name.encode("ascii")
        return [value.decode("latin-1") for key, value in scope["headers"] if key == wanted]

    root = scope.get("root_path", "").rstrip("/")
    is_below = f"{scope['path']}/".startswith(f"{root}/")
    return asked_of(
        scope["method"],
        target,
        values,
        version=scope["http_version"],
        below=root.count("/") if is_below else 0,
    )
