"""The bytes of an open answer for a coroutine, such as a view of Starlette or FastAPI."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncGenerator
from concurrent.futures import Executor
from functools import partial

from pulp_download.content import Content
from pulp_download.download import Download
from pulp_download.streamer.bridge import CANCEL_EVERY, CHUNK


async def aiter_content(
    source: Download | Content,
    chunk_size: int = CHUNK,
    *,
    executor: Executor | None = None,
) -> AsyncGenerator[bytes, None]:
    """Yield the verified bytes of a download, or of an answer that is open already; then close it.

    The last byte comes when everything held; otherwise the iteration raises a DownloadError, and
    whoever passes the bytes on must let it through, so that its server breaks off. However the
    iteration ends, by ``aclose()``, by cancelling or by being forgotten, upstream is let go at once
    and without waiting. ``chunk_size`` is for a download; of an answer they are as it was opened.

    A thread of ``executor``, by default the loop's own, is taken for each chunk and given back
    while it is on its way to the client. A download is opened as a copy of itself, so that leaving
    cancels nobody else's.
    """
    loop = asyncio.get_running_loop()
    content = await _open(source, chunk_size, executor) if isinstance(source, Download) else source
    try:
        while chunk := await loop.run_in_executor(executor, next, content, b""):
            yield chunk
    finally:
        _let_go(loop, content, executor)


async def _open(download: Download, chunk_size: int, executor: Executor | None) -> Content:
    """Connect in a thread; who is cancelled meanwhile leaves nothing open."""
    download = copy.copy(download)
    loop = asyncio.get_running_loop()
    ask = partial(download.iter_content, chunk_size, resume=True)
    opening = loop.run_in_executor(executor, ask)

    def let_go() -> None:
        # A run cannot be cancelled before it has begun, and cancelling is not remembered.
        if not opening.done() and not download.cancel():
            loop.call_later(CANCEL_EVERY, let_go)

    def close(opened: asyncio.Future[Content]) -> None:
        if not opened.cancelled() and opened.exception() is None:
            _let_go(loop, opened.result(), executor)

    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(close)
        let_go()
        raise


def _let_go(loop: asyncio.AbstractEventLoop, content: Content, executor: Executor | None) -> None:
    content.cancel()
    try:
        loop.run_in_executor(executor, content.close)  # there may be a dialogue to end
    except RuntimeError:  # the executor takes no more work
        content.close()
