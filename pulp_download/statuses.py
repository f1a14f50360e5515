"""What an answer's head says about the file: statuses, Retry-After, Last-Modified (RFC 9110)."""

from __future__ import annotations

import time

from pulp_download.errors import (
    BadStatus,
    DownloadError,
    NotAuthorized,
    NotFound,
    ProtocolViolation,
    ServerFailed,
    Throttled,
)
from pulp_download.retries import parse_http_date, parse_retry_after

# A Last-Modified further ahead than clocks differ is nonsense.
_DAY = 86_400.0

_BY_STATUS: dict[int, type[BadStatus]] = {
    401: NotAuthorized,
    403: NotAuthorized,
    404: NotFound,
    407: NotAuthorized,
    408: ServerFailed,
    410: NotFound,
    425: ServerFailed,
    429: Throttled,
    530: NotAuthorized,
}


def error_of(status: int, phrase: str, retry_after: str | None, *, url: str) -> DownloadError:
    """Return the error for an answer that is not the file; ``url`` is redacted."""
    if 200 <= status < 300:
        return ProtocolViolation(f"{status} instead of the whole file", url=url, status=status)
    kind = _BY_STATUS.get(status) or (ServerFailed if 500 <= status <= 599 else BadStatus)
    error = kind(status, phrase, url=url)
    if isinstance(error, ServerFailed):
        error.retry_after = parse_retry_after(retry_after, time.time())
    return error


def modified(value: str | None) -> float | None:
    """Return a Last-Modified in epoch seconds, or None where it is absent or no sensible time."""
    moment = parse_http_date(value) if value else None
    return moment if moment is not None and 0 <= moment <= time.time() + _DAY else None
