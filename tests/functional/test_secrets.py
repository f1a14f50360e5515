"""Secrets are in requests, settings, remotes and downloads, and nowhere else."""

import base64
import dataclasses
import io
import logging
import pickle
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from pulp_download import (
    Batch,
    Cancelled,
    ConnectionFailed,
    DigestMismatch,
    DigestValidation,
    Download,
    DownloadError,
    Event,
    FailedTry,
    FileWriter,
    InvalidSettings,
    InvalidURL,
    MemoryWriter,
    NotAuthorized,
    NotFound,
    ProtocolViolation,
    ProxyFailed,
    Remote,
    Result,
    ServerFailed,
    Settings,
    SizeMismatch,
    SizeValidation,
    Stalled,
    Throttled,
    TimedOut,
    TLSFailed,
    TokenFailed,
    TooManyRedirects,
    TransferError,
    Truncated,
    UnsafeRedirect,
    UnsupportedScheme,
    UnverifiableLength,
    WriteError,
)
from pulp_download.settings import TLSSettings
from pulp_download.urls import URL, Credentials, redacted
from tests.functional.asking import basic
from tests.servers import (
    FaultProxy,
    FaultServer,
    authority,
    cut,
    other_authority,
    redirect,
    reply,
    send,
    stalled_before_head,
    stalled_body,
    steps,
    truncated,
    until_close,
)

# One word for each place, so that a leak says where it comes from.
USERINFO = "Canary-userinfo"
QUERY = "Canary-query"
PASSWORD = "Canary-password"
TOKEN = "Canary-token"
HEADER = "Canary-header"
OWN_HEADER = "Canary-of-the-download"
PROXY = "Canary-proxy"
COOKIE = "Canary-cookie"
WORDS = "Canary-words"

CANARIES = [USERINFO, QUERY, PASSWORD, TOKEN, HEADER, OWN_HEADER, PROXY, COOKIE, WORDS]
# The same as they are sent.
CODED = [
    base64.b64encode(f"{user}:{word}".encode()).decode()
    for user in ("me", "", "proxy")
    for word in (USERINFO, PASSWORD, PROXY)
]


def leaks(text: str | bytes, *, but: tuple[str, ...] = ()) -> list[str]:
    """The canaries that are heard in a text."""
    if isinstance(text, bytes):
        text = text.decode("latin-1")
    return [word for word in [*CANARIES, *CODED] if word in text and word not in but]


class Everything(logging.Handler):
    """Every record of every logger, formatted, with its traceback."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines = io.StringIO()
        self.setFormatter(logging.Formatter("%(name)s %(levelname)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.write(f"{self.format(record)} {record.__dict__}\n")


@pytest.fixture(autouse=True)
def logs() -> Iterator[Everything]:
    """All logs at DEBUG, which must be free of secrets when a test ends."""
    root, handler = logging.getLogger(), Everything()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield handler
    root.removeHandler(handler)
    root.setLevel(level)
    assert not leaks(handler.lines.getvalue())


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as server:
        server.default(reply(200, b"a file"))
        yield server


def laden(**fields: Any) -> Remote:
    """A remote with a secret in every place that has one."""
    given = {
        "username": "me",
        "password": PASSWORD,
        "headers": {"X-Auth-Token": HEADER},
        "max_retries": 0,
        "ca_cert": authority().pem,
        "connect_timeout": 5.0,
        **fields,
    }
    remote = Remote(**given)
    remote.session.cookies.set("login", COOKIE)
    return remote


def asked(url: str, into: Any = None, remote: Remote | None = None, **facts: Any) -> Download:
    """A download with secrets in its URL and its headers."""
    scheme, _, rest = url.partition("://")
    return Download(
        f"{scheme}://me:{USERINFO}@{rest}?key={QUERY}&{QUERY}#access={QUERY}",
        MemoryWriter() if into is None else into,
        remote=remote,
        headers={"X-Own": OWN_HEADER},
        **facts,
    )


def everything_of(thing: object) -> str:
    """All that can be read off an object, and off what it holds, without asking for secrets."""
    parts = [repr(thing), str(thing), f"{thing}"]
    if isinstance(thing, BaseException):
        parts += [repr(thing.args), repr(getattr(thing, "__notes__", ""))]
        parts += traceback.format_exception(thing)
        parts += [everything_of(held) for held in thing.args]
        parts += [everything_of(e) for e in (thing.__cause__, thing.__context__) if e is not None]
    if dataclasses.is_dataclass(thing) and not isinstance(thing, type):
        parts += [repr(getattr(thing, field.name)) for field in dataclasses.fields(thing)]
    parts += [f"{name}={value!r}" for name, value in getattr(thing, "__dict__", {}).items()]
    if isinstance(thing, (BaseException, FailedTry)):
        parts.append(pickle.dumps(thing).decode("latin-1"))
        parts += [everything_of(failed) for failed in getattr(thing, "attempts", ())]
    return "\n".join(parts)


# -- what is made


def everything_secret() -> dict[str, Any]:
    return {
        "username": "me",
        "password": PASSWORD,
        "headers": [("X-Auth-Token", HEADER)],
        "proxy_url": f"http://proxy:{PROXY}@127.0.0.1:1",
        "proxy_username": "proxy",
        "proxy_password": PROXY,
        "trusted_origins": [f"https://me:{USERINFO}@trusted.test/?{QUERY}"],
    }


@pytest.mark.fault(235)
def test_nothing_that_holds_secrets_shows_them(tmp_path: Path) -> None:
    files = authority().client_cert_files(tmp_path)
    in_key = files.key_pem.splitlines()[1]
    fields = {
        **everything_secret(),
        "client_cert": files.cert_pem,
        "client_key": files.key_pem,
    }
    settings = Settings(**fields)
    with Remote(settings) as remote, Remote(token=TOKEN) as by_token:
        remote.session.cookies.set("login", COOKIE)
        download = asked("https://a.test/b", tmp_path / "file", remote)
        things = [
            settings,
            settings.tls,
            settings.credentials,
            settings.trusted_origins,
            remote,
            remote.session,
            remote.session.auth,
            by_token,
            by_token.settings,
            by_token.session.auth,
            download,
            download.url.credentials,
            download.with_remote(None),
            FileWriter(tmp_path / "file"),
        ]
        for thing in things:
            shown = f"{thing!r}{thing!s}{thing:}"
            assert not leaks(shown), thing
            assert in_key not in shown


@pytest.mark.fault(235)
def test_what_is_shown_still_says_which_one_it_is() -> None:
    download = asked("https://a.test/b%20c", "file")
    assert repr(download) == "Download('https://a.test/b%20c?key=***&***', 'file')"
    assert repr(download.url) == "URL('https://a.test/b%20c?key=***&***')"
    assert repr(Credentials("me", "x")) == str(Credentials("me", "x")) == "Credentials(***)"
    assert "tls_validation=False" in repr(Settings(tls_validation=False))
    assert repr(TLSSettings(client_key="x")) == "TLSSettings(validation=True)"


MALFORMED = [
    "http://me:{secret}@a b/",
    "http://me:{secret}@[::1/",
    "http://me:{secret}@a.test:port/",
    "http://me:{secret}@a.test:99999/",
    "http://me:{secret}@a\\b/",
    "http://me:a/{secret}@a.test/",
    "http://me:a?{secret}@a.test/",
    "http://me:a#{secret}@a.test:port/",
    "http://me:a@b@{secret}@a.test/",
    "http://me:{secret}\n@a.test/",
    "http://me:" + "x" * 300 + "{secret}@a b/",
    "http://me:{secret}" + "x" * 300 + "@a b/",
    "http:me:{secret}@a.test/",
    "http:/me:{secret}@a.test/",
    "//me:{secret}@a.test/",
    "me:{secret}@a.test/path",
    "me:{secret}@a.test:/path",
    "https://a b/?token={secret}",
    "https://a b/#token={secret}",
    "https://a.test\0/?token={secret}",
    "file://me:{secret}@elsewhere/path",
    "\ud800http://me:{secret}@a.test/",
]


@pytest.mark.fault(224)
@pytest.mark.parametrize("text", MALFORMED)
def test_a_url_that_is_malformed_is_refused_without_its_secrets(text: str) -> None:
    url = text.replace("{secret}", USERINFO)
    with pytest.raises(InvalidURL) as caught:
        Download(url)
    assert not leaks(everything_of(caught.value))
    assert not leaks(redacted(url))


@pytest.mark.fault(224)
@pytest.mark.parametrize(
    "make",
    [
        lambda: Settings(headers={f"Authorization: Bearer {HEADER}": ""}),
        lambda: Settings(headers={"Authorization": f"Bearer {HEADER}\r\n"}),
        lambda: Settings(headers={"X-Auth": f"{HEADER}\u2603"}),
        lambda: Settings(headers=f"X-Auth: {HEADER}"),
        lambda: Settings(headers=[f"X-Auth: {HEADER}"]),
        lambda: Download("http://a.test/", headers={"X-Auth": f"{OWN_HEADER}\n"}),
        lambda: Settings(password=PASSWORD),
        lambda: Settings(username="me", password=PASSWORD, token=TOKEN),
        lambda: Settings(proxy_url=f"http://me:{PROXY}@a b"),
        lambda: Settings(proxy_url=f"me:{PROXY}@proxy.test"),
        lambda: Settings(proxy_url=f"socks5://me:{PROXY}@proxy.test"),
        lambda: Settings(proxy_username="me", proxy_password=PROXY),
        lambda: Settings(trusted_origins=[f"http://me:{USERINFO}@a b"]),
        lambda: Settings(trusted_origins=[f"me:{USERINFO}@trusted.test"]),
        lambda: Remote(client_cert="/absent", client_key=f"-----BEGIN KEY-----\n{WORDS}"),
        lambda: Remote(client_cert=f"MII{WORDS}\nAAAA\n", client_key=f"MII{WORDS}\nAAAA\n"),
        lambda: Remote(ca_cert=f"-----BEGIN CERTIFICATE-----\n{WORDS}\n"),
    ],
)
def test_settings_that_are_refused_are_not_repeated(make: Callable[[], object]) -> None:
    with pytest.raises((InvalidSettings, InvalidURL)) as caught:
        make()
    assert not leaks(everything_of(caught.value))


# -- what comes of it


def test_a_success_tells_nothing(server: FaultServer, tmp_path: Path) -> None:
    events: list[Event] = []
    server.on("/a", redirect(f"/b?signature={QUERY}"))
    with laden() as remote:
        download = asked(server.url("/a"), tmp_path / "file", remote, attachment=7)
        result = download.run(observer=events.append)
        with download.iter_content() as content:
            shown = f"{content!r}{content!s}{content.url}{content.final_url}"
            assert b"".join(content) == b"a file"
    assert not leaks(shown)
    assert len(events) >= 2
    for thing in (result, *events):
        assert not leaks(everything_of(thing)), thing
        # Query values in the download's own URL are the caller's; they come back to the caller.
        assert not leaks(pickle.dumps(thing), but=(QUERY,)), thing
    assert server.requests[0].headers["Authorization"] == basic("me", USERINFO)
    assert server.requests[0].headers["X-Auth-Token"] == HEADER
    assert server.requests[0].headers["X-Own"] == OWN_HEADER
    assert server.requests[0].headers["Cookie"] == f"login={COOKIE}"


def test_an_open_content_is_not_pickled(server: FaultServer) -> None:
    with (
        laden() as remote,
        asked(server.url("/a"), None, remote).iter_content() as content,
        pytest.raises(TypeError, match="cannot be pickled"),
    ):
        pickle.dumps(content)


def test_a_result_comes_back_with_its_download_and_without_its_remote(
    server: FaultServer, tmp_path: Path
) -> None:
    with laden() as remote:
        result = asked(server.url("/a"), tmp_path / "file", remote, attachment="pk").run()
    again = pickle.loads(pickle.dumps(result))
    assert isinstance(again, Result)
    assert (again.download.attachment, again.path, again.size) == ("pk", tmp_path / "file", 6)
    assert again.download.remote is None
    assert again.download.headers == ()
    assert again.download.url.credentials is None
    assert again.download.source == result.download.source


# -- what goes wrong

Kind = type[DownloadError]


def failures(folder: Path) -> dict[str, tuple[Kind, Callable[[FaultServer], None], dict[str, Any]]]:
    """What a server does, by a name; with the error it makes, and settings to meet it."""

    def says(script: Any) -> Callable[[FaultServer], None]:
        return lambda server: server.default(script)

    def echo(status: int) -> Callable[[FaultServer], None]:
        """Servers repeat what they were asked for in what nobody reads."""
        return says(reply(status, f"who is {PASSWORD} {QUERY}?".encode()))

    return {
        "401": (NotAuthorized, echo(401), {}),
        "403": (NotAuthorized, echo(403), {}),
        "404": (NotFound, echo(404), {}),
        "407": (NotAuthorized, echo(407), {}),
        "418": (TransferError, echo(418), {}),
        "204": (ProtocolViolation, says(reply(204)), {}),
        "429": (Throttled, says(reply(429, headers={"Retry-After": "9999"})), {"max_retries": 1}),
        "500": (ServerFailed, echo(500), {}),
        "cut": (Truncated, says(truncated(b"a file", sent=3)), {}),
        "garbage": (ProtocolViolation, says(steps(send(b"not HTTP\r\n\r\n"), cut())), {}),
        "closed": (ConnectionFailed, says(cut()), {}),
        "silent": (TimedOut, says(stalled_before_head()), {"sock_read_timeout": 0.2}),
        "total": (TimedOut, says(stalled_before_head()), {"total_timeout": 0.2}),
        "stalled": (
            Stalled,
            says(stalled_body(b"a file" * 9, sent=3)),
            {"stall_period": 0.2, "min_speed": 1000.0},
        ),
        "no length": (UnverifiableLength, says(until_close(b"a file")), {"require_length": True}),
        "loop": (
            TooManyRedirects,
            lambda server: server.on("/a", redirect(server.url(f"/a?key={QUERY}&{QUERY}"))),
            {},
        ),
        "many": (
            TooManyRedirects,
            lambda server: server.default(redirect(f"/b?key={QUERY}")),
            {"max_redirects": 0},
        ),
        "to a file": (
            UnsafeRedirect,
            says(redirect(f"file:///{WORDS}?{QUERY}")),
            {},
        ),
        "malformed": (
            UnsafeRedirect,
            says(redirect(f"http://me:{USERINFO}@a b/?{QUERY}")),
            {},
        ),
        "too big": (SizeMismatch, says(reply(200, b"a file")), {"max_size": 3}),
        "token": (
            TokenFailed,
            says(reply(200)),
            {"username": None, "password": None, "token": broken_source},
        ),
        "token with CRLF": (
            TokenFailed,
            says(reply(200)),
            {"username": None, "password": None, "token": f"{TOKEN}\r\nX: 1"},
        ),
        "no proxy there": (
            ProxyFailed,
            says(reply(200)),
            {"proxy_url": f"http://proxy:{PROXY}@127.0.0.1:1"},
        ),
        "proxy named apart": (
            ProxyFailed,
            says(reply(200)),
            {
                "proxy_url": "http://127.0.0.1:1",
                "proxy_username": "proxy",
                "proxy_password": PROXY,
            },
        ),
    }


def broken_source() -> tuple[str, None]:
    raise RuntimeError(f"the password {WORDS} was not accepted")


@pytest.mark.fault(224, 225)
@pytest.mark.parametrize("name", failures(Path()))
def test_a_failure_of_any_kind_tells_nothing(
    server: FaultServer, logs: Everything, tmp_path: Path, name: str
) -> None:
    kind, prepare, fields = failures(tmp_path)[name]
    prepare(server)
    events: list[Event] = []
    is_by_token = "token" in fields
    url = server.url("/a")
    with laden(**fields) as remote:
        download = (
            Download(f"{url}?key={QUERY}", MemoryWriter(), remote=remote)
            if is_by_token
            else asked(url, MemoryWriter(), remote)
        )
        with pytest.raises(kind) as caught:
            download.run(observer=events.append)
        with Batch([download], concurrency=1, observer=events.append) as batch:
            (future,) = list(batch)
        with pytest.raises(kind) as opened:
            for _ in download.iter_content(observer=events.append):
                pass
    kept = future.exception()
    assert isinstance(kept, kind)
    for error in (caught.value, kept, opened.value):
        assert not leaks(everything_of(error)), error
        for failed in error.attempts:
            assert not leaks(everything_of(failed))
    assert (kept.__traceback__, kept.__context__, kept.__cause__) == (None, None, None)
    assert {type(event).__name__ for event in events} >= {"Started", "TryFailed", "Finished"}
    for event in events:
        assert not leaks(everything_of(event)), event
        assert not leaks(pickle.dumps(event), but=(QUERY,)), event
    logging.getLogger("a.caller").error("it failed", exc_info=caught.value)
    logging.getLogger("a.caller").error("it failed: %s %r", kept, kept)
    assert not leaks(logs.lines.getvalue())


@pytest.mark.fault(224)
@pytest.mark.parametrize("how", ["digest", "size"])
def test_bytes_that_are_wrong_tell_nothing(server: FaultServer, how: str) -> None:
    wrong, kind = {
        "digest": (DigestValidation("sha256", "0" * 64), DigestMismatch),
        "size": (SizeValidation(99), SizeMismatch),
    }[how]
    with laden() as remote, pytest.raises(kind) as caught:
        asked(server.url("/a"), None, remote, validations=[wrong]).run()
    assert not leaks(everything_of(caught.value))


@pytest.mark.fault(224)
def test_what_cannot_be_written_tells_nothing(server: FaultServer, tmp_path: Path) -> None:
    with laden() as remote, pytest.raises(WriteError) as caught:
        asked(server.url("/a"), tmp_path, remote).run()
    assert not leaks(everything_of(caught.value))


@pytest.mark.fault(224)
def test_a_cancelled_download_tells_nothing(server: FaultServer) -> None:
    server.default(stalled_before_head())
    errors: list[BaseException] = []
    with laden() as remote:
        download = asked(server.url("/a"), None, remote)

        def run() -> None:
            try:
                download.run()
            except DownloadError as error:
                errors.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        server.wait_for(lambda: server.held == 1)
        download.cancel()
        thread.join()
    assert isinstance(errors[0], Cancelled)
    assert not leaks(everything_of(errors[0]))


@pytest.mark.fault(224)
def test_a_scheme_that_nobody_speaks_tells_nothing() -> None:
    with laden() as remote, pytest.raises(UnsupportedScheme) as caught:
        asked("gopher://a.test/b", None, remote).run()
    assert not leaks(everything_of(caught.value))


@pytest.mark.fault(224)
def test_tls_that_is_not_trusted_tells_nothing(tmp_path: Path) -> None:
    files = authority().client_cert_files(tmp_path)
    with FaultServer(tls=authority().server_context()) as secure:
        fields = {"client_cert": files.cert_pem, "client_key": files.key_pem}
        with (
            laden(**{**fields, "ca_cert": other_authority().pem}) as remote,
            pytest.raises(TLSFailed) as caught,
        ):
            asked(secure.url("/a"), None, remote).run()
    shown = everything_of(caught.value)
    assert not leaks(shown)
    assert files.key_pem.splitlines()[1] not in shown


@pytest.mark.fault(224, 225)
def test_a_proxy_that_refuses_us_tells_nothing(server: FaultServer) -> None:
    with FaultProxy(credentials=("someone", "else")) as proxy:
        fields = {"proxy_url": proxy.url("/", userinfo=f"proxy:{PROXY}")}
        for url in (server.url("/a"), "https://upstream.test/a"):
            with laden(**fields) as remote, pytest.raises(NotAuthorized) as caught:
                asked(url, None, remote).run()
            assert not leaks(everything_of(caught.value))


@pytest.mark.fault(225)
def test_an_observer_that_raises_is_logged_without_our_secrets(server: FaultServer) -> None:
    def observer(event: Event) -> None:
        raise RuntimeError(f"cannot show {event!r}")

    with laden() as remote:
        asked(server.url("/a"), None, remote).run(observer=observer)


@pytest.mark.fault(224)
def test_every_try_of_several_is_told_without_secrets(server: FaultServer) -> None:
    server.default([reply(500), truncated(b"a file", sent=1), reply(404)])
    with laden(max_retries=5) as remote, pytest.raises(NotFound) as caught:
        asked(server.url("/a"), None, remote).run()
    assert [failed.type for failed in caught.value.attempts] == [
        "ServerFailed",
        "Truncated",
        "NotFound",
    ]
    assert {failed.url for failed in caught.value.attempts} == {server.url("/a?key=***&***")}
    assert not leaks(everything_of(caught.value))


@pytest.mark.fault(223)
def test_what_one_download_is_given_does_not_go_to_another_of_the_same_remote(
    server: FaultServer,
) -> None:
    with FaultServer(host="127.0.0.2") as other:
        other.default(reply(200, b"a file"))
        with Remote(max_retries=0) as remote:
            asked(server.url("/a"), None, remote).run()
            Download(other.url("/b"), MemoryWriter(), remote=remote).run()
            Download(server.url("/c"), MemoryWriter(), remote=remote).run()
        for request in (other.requests[0], server.requests[1]):
            assert not leaks(request.raw)


def test_the_canaries_would_be_heard(server: FaultServer) -> None:
    """The search finds what it searches for, in the places where secrets belong."""
    with laden() as remote:
        download = asked(server.url("/a"), None, remote)
        download.run()
        assert {USERINFO, QUERY, PASSWORD, HEADER, OWN_HEADER} <= set(leaks(pickle.dumps(download)))
        assert leaks(str(download.url)) == [QUERY]
    assert {QUERY, HEADER, OWN_HEADER, COOKIE, CODED[0]} <= set(leaks(server.requests[0].raw))
    assert leaks(everything_of(ValueError(WORDS))) == [WORDS]
    assert leaks(quote(PROXY)) == [PROXY]
    assert URL.parse(f"http://a:{USERINFO}@b/").credentials == Credentials("a", USERINFO)
