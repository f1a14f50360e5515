"""What can go wrong, as a tree of exceptions that carry facts.

::

    DownloadError
    ├── InvalidInput (also a ValueError)      what the caller gave cannot be meant
    │   ├── InvalidURL
    │   ├── InvalidSettings
    │   └── InvalidExpectation                a digest or a size of the wrong form
    ├── TransferError                         upstream, or the way to it
    │   ├── ConnectionFailed                  refused, reset, unreachable, no such name
    │   │   ├── ProxyFailed                   the proxy, not the origin behind it
    │   │   └── TLSFailed                     no trust, no common protocol, broken record
    │   ├── TimedOut                          connecting, waiting for an answer, in all
    │   ├── Stalled                           less than ``min_speed`` for a period
    │   ├── TooSlow                           another mirror is much faster
    │   ├── Truncated                         the body ended early
    │   ├── UnverifiableLength                nothing told the length, and it was required
    │   ├── ProtocolViolation                 an answer that is not HTTP, or dangerous HTTP
    │   ├── UnsupportedScheme
    │   ├── TokenFailed                       the token source raised, or gave no token
    │   ├── UnsafeRedirect                    refused: downgrade, forbidden scheme, malformed
    │   │   └── TooManyRedirects              too long, or a loop
    │   └── BadStatus                         any status that is not the file
    │       ├── NotFound                      404, 410
    │       ├── NotAuthorized                 401, 403, 407, 530
    │       └── ServerFailed                  408, 425, 5xx
    │           └── Throttled                 429, 503 that asks for a longer wait than allowed
    ├── ValidationError                       the bytes are not those expected
    │   ├── SizeMismatch
    │   ├── DigestMismatch
    │   └── PieceMismatch                     of one piece of the file
    ├── ManifestError                         a list of files that cannot be trusted or read
    ├── CatalogError                          the database of artifacts cannot be used
    ├── WriteError                            the local end: no space, no permission, no such place
    │   └── DestinationBusy                   another run is at work there
    └── Cancelled                             somebody asked for it to stop

An error holds facts (``url`` without credentials and query values, ``status``, ``reason``,
``attempts``), never a response, a request or a socket, so that it can be kept, logged and pickled.
``retryable``: the same URL is worth another try; ``final``: no other URL is either.
"""

from __future__ import annotations

from pulp_download.failure import DownloadError as DownloadError
from pulp_download.failure import FailedTry as FailedTry
from pulp_download.printable import printable


class InvalidInput(DownloadError, ValueError):
    """What the caller gave is malformed; found before anything is fetched."""

    final = True


class InvalidURL(InvalidInput):
    """A URL that is malformed, ambiguous, relative, or holds what no URL may hold."""


class InvalidSettings(InvalidInput):
    """A setting outside its range, or settings that contradict each other."""


class InvalidExpectation(InvalidInput):
    """An expected size or digest that no file could ever meet."""


class TransferError(DownloadError):
    """Upstream, or the way to it, did not deliver."""


class ConnectionFailed(TransferError):
    """No connection, or one that broke; ``is_local`` where this end had no means for one."""

    retryable = True
    is_local = False


class ProxyFailed(ConnectionFailed):
    """The proxy failed; the origin behind it was never asked."""


class TLSFailed(ConnectionFailed):
    """The peer could not be trusted, or does not speak TLS as we do."""

    retryable = False


class TimedOut(TransferError):
    """A time limit passed; ``limit`` is its name: connect, read, or total."""

    retryable = True

    def __init__(self, limit: str, seconds: float, *, url: str | None = None):
        super().__init__(f"{limit} timeout of {seconds:g} s passed", url=url)
        self.args = (limit, seconds)
        self.final = limit == "total"
        self.retryable = not self.final
        self.limit = limit
        self.seconds = seconds


class Stalled(TransferError):
    """Upstream sent less than ``min_speed`` bytes a second for ``period`` seconds."""

    retryable = True

    def __init__(self, received: int, period: float, min_speed: float, *, url: str | None = None):
        super().__init__(
            f"stalled: {received} bytes in {period:g} s, less than {min_speed:g} bytes/s", url=url
        )
        self.args = (received, period, min_speed)
        self.received = received
        self.period = period
        self.min_speed = min_speed


class TooSlow(TransferError):
    """Left for another mirror, which is known to be much faster; speeds are bytes a second."""

    retryable = True

    def __init__(self, speed: float, elsewhere: float, *, url: str | None = None):
        super().__init__(
            f"too slow: {speed:.0f} bytes/s, and about {elsewhere:.0f} elsewhere", url=url
        )
        self.args = (speed, elsewhere)
        self.speed = speed
        self.elsewhere = elsewhere


class Truncated(TransferError):
    """The body ended before it was complete."""

    retryable = True

    def __init__(self, received: int, expected: int | None = None, *, url: str | None = None):
        of = "its end" if expected is None else f"all {expected} bytes"
        super().__init__(f"body ended after {received} bytes, before {of}", url=url)
        self.args = (received, expected)
        self.received = received
        self.expected = expected


class UnverifiableLength(TransferError):
    """Neither upstream nor the caller told the length, and ``require_length`` is set."""


class ProtocolViolation(TransferError):
    """An answer that breaks HTTP's framing or limits; its connection is never used again."""

    retryable = True


class UnsupportedScheme(TransferError):
    """No adapter is mounted for this URL."""


class TokenFailed(TransferError):
    """The token source raised, or returned what is no token. Its own words are not repeated."""


class UnsafeRedirect(TransferError):
    """A redirect that is not followed."""


class TooManyRedirects(UnsafeRedirect):
    """A chain that is too long or that comes back to itself."""


class BadStatus(TransferError):
    """An answer whose status says that its body is not the file."""

    def __init__(self, status: int, phrase: str = "", *, url: str | None = None):
        super().__init__(f"{status} {phrase}".strip(), url=url, status=status)
        self.args = (status, phrase)


class NotFound(BadStatus):
    """404, 410: not here; another mirror may have it."""


class NotAuthorized(BadStatus):
    """401, 403, 407, 530: not with these credentials."""


class ServerFailed(BadStatus):
    """408, 425, 5xx: the server's trouble, which may pass."""

    retryable = True
    retry_after: float | None = None


class Throttled(ServerFailed):
    """429, or 503 with Retry-After: told to come back later, ``retry_after`` seconds from then."""


class ValidationError(DownloadError):
    """The bytes are not those expected; ``hint`` says what they may be instead, or is empty."""

    retryable = True
    hint = ""

    @property
    def message(self) -> str:
        return f"{super().message} ({self.hint})" if self.hint else super().message


class SizeMismatch(ValidationError):
    """More or fewer bytes than expected. ``actual`` is a lower bound when there were too many."""

    def __init__(self, expected: int, actual: int, *, url: str | None = None):
        more = "at least " if actual > expected else ""
        super().__init__(f"expected {expected} bytes, got {more}{actual}", url=url)
        self.args = (expected, actual)
        self.retryable = actual <= expected  # a server that sends too much will do so again
        self.expected = expected
        self.actual = actual


class DigestMismatch(ValidationError):
    """Another digest than expected, both in lower-case hexadecimal."""

    def __init__(self, algorithm: str, expected: str, actual: str, *, url: str | None = None):
        super().__init__(f"expected {algorithm} {expected}, got {actual}", url=url)
        self.args = (algorithm, expected, actual)
        self.algorithm = algorithm
        self.expected = expected
        self.actual = actual


class PieceMismatch(ValidationError):
    """Piece number ``index``, ``length`` bytes from ``offset`` on, is not as expected."""

    def __init__(self, index: int, offset: int, length: int, *, url: str | None = None):
        super().__init__(f"piece {index} ({length} bytes at {offset}) has a wrong digest", url=url)
        self.args = (index, offset, length)
        self.index, self.offset, self.length = index, offset, length


class ManifestError(DownloadError):
    """A manifest is refused as a whole; ``line`` (from 1) tells where, if one place is to blame."""

    def __init__(self, reason: str, *, line: int | None = None, url: str | None = None):
        super().__init__(reason if line is None else f"line {line}: {reason}", url=url)
        self.args = (self.reason,)
        self.line = line


class WriteError(DownloadError):
    """The local end failed; ``path`` and ``errno`` (of the operating system, or None) tell why."""

    final = True

    def __init__(self, reason: str, *, path: str | None = None, errno: int | None = None):
        super().__init__(reason if path is None else f"{printable(path)}: {reason}")
        self.args = (self.reason,)
        self.path = path
        self.errno = errno

    @classmethod
    def from_oserror(cls, error: OSError, path: str) -> WriteError:
        """Translate what the operating system said about writing to ``path``."""
        return cls(error.strerror or type(error).__name__, path=path, errno=error.errno)


class DestinationBusy(WriteError):
    """Another run is at work on the same destination."""


class CatalogError(DownloadError):
    """The database of artifacts cannot be opened, read or written, or is not a catalog."""

    final = True


class Cancelled(DownloadError):
    """Stopped on request; nothing is known about the file."""

    final = True

    def __init__(self, reason: str = "cancelled", *, url: str | None = None):
        super().__init__(reason, url=url)
