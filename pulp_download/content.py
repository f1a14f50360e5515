"""An open answer: its head, and its verified bytes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import NoReturn, Self

from urllib3 import HTTPHeaderDict

from pulp_download.asking import Opened, headers_of
from pulp_download.errors import (
    Cancelled,
    DownloadError,
    SizeMismatch,
    UnverifiableLength,
    ValidationError,
)
from pulp_download.foreign import translate
from pulp_download.printable import printable
from pulp_download.settings import Settings
from pulp_download.urls import URL
from pulp_download.validations import Checks, Chunk, Validation, expected_size, judges_content
from pulp_download.watchdog import Watch

# What to do when the content is over: with None after its verified end or a close, or its error.
# The content is handed over, for a callable that held it would keep it from being collected.
Ended = Callable[["Content", DownloadError | None], None]


class Content:
    """An open answer, from :meth:`Download.iter_content` or :meth:`Download.head`.

    ``status`` and ``headers`` are there at once; iterating yields the body, up to ``chunk_size``
    bytes as they arrive and as sent on the wire. The last byte is held back until everything held:
    a wrong size or digest raises before it. ``url`` is the source that serves it, ``final_url``
    where redirects led, both redacted; ``size`` is the length told by upstream, or None.

    A context manager; close it. May be advanced by different threads, one at a time; ``close()``
    and ``cancel()`` may come from any thread at any point, and wake a thread that waits in a read,
    which then raises Cancelled. Raises TransferError, ValidationError or Cancelled.
    """

    def __init__(
        self,
        opened: Opened,
        source: URL,
        watch: Watch,
        *,
        validations: Sequence[Validation],
        settings: Settings,
        chunk_size: int,
    ):
        self._opened = opened  # a response that nobody holds closes itself
        self._answer = opened.answer
        self._source = source
        self._watch = watch
        self._checks = Checks(validations)
        self._chunk_size = chunk_size
        self._held = b""
        self._limit = None if expected_size(validations) is not None else settings.max_size
        self._digests: dict[str, str] | None = None
        self._is_closed = False
        self._error: DownloadError | None = None
        self._turn = threading.Lock()
        self.on_progress: Callable[[int, int | None], None] | None = None
        self._when_over: Ended | None = None
        self.status: int = opened.status
        self.fields = opened.fields
        self.url = source.redacted
        self.final_url = opened.url.redacted
        self.size: int | None = self._answer.length
        if opened.method == "HEAD":
            self.size = _announced(self.header("content-length") or "")
        self.length_verified = (
            self._answer.end_is_marked
            or expected_size(validations) is not None
            or judges_content(validations)
        )
        with self._closing():
            self._judge_length(expected_size(validations), settings)
            if self._answer.length == 0:
                self._finish()  # an empty body is judged now: no byte of it can be held back

    @property
    def headers(self) -> HTTPHeaderDict:
        """The answer's fields, repeats kept."""
        return headers_of(self.fields)

    def header(self, name: str) -> str | None:
        """Return one field's value by its lower-case name, or None."""
        return self._opened.header(name)

    @property
    def digests(self) -> dict[str, str]:
        """The digests computed, once the body has been read to its end."""
        return self._digests or {}

    @property
    def received(self) -> int:
        """Bytes of the body that have passed the checks."""
        return self._checks.received

    @property
    def is_verified(self) -> bool:
        """The body has been read to its end, and everything held."""
        return self._digests is not None

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

    def pieces(self) -> Iterator[Chunk]:
        """Yield the body's bytes as they pass the checks; raises at the end if one fails.

        Each piece is valid until the next is asked for. For those who can take back what they were
        given, such as a temporary file; others iterate the content itself.
        """
        while piece := self._receive(self._chunk_size):
            yield piece

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        while self._digests is None:
            piece = self._receive(self._chunk_size)
            if not piece:
                break
            chunk = b"".join((self._held, memoryview(piece)[:-1]))
            self._held = bytes(piece[-1:])
            if chunk:
                return chunk
        last, self._held = self._held, b""
        if not last:
            raise StopIteration
        return last

    def cancel(self) -> bool:
        """Stop the transfer from any thread; tell whether it was still going on."""
        return not self._is_closed and self._watch.cancel()

    def close(self) -> None:
        """Let go of everything. While another thread reads, it stops that thread, which does."""
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
            self.close()

    def __reduce__(self) -> NoReturn:
        raise TypeError("an open answer cannot be pickled")

    def _receive(self, limit: int) -> Chunk:
        if self._digests is not None:
            return b""
        with self._turn, self._closing():
            if self._is_closed:
                raise self._error or Cancelled("closed before its end")
            piece = self._answer.receive(limit)
            if piece:
                self._checks.update(piece)
                if self._limit is not None and self._checks.received > self._limit:
                    raise SizeMismatch(self._limit, self._checks.received)
                if self.on_progress is not None:
                    self.on_progress(self._checks.received, self.size)
                return piece
            self._finish()
            return b""

    def _finish(self) -> None:
        self._digests = self._checks.finish()
        self._end(None)

    def _judge_length(self, expected: int | None, settings: Settings) -> None:
        """Refuse before the first byte what cannot come out right."""
        if self.size is not None and expected is not None and self.size != expected:
            raise SizeMismatch(expected, self.size)
        if self.size is not None and self._limit is not None and self.size > self._limit:
            raise SizeMismatch(self._limit, self.size)
        if settings.require_length and not self.length_verified:
            raise UnverifiableLength("nothing tells the length of the file")

    def _end(self, error: DownloadError | None, *, abandon: bool = False) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        self._error = error
        if abandon:  # what the connection carries can no longer be told apart
            self._answer.abandon()
        else:
            self._answer.close()
        if self._when_over is not None:
            self._when_over(self, error)

    def _hint(self) -> str:
        """Say what may have come in the place of the file: a portal's page, a coded copy."""
        coding = self.header("content-encoding")
        if coding is not None:
            return f"upstream says Content-Encoding: {printable(coding[:40])}"
        kind = self.header("content-type") or ""
        return f"upstream says {printable(kind[:60])}" if kind.startswith("text/html") else ""

    def _closing(self) -> _Closing:
        return _Closing(self)


class _Closing:
    """Translate an error that leaves this block, and close the content with it."""

    __slots__ = ("_content",)

    def __init__(self, content: Content):
        self._content = content

    def __enter__(self) -> None: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            return
        content = self._content
        if not isinstance(error, Exception):
            content._end(None, abandon=True)
            return
        ours = translate(error, content._watch, content._source)
        if isinstance(ours, ValidationError):
            ours.hint = content._hint()
        content._end(ours if isinstance(ours, DownloadError) else None, abandon=True)
        if ours is not error:
            raise ours from None


def _announced(value: str) -> int | None:
    return int(value) if value.isascii() and value.isdigit() and len(value) < 20 else None
