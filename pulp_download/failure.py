"""The root of all errors, and what is kept of a try that failed.

Its kinds are drawn and defined in :mod:`~pulp_download.errors`.
"""

from __future__ import annotations

from typing import NamedTuple, Self

from pulp_download.printable import printable

# Characters of server text kept in a reason; not measured, enough to recognise a message.
_REASON_LIMIT = 300


class FailedTry(NamedTuple):
    """One try that failed: where (redacted), status if any, why, and the bytes it brought."""

    url: str
    status: int | None
    type: str
    message: str
    received: int = 0


class DownloadError(Exception):
    """The root. ``attempts`` lists every failed try of the run that raised it, oldest first."""

    retryable = False
    final = False

    def __init__(self, reason: str = "", *, url: str | None = None, status: int | None = None):
        super().__init__(reason)
        self.reason = printable(reason)[:_REASON_LIMIT]
        self.url = url
        self.status = status
        self.attempts: tuple[FailedTry, ...] = ()

    @property
    def message(self) -> str:
        """What went wrong in this one failure, without the list of tries."""
        return f"{self.url}: {self.reason}" if self.url else self.reason

    def __str__(self) -> str:
        if len(self.attempts) < 2:
            return self.message
        tries = "".join(f"\n  {n}. {t.type}: {t.message}" for n, t in enumerate(self.attempts, 1))
        return f"{self.message} (after {len(self.attempts)} tries){tries}"

    def at(self, url: str) -> Self:
        """Fill in the place where it happened, if nobody closer to it has, and return self."""
        if self.url is None:
            self.url = url
        return self

    def without_frames(self) -> Self:
        """Drop what a kept exception would pin: traceback, frames, sockets, buffers."""
        self.__traceback__ = None
        self.__context__ = None
        if not isinstance(self.__cause__, DownloadError):
            self.__cause__ = None
        return self
