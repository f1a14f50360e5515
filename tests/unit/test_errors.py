"""Errors: facts, text that is safe to show, and nothing that must not be kept."""

import copy
import gc
import inspect
import pickle
import weakref

import pytest

from pulp_download import errors
from pulp_download.errors import (
    BadStatus,
    Cancelled,
    CatalogError,
    ConnectionFailed,
    DestinationBusy,
    DigestMismatch,
    DownloadError,
    FailedTry,
    InvalidExpectation,
    InvalidInput,
    InvalidSettings,
    InvalidURL,
    ManifestError,
    NotAuthorized,
    NotFound,
    PieceMismatch,
    ProtocolViolation,
    ProxyFailed,
    ServerFailed,
    SizeMismatch,
    Stalled,
    Throttled,
    TimedOut,
    TLSFailed,
    TokenFailed,
    TooManyRedirects,
    TooSlow,
    TransferError,
    Truncated,
    UnsafeRedirect,
    UnsupportedScheme,
    UnverifiableLength,
    ValidationError,
    WriteError,
)

URL = "http://host/a?token=***"

# Every class, an example, what it says, whether the same URL is worth another try, and whether no
# other URL is either.
EXAMPLES: list[tuple[DownloadError, str, bool, bool]] = [
    (DownloadError("why", url=URL), f"{URL}: why", False, False),
    (InvalidInput("why"), "why", False, True),
    (InvalidURL("why", url=URL), f"{URL}: why", False, True),
    (InvalidSettings("why"), "why", False, True),
    (InvalidExpectation("why"), "why", False, True),
    (TransferError("why", url=URL), f"{URL}: why", False, False),
    (ConnectionFailed("refused", url=URL), f"{URL}: refused", True, False),
    (ProxyFailed("refused", url=URL), f"{URL}: refused", True, False),
    (TLSFailed("no trust", url=URL), f"{URL}: no trust", False, False),
    (TimedOut("read", 30.0, url=URL), f"{URL}: read timeout of 30 s passed", True, False),
    (TimedOut("total", 0.5, url=URL), f"{URL}: total timeout of 0.5 s passed", False, True),
    (
        Stalled(10, 30.0, 1000.0, url=URL),
        f"{URL}: stalled: 10 bytes in 30 s, less than 1000 bytes/s",
        True,
        False,
    ),
    (
        TooSlow(10.0, 50.0, url=URL),
        f"{URL}: too slow: 10 bytes/s, and about 50 elsewhere",
        True,
        False,
    ),
    (
        Truncated(5, 10, url=URL),
        f"{URL}: body ended after 5 bytes, before all 10 bytes",
        True,
        False,
    ),
    (Truncated(5, url=URL), f"{URL}: body ended after 5 bytes, before its end", True, False),
    (UnverifiableLength("why", url=URL), f"{URL}: why", False, False),
    (ProtocolViolation("why", url=URL), f"{URL}: why", True, False),
    (UnsupportedScheme("why", url=URL), f"{URL}: why", False, False),
    (TokenFailed("why", url=URL), f"{URL}: why", False, False),
    (UnsafeRedirect("why", url=URL, status=302), f"{URL}: why", False, False),
    (TooManyRedirects("why", url=URL, status=302), f"{URL}: why", False, False),
    (BadStatus(418, "Teapot", url=URL), f"{URL}: 418 Teapot", False, False),
    (NotFound(404, "Not Found", url=URL), f"{URL}: 404 Not Found", False, False),
    (NotAuthorized(403, "", url=URL), f"{URL}: 403", False, False),
    (ServerFailed(502, "Bad Gateway", url=URL), f"{URL}: 502 Bad Gateway", True, False),
    (Throttled(429, "Slow Down", url=URL), f"{URL}: 429 Slow Down", True, False),
    (ValidationError("why", url=URL), f"{URL}: why", True, False),
    (SizeMismatch(10, 5, url=URL), f"{URL}: expected 10 bytes, got 5", True, False),
    (SizeMismatch(10, 11, url=URL), f"{URL}: expected 10 bytes, got at least 11", False, False),
    (DigestMismatch("md5", "aa", "bb", url=URL), f"{URL}: expected md5 aa, got bb", True, False),
    (
        PieceMismatch(3, 30, 10, url=URL),
        f"{URL}: piece 3 (10 bytes at 30) has a wrong digest",
        True,
        False,
    ),
    (ManifestError("why", line=3, url=URL), f"{URL}: line 3: why", False, False),
    (ManifestError("why"), "why", False, False),
    (WriteError("No space", path="/a", errno=28), "/a: No space", False, True),
    (WriteError("no writer"), "no writer", False, True),
    (DestinationBusy("busy", path="/a"), "/a: busy", False, True),
    (CatalogError("newer"), "newer", False, True),
    (Cancelled(), "cancelled", False, True),
    (Cancelled("the remote was closed", url=URL), f"{URL}: the remote was closed", False, True),
]
IDS = [f"{type(error).__name__}-{number}" for number, (error, *_) in enumerate(EXAMPLES)]
each_example = pytest.mark.parametrize("error", [error for error, *_ in EXAMPLES], ids=IDS)


def family(kind: type) -> set[type]:
    return {kind}.union(*(family(child) for child in kind.__subclasses__()))


def test_every_error_has_an_example() -> None:
    ours = {kind for kind in family(DownloadError) if kind.__module__.startswith("pulp_download.")}
    shown = {type(error) for error, *_ in EXAMPLES}
    in_cli = {kind for kind in ours if kind.__module__.startswith("pulp_download.cli")}
    assert ours - in_cli == shown


def test_the_hierarchy_is_as_drawn_at_the_top_of_the_file() -> None:
    drawn: list[tuple[str, str]] = []
    above: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        name = line.strip("\u2502\u251c\u2514\u2500 ").split(" ")[0]
        if "\u2500\u2500 " in line:
            depth = line.index("\u2500\u2500 ") // 4
            drawn.append((name, above[depth - 1]))
            above[depth:] = [name]
        elif name == "DownloadError":
            above = [name]
    assert len(drawn) > 25
    for name, parent in drawn:
        assert getattr(errors, name).__base__.__name__ == parent


@pytest.mark.parametrize(("error", "text", "retryable", "final"), EXAMPLES, ids=IDS)
def test_an_error_says_what_happened_and_what_is_worth_doing(
    error: DownloadError, text: str, retryable: bool, final: bool
) -> None:
    assert str(error) == error.message == text
    assert (error.retryable, error.final) == (retryable, final)


@pytest.mark.fault(224)
@each_example
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_an_error_survives_pickling(error: DownloadError, protocol: int) -> None:
    error = copy.copy(error)
    error.attempts = (FailedTry("http://a/", 502, "ServerFailed", "502"),) * 2
    again = pickle.loads(pickle.dumps(error, protocol))
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert vars(again) == vars(error)
    assert again.args == error.args


def test_an_error_lists_all_tries_when_there_were_several() -> None:
    error = NotFound(404, "Not Found", url="http://b/x")
    error.attempts = (
        FailedTry("http://a/x", None, "TimedOut", "http://a/x: read timeout of 1 s passed"),
        FailedTry("http://b/x", 404, "NotFound", "http://b/x: 404 Not Found"),
    )
    assert str(error) == (
        "http://b/x: 404 Not Found (after 2 tries)\n"
        "  1. TimedOut: http://a/x: read timeout of 1 s passed\n"
        "  2. NotFound: http://b/x: 404 Not Found"
    )


def test_one_try_is_not_listed() -> None:
    error = NotFound(404, "Not Found", url="http://b/x")
    error.attempts = (FailedTry("http://b/x", 404, "NotFound", error.message),)
    assert str(error) == "http://b/x: 404 Not Found"


def test_the_place_is_filled_in_once() -> None:
    error = ConnectionFailed("refused")
    assert error.at("http://a/") is error
    error.at("http://b/")
    assert error.url == "http://a/"


def test_input_errors_are_value_errors_and_others_are_not() -> None:
    assert issubclass(InvalidInput, ValueError)
    assert not issubclass(TransferError, ValueError)


def test_a_write_error_keeps_what_the_operating_system_said() -> None:
    error = WriteError.from_oserror(OSError(28, "No space left on device"), "/a/b")
    assert (error.errno, error.path) == (28, "/a/b")
    assert str(error) == "/a/b: No space left on device"
    assert str(WriteError.from_oserror(TimeoutError(), "/a")) == "/a: TimeoutError"


@pytest.mark.fault(21, 201)
def test_text_from_outside_is_escaped() -> None:
    for error in (
        BadStatus(500, "\x1b[31mred\r\n"),
        ConnectionFailed("a\nb"),
        WriteError("no", path="/a\nb"),
        ManifestError("a\x1b"),
    ):
        assert str(error).isprintable()


@pytest.mark.fault(21)
def test_a_long_text_from_outside_is_cut() -> None:
    assert len(BadStatus(500, "x" * 60_000).reason) == 300


def test_two_of_the_longest_digests_are_not_cut() -> None:
    assert str(DigestMismatch("sha3_512", "a" * 128, "b" * 128)).endswith("b" * 128)


@pytest.mark.fault(179, 224)
def test_a_kept_error_holds_no_frame_and_no_foreign_exception() -> None:
    class Big:
        pass

    def fail() -> None:
        big = Big()
        seen.append(weakref.ref(big))
        try:
            raise OSError("with secrets")
        except OSError as error:
            raise ConnectionFailed("refused") from error

    seen: list[weakref.ref[Big]] = []
    with pytest.raises(ConnectionFailed) as caught:
        fail()
    kept = caught.value.without_frames()
    del caught
    gc.collect()
    assert kept.__traceback__ is kept.__cause__ is kept.__context__ is None
    assert seen[0]() is None


def test_a_cause_of_our_own_is_kept() -> None:
    error, cause = ConnectionFailed("one"), NotFound(404)
    error.__cause__ = cause
    assert error.without_frames().__cause__ is cause


@each_example
def test_no_fact_is_a_positional_boolean(error: DownloadError) -> None:
    parameters = inspect.signature(type(error)).parameters.values()
    assert not [p for p in parameters if p.annotation in ("bool", bool)]
