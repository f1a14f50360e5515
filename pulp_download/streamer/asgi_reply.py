"""The answer to one request of an ASGI server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any

from pulp_download.errors import Cancelled, DownloadError
from pulp_download.printable import printable
from pulp_download.streamer.asked import shown
from pulp_download.streamer.awaited import Awaited
from pulp_download.streamer.failures import Refusal, refusal_of
from pulp_download.streamer.headers import without_date
from pulp_download.streamer.heads import HEAD_WAITS, SMALL, Head, head_of_refusal, measured
from pulp_download.streamer.pool import Pool
from pulp_download.streamer.question import Question
from pulp_download.streamer.served import Observer, Served, log_failure, tell

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Reply:
    """One request being answered, in the loop's thread.

    Ends in one of three ways: sent whole; the client gone, or the server with its cancelling; or by
    raising what went wrong after the head, so that the server breaks the connection off.
    """

    def __init__(
        self,
        scope: Scope,
        target: bytes,
        send: Send,
        *,
        stall_timeout: float,
        observer: Observer | None,
    ):
        self._scope = scope
        self._target = target
        self._send_message = send
        self._stall_timeout = stall_timeout
        self._observer = observer
        self._begun = time.monotonic()
        self._status = self._sent = 0
        # Of HTTP/1.0, whose bodies without a length end with their connection.
        self._needs_length = scope["http_version"] == "1.0"
        self._stream: Awaited | None = None
        self._is_over = False

    async def refuse(self, refusal: Refusal, *extra: tuple[bytes, bytes]) -> None:
        """Answer with a status and a line of text."""
        await self._refuse(refusal, None, *extra)

    async def pass_on(self, pool: Pool, question: Question, receive: Receive) -> None:
        """Answer with what comes of a question to upstream; raise what comes after the head."""
        self._stream = stream = Awaited(pool, question)
        passing = asyncio.create_task(self._pass(stream))
        leaving = asyncio.create_task(_gone(receive))
        try:
            await asyncio.wait({passing, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stream.cancel()
            passing.cancel()
            leaving.cancel()
            try:
                await asyncio.gather(passing, leaving, return_exceptions=True)
            finally:  # a server that ends may cancel a second time
                if not self._is_over:
                    self._end(None, is_complete=False)
        if not passing.cancelled():
            passing.result()

    def abort(self) -> None:
        """Let go of upstream, and fail."""
        if self._stream is not None:
            self._stream.cancel()

    async def _pass(self, stream: Awaited) -> None:
        try:
            head = await stream.head()
            begin, is_all = await self._begin_of(head, stream)
            if self._needs_length:
                head = measured(head, begin, is_all=is_all)
        except Exception as error:  # noqa: BLE001 - the client is told
            await self._refuse(refusal_of(error), error)
            return
        await self._send_head(head)
        try:
            for data in begin:
                await self._send(data)
            while not is_all and (data := await stream.take()):
                await self._send(data)
        except Exception as error:
            self._end(error, is_complete=False)
            raise
        await self._finish(None)

    async def _begin_of(self, head: Head, stream: Awaited) -> tuple[list[bytes], bool]:
        """Return what of the body is to be there before the head, and whether that is all."""
        begin: list[bytes] = []
        if not head.has_body:
            return begin, True
        patience: float | None = HEAD_WAITS
        if head.size is None and self._needs_length:
            patience = None
        elif head.size is None or head.size > SMALL:
            return begin, False
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                while sum(map(len, begin)) <= SMALL:
                    if not (data := await stream.take()):
                        return begin, True
                    begin.append(data)
        return begin, False

    async def _refuse(
        self,
        refusal: Refusal,
        error: BaseException | None,
        *extra: tuple[bytes, bytes],
    ) -> None:
        head = head_of_refusal(refusal, *extra)
        await self._send_head(head)
        if self._scope["method"] != "HEAD":
            await self._send(head.text)
        await self._finish(error)

    async def _send_head(self, head: Head) -> None:
        self._status = head.status
        fields = [(name.lower(), value) for name, value in without_date(head.fields)]
        start = {"type": "http.response.start", "status": head.status, "headers": fields}
        await self._emit(start)

    async def _send(self, data: bytes) -> None:
        await self._emit({"type": "http.response.body", "body": data, "more_body": True})
        self._sent += len(data)

    async def _finish(self, error: BaseException | None) -> None:
        await self._emit({"type": "http.response.body", "body": b"", "more_body": False})
        self._end(error, is_complete=True)

    async def _emit(self, message: MutableMapping[str, Any]) -> None:
        """Give the server a message, which waits for room; raises Cancelled if none comes."""
        try:
            async with asyncio.timeout(self._stall_timeout):
                await self._send_message(message)
        except TimeoutError:
            text = f"the client took nothing for {self._stall_timeout:g} s"
            raise Cancelled(text) from None
        except OSError:
            raise Cancelled("the client left") from None  # as servers of ASGI 2.4 say it

    def _end(self, error: BaseException | None, *, is_complete: bool) -> None:
        self._is_over = True
        scope, stream = self._scope, self._stream
        served = Served(
            client=(scope.get("client") or ("",))[0],
            method=printable(scope["method"]),
            path=shown(self._target),
            version=f"HTTP/{scope['http_version']}",
            status=self._status,
            sent=self._sent,
            upstream_seconds=None if stream is None else stream.upstream_seconds,
            seconds=time.monotonic() - self._begun,
            error=error if isinstance(error, DownloadError) else None,
            is_complete=is_complete,
        )
        if error is not None:
            log_failure(served, error)
        tell(served, self._observer)


async def _gone(receive: Receive) -> None:
    """Return when the client is gone; what it sends with its request is dropped."""
    while (await receive())["type"] != "http.disconnect":
        pass
