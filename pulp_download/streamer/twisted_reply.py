"""The answer to one request of twisted.web."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IPushProducer
from twisted.web.server import Request
from zope.interface import implementer

from pulp_download.errors import Cancelled, DownloadError
from pulp_download.printable import printable
from pulp_download.streamer.asked import shown
from pulp_download.streamer.bridge import Bridge
from pulp_download.streamer.failures import STOPPING, Refusal, refusal_of
from pulp_download.streamer.heads import HEAD_WAITS, SMALL, Head, head_of_refusal
from pulp_download.streamer.pool import Pool
from pulp_download.streamer.question import Question
from pulp_download.streamer.served import Served, log_failure
from pulp_download.streamer.twisted_calls import Calls
from pulp_download.streamer.twisted_wire import wire_of


@implementer(IPushProducer)
class Reply:
    """One request being answered, in the reactor's thread.

    Writes while the transport takes it, as a push producer. Ends in one of three ways: finished;
    the client gone, which ``notifyFinish`` tells (``stopProducing`` is not called for HTTP/2); or
    aborted, so that the client sees that it did not get the file. Then ``over`` is called, once.
    """

    def __init__(
        self,
        request: Request,
        *,
        reactor: Any,
        calls: Calls,
        stall_timeout: float,
        over: Callable[[Reply, Served], None],
    ):
        self._request = request
        self._reactor = reactor
        self._calls = calls
        self._stall_timeout = stall_timeout
        self._tell_over = over
        self._begun = time.monotonic()
        self._wire = wire_of(request, reactor)
        self._bridge: Bridge | None = None
        self._status = self._sent = 0
        self._is_over = self._is_paused = False
        self._head_due: float | None = None
        self._clock: Any = None
        self._moved_at = 0.0
        self._taken: int | None = None
        request.defaultContentType = None
        request.notifyFinish().addErrback(self._client_gone)

    def refuse(self, refusal: Refusal, *extra: tuple[bytes, bytes]) -> None:
        """Answer with a status and a line of text."""
        self.answer(head_of_refusal(refusal, *extra))

    def answer(self, head: Head) -> None:
        """Answer with what is here already: a head and its own text."""
        self._write_head(head)
        self._write(head.text)
        self._finish()

    def pass_on(self, pool: Pool, question: Question) -> None:
        """Answer with what comes of a question to upstream."""
        self._bridge = Bridge(pool, question, self._wake)
        self._bridge.start()

    def abort(self, reason: str) -> None:
        """Let go of upstream, and break off so that no client takes it for the file's end."""
        if self._is_over:
            return
        assert self._bridge is not None
        self._bridge.cancel()
        if self._status:
            self._break_off(Cancelled(reason))
        else:
            self.refuse(STOPPING)

    @property
    def is_settled(self) -> bool:
        """What it ended with has left."""
        return self._wire.is_settled

    # -- IPushProducer

    def pauseProducing(self) -> None:
        self._is_paused = True
        self._watch_client()

    def resumeProducing(self) -> None:
        self._is_paused = False
        self._moved_at = time.monotonic()
        self._wire.soon(self._advance)

    def stopProducing(self) -> None:
        """Nothing: notifyFinish tells that the client is gone, whichever protocol it speaks."""

    # -- going on

    def _wake(self) -> None:
        self._calls.soon(self._advance)

    def _advance(self) -> None:
        """Go on as far as upstream has brought it and the client takes it."""
        bridge = self._bridge
        if self._is_over or self._is_paused or bridge is None:
            return
        if not self._status and not self._begins(bridge):
            return
        room = self._wire.room()
        while room and not self._is_paused and (data := bridge.take(room)):
            self._write(data)
            room = self._wire.room()
        if bridge.error is not None:
            self._break_off(bridge.error)
        elif bridge.is_done:
            self._finish()
        elif not self._is_paused and not room:
            self._watch_client()
            self._wire.when_there_is_room(self._advance)

    def _begins(self, bridge: Bridge) -> bool:
        """Write the head if it is time; tell whether the body may follow."""
        if bridge.error is not None:
            self.refuse(refusal_of(bridge.error))
            return False
        head = bridge.head
        if head is None:
            return False
        is_small = head.has_body and head.size is not None and head.size <= SMALL
        may_wait = is_small and not bridge.is_ended and not self._is_head_due()
        if may_wait and bridge.listen():
            return False
        self._stop_clock()
        self._write_head(head)
        if head.has_body:
            self._request.registerProducer(self, True)
        return True

    def _is_head_due(self) -> bool:
        """Tell whether the head has been held for long enough; begin with it at the first call."""
        now = time.monotonic()
        if self._head_due is None:
            self._head_due = now + HEAD_WAITS
            self._clock = self._reactor.callLater(HEAD_WAITS, self._advance)
        return now >= self._head_due

    def _write_head(self, head: Head) -> None:
        self._status = head.status
        self._request.setResponseCode(head.status)  # with Twisted's phrase, never upstream's
        self._request.responseHeaders.removeHeader(b"Server")
        fields: dict[bytes, list[bytes]] = {}
        for name, value in head.fields:
            fields.setdefault(name.lower(), []).append(value)
        for name, values in fields.items():
            self._request.responseHeaders.setRawHeaders(name, values)
        self._request.write(b"")

    def _write(self, data: bytes) -> None:
        if self._request.method != b"HEAD":
            self._sent += len(data)
        self._moved_at = time.monotonic()
        self._request.write(data)

    # -- a client that takes nothing

    def _watch_client(self) -> None:
        """Begin to wait for the client, unless that goes on already."""
        if self._clock is None:
            self._moved_at = time.monotonic()
            self._taken = self._wire.taken()
            self._clock = self._reactor.callLater(self._stall_timeout, self._look_at_client)

    def _look_at_client(self) -> None:
        """Drop a client that has taken nothing for too long, whatever Twisted was given since."""
        self._clock = None
        if not self._is_paused and self._wire.room():
            return  # it is upstream that is waited for
        now, taken = time.monotonic(), self._wire.taken()
        if taken != self._taken:
            self._taken, self._moved_at = taken, now
        left = self._moved_at + self._stall_timeout - now
        if left <= 0:
            self.abort(f"the client took nothing for {self._stall_timeout:g} s")
            return
        self._clock = self._reactor.callLater(left, self._look_at_client)

    def _stop_clock(self) -> None:
        if self._clock is not None and self._clock.active():
            self._clock.cancel()
        self._clock = None

    # -- the end

    def _break_off(self, error: BaseException) -> None:
        self._release()
        self._wire.abort()
        self._end(error, is_complete=False)

    def _finish(self) -> None:
        self._release()
        self._end(self._bridge.error if self._bridge is not None else None, is_complete=True)
        self._request.finish()

    def _client_gone(self, _reason: object) -> None:
        if self._is_over:
            return
        has_all = False
        if self._bridge is not None:
            head = self._bridge.head
            # Who has the last byte has a file that held, and may know so before this thread.
            has_all = head is not None and head.has_body and head.size == self._sent
            self._bridge.cancel()
        self._end(None, is_complete=has_all)

    def _release(self) -> None:
        if self._request.producer is not None:
            self._request.unregisterProducer()

    def _end(self, error: BaseException | None, *, is_complete: bool) -> None:
        self._is_over = True
        self._stop_clock()
        request, bridge = self._request, self._bridge
        address = request.getClientAddress()
        served = Served(
            client=getattr(address, "host", ""),
            method=printable(request.method.decode("latin-1")),
            path=shown(request.uri),
            version=request.clientproto.decode("latin-1"),
            status=self._status,
            sent=self._sent,
            upstream_seconds=None if bridge is None else bridge.upstream_seconds,
            seconds=time.monotonic() - self._begun,
            error=error if isinstance(error, DownloadError) else None,
            is_complete=is_complete,
        )
        if error is not None:
            log_failure(served, error)
        self._tell_over(self, served)
