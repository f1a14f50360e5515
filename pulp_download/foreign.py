"""The one edge where exceptions of other libraries become ours, by one table.

What stays of a foreign exception is its class name and the operating system's words, for its text
and its attributes may hold URLs with credentials, and its frames hold sockets and buffers. Whatever
is in no row is a bug, ours or a caller's, and goes on as it is.
"""

from __future__ import annotations

import errno
import http.client
import logging
import ssl
from collections.abc import Callable

import requests
import urllib3

from pulp_download.errors import (
    ConnectionFailed,
    DownloadError,
    InvalidURL,
    ProtocolViolation,
    ProxyFailed,
    TimedOut,
    TLSFailed,
    TransferError,
    Truncated,
    UnsupportedScheme,
)
from pulp_download.urls import URL
from pulp_download.watch import Watch

log = logging.getLogger(__name__)


def _certificate(error: Exception, watch: Watch) -> DownloadError:
    assert isinstance(error, ssl.SSLCertVerificationError)
    return TLSFailed(f"certificate not accepted: {error.verify_message}")


def _tls(error: Exception, watch: Watch) -> DownloadError:
    failed = TLSFailed(f"TLS failed: {getattr(error, 'reason', None) or type(error).__name__}")
    failed.retryable = True  # a broken record or handshake, which another connection may not meet
    return failed


def _tls_end(error: Exception, watch: Watch) -> DownloadError:
    # Also what CPython before 3.12.3 makes of a reset under TLS.
    return ConnectionFailed("connection closed underneath TLS")


def _foreign_tls(error: Exception, watch: Watch) -> DownloadError:
    return TLSFailed("TLS failed")


def _connect_timeout(error: Exception, watch: Watch) -> DownloadError:
    return TimedOut("connect", watch.limits.sock_connect or watch.limits.connect)


def _read_timeout(error: Exception, watch: Watch) -> DownloadError:
    return TimedOut("read", watch.limits.read)


# No more descriptors or memory here, which says nothing about the other end.
_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS})


def _system(error: Exception, watch: Watch) -> DownloadError:
    words = getattr(error, "strerror", None) or type(error).__name__
    failed = ConnectionFailed(f"{words}")
    failed.is_local = getattr(error, "errno", None) in _EXHAUSTED
    return failed


def _named(kind: type[DownloadError]) -> Callable[[Exception, Watch], DownloadError]:
    return lambda error, watch: kind(type(error).__name__)


def _no_adapter(error: Exception, watch: Watch) -> DownloadError:
    return UnsupportedScheme("nothing here fetches URLs of this scheme")


def _truncated(error: Exception, watch: Watch) -> DownloadError:
    return Truncated(watch.received)


def _broken(error: Exception, watch: Watch) -> DownloadError:
    # urllib3 wraps what it found, a short body as well.
    if any(isinstance(cause, urllib3.exceptions.IncompleteRead) for cause in error.args):
        return _truncated(error, watch)
    return ConnectionFailed(type(error).__name__)


# First match wins, so the special stands above the general.
_TABLE: tuple[tuple[type[Exception], Callable[[Exception, Watch], DownloadError]], ...] = (
    (requests.exceptions.InvalidSchema, _no_adapter),
    (requests.exceptions.InvalidURL, _named(InvalidURL)),
    (requests.exceptions.MissingSchema, _named(InvalidURL)),
    (requests.exceptions.ProxyError, _named(ProxyFailed)),
    (requests.exceptions.SSLError, _foreign_tls),
    (requests.exceptions.ConnectTimeout, _connect_timeout),
    (requests.exceptions.Timeout, _read_timeout),
    (requests.exceptions.ChunkedEncodingError, _truncated),
    (requests.exceptions.ConnectionError, _named(ConnectionFailed)),
    (requests.exceptions.RequestException, _named(TransferError)),
    (urllib3.exceptions.SSLError, _foreign_tls),
    (urllib3.exceptions.NewConnectionError, _named(ConnectionFailed)),  # by birth a timeout
    (urllib3.exceptions.ConnectTimeoutError, _connect_timeout),
    (urllib3.exceptions.TimeoutError, _read_timeout),
    (urllib3.exceptions.IncompleteRead, _truncated),
    (urllib3.exceptions.LocationParseError, _named(InvalidURL)),
    (urllib3.exceptions.ProtocolError, _broken),
    (urllib3.exceptions.HTTPError, _named(ConnectionFailed)),
    (http.client.HTTPException, _named(ProtocolViolation)),
    (ssl.SSLCertVerificationError, _certificate),
    (ssl.SSLEOFError, _tls_end),
    (ssl.SSLError, _tls),
    (TimeoutError, _connect_timeout),
    (OSError, _system),
)


def translate(error: Exception, watch: Watch, url: URL) -> Exception:
    """Return our error for a foreign one, with the place filled in; a bug is returned as it is.

    The watch's verdict wins: what a worker meets after its socket was shut down says nothing.
    """
    if watch.verdict is not None:
        return watch.verdict.at(url.redacted)
    if isinstance(error, DownloadError):
        return error.at(url.redacted)
    for kind, make in _TABLE:
        if isinstance(error, kind):
            log.debug("%s: %s", url.redacted, type(error).__name__)
            return make(error, watch).at(url.redacted)
    return error


def raise_ours(error: Exception, watch: Watch, url: URL) -> None:
    """Raise our error for a foreign one; return where that is ours already, or a bug."""
    ours = translate(error, watch, url)
    if ours is not error:
        raise ours from None
