"""What a client is told of a failure that came before its answer's first byte."""

from __future__ import annotations

from dataclasses import dataclass

from pulp_download.errors import (
    BadStatus,
    Cancelled,
    ConnectionFailed,
    DownloadError,
    FailedTry,
    NotFound,
    Stalled,
    Throttled,
    TimedOut,
    TooSlow,
    TransferError,
    UnverifiableLength,
    ValidationError,
)

# Seconds after which a client may come back where upstream did not say.
RETRY_AFTER = 30
# Upstreams have asked for years; a client that is told so never comes back.
LONGEST_RETRY_AFTER = 86_400


@dataclass(frozen=True, slots=True)
class Refusal:
    """A status and a fixed reason, in which nothing is from upstream, and when to come back."""

    status: int
    reason: str
    retry_after: int | None = None


NOT_LISTED = Refusal(404, "no such file")
NOT_ALLOWED = Refusal(405, "only GET and HEAD")
ALLOW = (b"Allow", b"GET, HEAD")  # goes with it (RFC 9110 section 15.5.6)
FULL = Refusal(503, "too many files are being sent", 1)
STOPPING = Refusal(503, "the server is stopping", RETRY_AFTER)
NOT_GIVEN = Refusal(502, "upstream did not give the file")
BROKEN = Refusal(500, "an error of the server's own")

# The first that fits, so kinds stand above their parents.
_BY_KIND: tuple[tuple[type[DownloadError], Refusal], ...] = (
    (NotFound, NOT_LISTED),
    (Throttled, Refusal(503, "upstream is busy", RETRY_AFTER)),
    (BadStatus, NOT_GIVEN),
    ((TimedOut), Refusal(504, "upstream took too long")),
    (Stalled, Refusal(504, "upstream took too long")),
    (TooSlow, Refusal(504, "upstream took too long")),
    (ConnectionFailed, Refusal(502, "upstream cannot be reached")),
    (ValidationError, Refusal(502, "what upstream gave is not the file that is listed")),
    (UnverifiableLength, Refusal(502, "upstream does not tell the length of the file")),
    (TransferError, NOT_GIVEN),
    (Cancelled, STOPPING),
)
# Statuses of upstream's that say more than their kind.
_BUSY = frozenset({429, 503})


def refusal_of(error: BaseException) -> Refusal:
    """Return what a client is told of this error. Its text goes into logs, not to clients."""
    if isinstance(error, LookupError):
        return NOT_LISTED
    if isinstance(error, NotFound) and not all(_is_absence(each) for each in error.attempts):
        return NOT_GIVEN  # where it should be, it was only not to be had
    if isinstance(error, BadStatus) and error.status in _BUSY:
        return Refusal(503, "upstream is busy", _retry_after(error))
    if isinstance(error, ConnectionFailed) and error.is_local:
        return Refusal(503, "no means for one more connection", RETRY_AFTER)
    return next((refusal for kind, refusal in _BY_KIND if isinstance(error, kind)), BROKEN)


def _is_absence(attempt: FailedTry) -> bool:
    return attempt.type == NotFound.__name__


def _retry_after(error: BadStatus) -> int:
    asked: float | None = getattr(error, "retry_after", None)
    if asked is None:
        return RETRY_AFTER
    return max(1, min(LONGEST_RETRY_AFTER, round(asked)))
