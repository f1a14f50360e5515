"""An open answer: its head, and its verified bytes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import NoReturn, Self

from urllib3 import HTTPHeaderDict

from pulp_download.asking import headers_of, pairs_of
from pulp_download.delivery import Delivery
from pulp_download.errors import Cancelled, DownloadError
from pulp_download.validations import Chunk
from pulp_download.watch import Watch
from pulp_download.watchdog import watchdog

# What to do when the content is over: with None after its verified end or a close, or its error.
# The content is handed over, for a callable that held it would keep it from being collected.
Ended = Callable[["Content", DownloadError | None], None]
# What brings the rest of a body that broke, or None where that is not to be had.
GoOn = Callable[[Delivery, DownloadError], Delivery | None]


class Content:
    """An open answer, from :meth:`Download.iter_content` or :meth:`Download.head`.

    ``status`` and ``headers`` are there at once; iterating yields the body, up to ``chunk_size``
    bytes as they arrive and as sent on the wire. The last byte is held back until everything held:
    a wrong size or digest raises before it. ``url`` is the source that serves it, ``final_url``
    where redirects led, both redacted; ``size`` is the length told by upstream, or None, and
    ``expected_size`` the one that must hold.

    A context manager; close it. May be advanced by different threads, one at a time, which may set
    ``chunk_size`` before each chunk. ``close()`` and ``cancel()`` may come from any thread at any
    point, and wake a thread that waits in a read, which then raises Cancelled. Raises
    TransferError, ValidationError or Cancelled.
    """

    def __init__(self, delivery: Delivery, watch: Watch, *, chunk_size: int):
        self._delivery = delivery
        self._fields = delivery.opened.fields
        # One field's value by its lower-case name, repeats joined by commas, or None.
        self.header: Callable[[str], str | None] = delivery.opened.header
        self._watch = watch
        self.chunk_size = chunk_size
        self._held = delivery.ahead
        self._is_left = False
        self._error: DownloadError | None = None
        self._turn = threading.Lock()
        self.on_progress: Callable[[int, int | None], None] | None = None
        self.go_on: GoOn | None = None
        self._when_over: Ended | None = None
        self.status: int = delivery.opened.status
        self.url = delivery.source.url.redacted
        self.final_url = delivery.opened.url.redacted
        self.size = delivery.size
        self.expected_size = delivery.checks.expected_size
        self.length_verified = delivery.length_verified
        self._is_closed = False
        if delivery.digests is not None:
            self._end(None)

    @property
    def headers(self) -> HTTPHeaderDict:
        """The answer's fields, repeats kept."""
        return headers_of(self._fields)

    @property
    def fields(self) -> list[tuple[str, str]]:
        """The answer's fields in their order, which is cheaper to have than ``headers``."""
        return pairs_of(self._fields)

    @property
    def digests(self) -> dict[str, str]:
        """The digests computed, once the body has been read to its end."""
        return self._delivery.digests or {}

    @property
    def received(self) -> int:
        """Bytes of the body that have passed the checks."""
        return self._delivery.received

    @property
    def is_verified(self) -> bool:
        """The body has been read to its end, and everything held."""
        return self._delivery.digests is not None

    @property
    def is_at_hand(self) -> bool:
        """All that is left has been received: iterating will not wait for upstream."""
        return self._delivery.is_at_hand

    def when_over(self, ended: Ended) -> None:
        """Have ``ended`` called once when this is over, now if it is already."""
        self._when_over = ended
        if self._is_closed:
            ended(self, None)

    def own(self, close: Callable[[], None]) -> None:
        """Have ``close`` called when this is over, for what was made for this content only."""
        then = self._when_over

        def over(content: Content, error: DownloadError | None) -> None:
            if then is not None:
                then(content, error)
            close()

        if self._is_closed:
            close()
        self._when_over = over

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        while not self.is_verified:
            chunk = self._receive()
            if self._is_left:
                self.close()
            if chunk:
                return chunk
        if not self._held:
            raise StopIteration
        if self._is_left:
            raise Cancelled("closed before its end")
        size = max(1, self.chunk_size)
        last, self._held = self._held[:size], self._held[size:]
        return last

    def cancel(self) -> bool:
        """Stop the transfer from any thread; tell whether it was still going on."""
        return not self._is_closed and self._watch.cancel()

    def close(self) -> None:
        """Let go of everything. While another thread reads, it stops that thread, which does."""
        self._is_left = True  # then look: whoever reads gives up its turn, and then looks here
        if self._turn.acquire(blocking=False):
            try:
                self._end(None)
            finally:
                self._turn.release()
        else:
            self._watch.cancel()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if not getattr(self, "_is_closed", True):
            watchdog.leave_to(self.close)  # this thread may hold any lock just now

    def __reduce__(self) -> NoReturn:
        raise TypeError("an open answer cannot be pickled")

    def _receive(self) -> bytes:
        """Return the next bytes but for the last one, which is held back; close at the end."""
        with self._turn:
            if self._is_closed:
                raise self._error or Cancelled("closed before its end")
            try:
                piece = self._piece()
                if piece and self.on_progress is not None:
                    self.on_progress(self.received, self.size)
                chunk = b"".join((self._held, memoryview(piece)[:-1]))
                self._held = bytes(piece[-1:])
            except BaseException as error:
                self._end(error if isinstance(error, DownloadError) else None)
                raise
            if self.is_verified:
                self._end(None)
            return chunk

    def _piece(self) -> Chunk:
        """Return the next bytes, of the rest where the body breaks."""
        while True:
            try:
                return self._delivery.receive(self.chunk_size)
            except DownloadError as error:
                rest = self.go_on(self._delivery, error) if self.go_on is not None else None
                if rest is None:
                    raise
                self._delivery = rest

    def _end(self, error: DownloadError | None) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        self._error = error
        try:
            self._delivery.close()
        finally:
            if self._when_over is not None:
                self._when_over(self, error)
