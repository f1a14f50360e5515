"""What ``requests.Response.raw`` holds: an answer's head, and its body as it arrives."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol, cast

import urllib3

from pulp_download.adapters.bodies import Body
from pulp_download.adapters.framing import Head, Wire
from pulp_download.watchdog import Watch

# An error's or redirect's body up to this size (and within these seconds) is read to keep its
# connection; a larger or slower one costs more than a new connection.
_DRAIN_LIMIT = 1 << 14
_DRAIN_SECONDS = 0.5


class Lender(Protocol):
    """A connection that was lent for one answer, and knows where it belongs."""

    wire: Wire | None

    def give_back(self, *, reusable: bool) -> None:
        """Return to the pool, closed unless the last message was framed exactly."""

    def close(self) -> None:
        """Close for good."""


class RawAnswer(urllib3.HTTPResponse):
    """An answer's head, and its body as it arrives; what ``requests.Response.raw`` holds.

    ``receive`` is this library's way to the bytes; the file interface of ``urllib3.HTTPResponse``
    serves hooks and auth objects. Either reads the same stream. ``close()`` gives the connection
    back, for another use only if the body was read to an exactly framed end.
    """

    def __init__(
        self,
        head: Head,
        body: Body,
        lender: Lender,
        watch: Watch,
        method: str | None,
    ):
        self._framed = body
        self._lender: Lender | None = lender
        self._watch = watch
        self.when_closed: Callable[[], None] | None = None
        super().__init__(
            body=cast(Any, _File(self)),
            headers=head.headers,
            status=head.status,
            version=10 + head.version,
            reason=head.reason,
            preload_content=False,
            enforce_content_length=False,
            request_method=method,
            original_response=cast(Any, _Original(head.headers)),
        )

    @property
    def length(self) -> int | None:
        """Bytes of the body as its framing tells, or None."""
        return self._framed.length

    @property
    def end_is_marked(self) -> bool:
        """The framing tells where the body ends, so that a cut one is noticed."""
        return self._framed.length is not None or "transfer-encoding" in self.headers

    def receive(self, limit: int) -> memoryview:
        """Return the next bytes of the body, empty at its end; valid until the next call."""
        return self._framed.read(limit)

    def drain(self) -> None:
        """Close, reading a small rest first so that the connection can be used again."""
        wire = None if self._lender is None else self._lender.wire
        # Whatever is wrong with the rest, nobody wanted it.
        if wire is not None and self._is_small():
            with suppress(Exception), wire.hurried(_DRAIN_SECONDS):
                taken = 0
                while taken <= _DRAIN_LIMIT and (piece := self._framed.read()):
                    taken += len(piece)
        self.close()

    def _is_small(self) -> bool:
        length = self._framed.length
        return self.end_is_marked if length is None else length <= _DRAIN_LIMIT

    def close(self) -> None:
        if self._lender is not None:
            lender, self._lender = self._lender, None
            self._watch.detach()
            lender.give_back(reusable=self._framed.is_reusable)
            if self.when_closed is not None:
                self.when_closed()
        super().close()

    def abandon(self) -> None:
        """Close, and the connection with it, however well framed: its bytes were wrong."""
        if self._lender is not None:
            self._watch.detach()
            self._lender.close()
        self.close()


class _File:
    """The body as the file that ``urllib3.HTTPResponse`` reads."""

    closed = False

    def __init__(self, answer: RawAnswer):
        self._answer = answer

    def read(self, amount: int | None = None) -> bytes:
        if amount is not None:
            return bytes(self._answer.receive(amount))
        parts = []
        while part := bytes(self._answer.receive(1 << 16)):
            parts.append(part)
        return b"".join(parts)

    read1 = read

    def close(self) -> None:
        self.closed = True
        self._answer.close()


class _Original:
    """What requests' cookie handling asks of ``http.client``'s response: its message."""

    def __init__(self, headers: urllib3.HTTPHeaderDict):
        self.msg = headers

    def isclosed(self) -> bool:
        return True

    def close(self) -> None: ...
