"""One request's answer on one connection: its head, and its body as it arrives."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from pulp_download.adapters.bodies import Body
from pulp_download.adapters.head import Head
from pulp_download.adapters.wire import Wire
from pulp_download.watch import Watch

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


class Exchange:
    """An answer whose head is there. ``close()`` gives the connection back.

    It is used again only if the body was read to an exactly framed end. ``length`` are the bytes of
    the body as its framing tells, or None. ``receive(limit)`` returns the next ones, empty at its
    end, valid until the next call. One thread at a time.
    """

    __slots__ = ("_body", "_lender", "_watch", "head", "length", "receive", "when_closed")

    def __init__(self, head: Head, body: Body, lender: Lender, watch: Watch):
        self.head = head
        self.length = body.length
        self.receive: Callable[[int], memoryview] = body.read
        self.when_closed: Callable[[], None] | None = None
        self._body = body
        self._lender: Lender | None = lender
        self._watch = watch

    @property
    def end_is_marked(self) -> bool:
        """The framing tells where the body ends, so that a cut one is noticed."""
        return self.length is not None or self.head.get("transfer-encoding") is not None

    @property
    def is_complete(self) -> bool:
        """The body has been read to its end, as far as its framing has told by now."""
        return self._body.is_complete

    @property
    def is_at_hand(self) -> bool:
        """All that is left of the body has been received, and is only to be taken."""
        return self._body.is_at_hand

    def drain(self) -> None:
        """Close, reading a small rest first so that the connection can be used again."""
        wire = None if self._lender is None else self._lender.wire
        # Whatever is wrong with the rest, nobody wanted it.
        if wire is not None and self._is_small():
            if not (self._body.is_complete or wire.pending or wire.has_more()):
                self._watch.may_block()
            with suppress(Exception), wire.hurried(_DRAIN_SECONDS):
                taken = 0
                while taken <= _DRAIN_LIMIT and (piece := self._body.read()):
                    taken += len(piece)
        self.close()

    def _is_small(self) -> bool:
        return self.end_is_marked if self.length is None else self.length <= _DRAIN_LIMIT

    def close(self) -> None:
        """Let go of the connection. Idempotent."""
        if self._lender is not None:
            lender, self._lender = self._lender, None
            self._watch.detach()
            lender.give_back(reusable=self._body.is_reusable)
            if self.when_closed is not None:
                self.when_closed()

    def abandon(self) -> None:
        """Close, and the connection with it, however well framed: its bytes were wrong."""
        if self._lender is not None:
            self._watch.detach()
            self._lender.close()
        self.close()
