"""A bridge whose news is awaited, in an event loop of asyncio."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from pulp_download.errors import Cancelled
from pulp_download.streamer.bridge import CHUNK, Bridge
from pulp_download.streamer.heads import Head
from pulp_download.streamer.pool import Pool
from pulp_download.streamer.question import Question


class Awaited:
    """One answer on its way from upstream. Of the loop in which it is made.

    What was raised on the way is raised by whoever awaits next, after the bytes before it.
    """

    def __init__(self, pool: Pool, question: Question):
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()
        self._error: Cancelled | None = None
        self._bridge = Bridge(pool, question, self._wake)
        self._bridge.start()

    @property
    def upstream_seconds(self) -> float | None:
        return self._bridge.upstream_seconds

    async def head(self) -> Head:
        """Return what the client is told before the body."""
        while (head := self._bridge.head) is None:
            self._raise_error()
            await self._news.wait()
            self._news.clear()
        return head

    async def take(self, limit: int = CHUNK) -> bytes:
        """Return the next bytes; none when it is over and everything held."""
        while True:
            self._news.clear()
            if data := self._bridge.take(limit):
                return data
            self._raise_error()
            if self._bridge.is_done:
                return b""
            await self._news.wait()

    def cancel(self) -> None:
        """Let go of upstream, from wherever it is; does not block. Whoever awaits has Cancelled."""
        self._error = Cancelled("the server stops, or the client left")
        self._bridge.cancel()
        self._news.set()

    def _raise_error(self) -> None:
        if (error := self._error or self._bridge.error) is not None:
            raise error

    def _wake(self) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(self._news.set)
