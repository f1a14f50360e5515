"""The one edge where exceptions of other libraries become ours."""

from __future__ import annotations

import errno
import http.client
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import requests
import urllib3

from pulp_download.errors import (
    Cancelled,
    ConnectionFailed,
    DownloadError,
    InvalidURL,
    NotFound,
    ProtocolViolation,
    ProxyFailed,
    TimedOut,
    TLSFailed,
    TransferError,
    Truncated,
    UnsupportedScheme,
)
from pulp_download.foreign import _TABLE, raise_ours, translate
from pulp_download.settings import TimeLimits
from pulp_download.urls import URL
from pulp_download.watch import Watch

PLACE = URL.parse("http://me:c4n4ry@host/a?t=c4n4ry")
SHOWN = "http://host/a?t=***"


@contextmanager
def translated(watch: Watch, url: URL) -> Iterator[None]:
    """A block as those who call foreign code have it."""
    try:
        yield
    except Exception as error:
        raise_ours(error, watch, url)
        raise


def untrusted() -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed: c4n4ry")
    error.verify_message = "self-signed certificate"
    return error


def broken_record() -> ssl.SSLError:
    error = ssl.SSLError(1, "c4n4ry")
    error.reason = "WRONG_VERSION_NUMBER"
    return error


class StrangeSSLError(ssl.SSLError):
    reason = ""


POOL = urllib3.HTTPConnectionPool("c4n4ry")
CONNECTION = urllib3.connection.HTTPConnection("c4n4ry")

r, u = requests.exceptions, urllib3.exceptions

TABLE: list[tuple[Exception, type[DownloadError], str]] = [
    (r.InvalidSchema("c4n4ry"), UnsupportedScheme, "nothing here fetches URLs of this scheme"),
    (r.InvalidURL("c4n4ry"), InvalidURL, "InvalidURL"),
    (r.InvalidProxyURL("c4n4ry"), InvalidURL, "InvalidProxyURL"),
    (r.MissingSchema("c4n4ry"), InvalidURL, "MissingSchema"),
    (r.ProxyError("c4n4ry"), ProxyFailed, "ProxyError"),
    (r.SSLError("c4n4ry"), TLSFailed, "TLS failed"),
    (r.ConnectTimeout("c4n4ry"), TimedOut, "connect timeout of 5 s passed"),
    (r.ReadTimeout("c4n4ry"), TimedOut, "read timeout of 7 s passed"),
    (r.Timeout("c4n4ry"), TimedOut, "read timeout of 7 s passed"),
    (r.ChunkedEncodingError("c4n4ry"), Truncated, "body ended after 42 bytes, before its end"),
    (r.ConnectionError("c4n4ry"), ConnectionFailed, "ConnectionError"),
    (r.ContentDecodingError("c4n4ry"), TransferError, "ContentDecodingError"),
    (r.InvalidHeader("c4n4ry"), TransferError, "InvalidHeader"),
    (r.TooManyRedirects("c4n4ry"), TransferError, "TooManyRedirects"),
    (r.RequestException("c4n4ry"), TransferError, "RequestException"),
    (u.SSLError("c4n4ry"), TLSFailed, "TLS failed"),
    (u.ConnectTimeoutError("c4n4ry"), TimedOut, "connect timeout of 5 s passed"),
    (u.ReadTimeoutError(POOL, "c4n4ry", "x"), TimedOut, "read timeout of 7 s passed"),
    (u.TimeoutError("c4n4ry"), TimedOut, "read timeout of 7 s passed"),
    (u.IncompleteRead(5, 10), Truncated, "body ended after 42 bytes, before its end"),
    (u.LocationParseError("c4n4ry"), InvalidURL, "LocationParseError"),
    (u.ProtocolError("c4n4ry"), ConnectionFailed, "ProtocolError"),
    (
        u.ProtocolError("c4n4ry", u.IncompleteRead(5, 10)),
        Truncated,
        "body ended after 42 bytes, before its end",
    ),
    (u.NewConnectionError(CONNECTION, "c4n4ry"), ConnectionFailed, "NewConnectionError"),
    (u.MaxRetryError(POOL, "c4n4ry"), ConnectionFailed, "MaxRetryError"),
    (u.DecodeError("c4n4ry"), ConnectionFailed, "DecodeError"),
    (u.HTTPError("c4n4ry"), ConnectionFailed, "HTTPError"),
    (http.client.BadStatusLine("c4n4ry"), ProtocolViolation, "BadStatusLine"),
    (http.client.LineTooLong("c4n4ry"), ProtocolViolation, "LineTooLong"),
    (untrusted(), TLSFailed, "certificate not accepted: self-signed certificate"),
    (ssl.SSLEOFError(8, "c4n4ry"), ConnectionFailed, "connection closed underneath TLS"),
    (broken_record(), TLSFailed, "TLS failed: WRONG_VERSION_NUMBER"),
    (StrangeSSLError(1, "c4n4ry"), TLSFailed, "TLS failed: StrangeSSLError"),
    (TimeoutError("c4n4ry"), TimedOut, "connect timeout of 5 s passed"),
    (
        socket.gaierror(-2, "Name or service not known"),
        ConnectionFailed,
        "Name or service not known",
    ),
    (ConnectionRefusedError(errno.ECONNREFUSED, "Refused"), ConnectionFailed, "Refused"),
    (ConnectionResetError(errno.ECONNRESET, "Reset"), ConnectionFailed, "Reset"),
    (OSError(errno.EMFILE, "Too many open files"), ConnectionFailed, "Too many open files"),
    (OSError("c4n4ry"), ConnectionFailed, "OSError"),
]
IDS = [f"{type(error).__module__}.{type(error).__name__}" for error, *_ in TABLE]


def watch() -> Watch:
    new = Watch(TimeLimits(connect=5.0, read=7.0))
    new.received = 42
    return new


@pytest.mark.fault(55, 95, 224)
@pytest.mark.parametrize(("error", "kind", "reason"), TABLE, ids=IDS)
def test_a_foreign_error_becomes_ours_with_its_place_and_without_its_text(
    error: Exception, kind: type[DownloadError], reason: str
) -> None:
    ours = translate(error, watch(), PLACE)
    assert type(ours) is kind
    assert str(ours) == f"{SHOWN}: {reason}"
    with pytest.raises(kind) as caught, translated(watch(), PLACE):
        raise error
    assert caught.value.__cause__ is None and caught.value.__suppress_context__
    assert "c4n4ry" not in f"{caught.value!r}{vars(caught.value)}"


@pytest.mark.fault(61, 68)
def test_trust_is_not_worth_another_try_and_a_broken_record_is() -> None:
    for error, retryable in ((untrusted(), False), (broken_record(), True), (u.SSLError(), False)):
        ours = translate(error, watch(), PLACE)
        assert isinstance(ours, TLSFailed) and ours.retryable is retryable


@pytest.mark.fault(112)
@pytest.mark.parametrize(
    ("code", "is_local"),
    [
        (errno.EMFILE, True),
        (errno.ENFILE, True),
        (errno.ENOMEM, True),
        (errno.ENOBUFS, True),
        (errno.ECONNRESET, False),
        (errno.EHOSTUNREACH, False),
    ],
)
def test_what_is_lacking_at_this_end_is_told_from_what_the_other_did(
    code: int, is_local: bool
) -> None:
    ours = translate(OSError(code, "words"), watch(), PLACE)
    assert isinstance(ours, ConnectionFailed)
    assert ours.is_local is is_local
    assert ours.retryable


def test_the_limit_of_one_address_is_named_where_there_is_one() -> None:
    limited = Watch(TimeLimits(connect=5.0, sock_connect=2.0))
    ours = translate(TimeoutError(), limited, PLACE)
    assert isinstance(ours, TimedOut) and ours.seconds == 2.0


def test_every_row_is_reached() -> None:
    first_rows = {
        next(number for number, (kind, _) in enumerate(_TABLE) if isinstance(error, kind))
        for error, *_ in TABLE
    }
    assert first_rows == set(range(len(_TABLE)))


def family(kind: type) -> set[type]:
    return {kind}.union(*(family(child) for child in kind.__subclasses__()))


@pytest.mark.fault(55)
def test_every_exception_of_the_libraries_below_is_in_a_row() -> None:
    known = tuple(kind for kind, _ in _TABLE)
    roots = (r.RequestException, u.HTTPError, http.client.HTTPException, OSError)
    for root in roots:
        for kind in family(root):
            assert issubclass(kind, known), kind


@pytest.mark.parametrize(
    "bug",
    [KeyError("x"), TypeError("x"), AttributeError("x"), ValueError("x"), UnicodeError("x")],
    ids=lambda bug: type(bug).__name__,
)
def test_a_bug_goes_through_as_it_is(bug: Exception) -> None:
    assert translate(bug, watch(), PLACE) is bug
    with pytest.raises(type(bug)) as caught, translated(watch(), PLACE):
        raise bug
    assert caught.value is bug
    assert caught.traceback[-1].name == "test_a_bug_goes_through_as_it_is"


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_what_ends_the_program_goes_through(kind: type[BaseException]) -> None:
    with pytest.raises(kind), translated(watch(), PLACE):
        raise kind


@pytest.mark.fault(172)
@pytest.mark.parametrize("met", [OSError("x"), KeyError("x"), NotFound(404)], ids=repr)
def test_the_verdict_of_the_watch_wins(met: Exception) -> None:
    stopped = watch()
    stopped.stop(Cancelled("by the test"))
    with pytest.raises(Cancelled) as caught, translated(stopped, PLACE):
        raise met
    assert str(caught.value) == f"{SHOWN}: by the test"
    assert caught.value is stopped.verdict


def test_an_error_of_ours_keeps_its_place_or_gets_one() -> None:
    for error, place in ((NotFound(404), SHOWN), (NotFound(404, url="http://b/"), "http://b/")):
        assert translate(error, watch(), PLACE) is error
        assert error.url == place


def test_nothing_raised_is_nothing_translated() -> None:
    with translated(watch(), PLACE):
        pass


@pytest.mark.fault(226)
def test_the_log_has_the_redacted_place_and_the_class(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    translate(r.InvalidHeader("c4n4ry"), watch(), PLACE)
    assert caplog.messages == [f"{SHOWN}: InvalidHeader"]
