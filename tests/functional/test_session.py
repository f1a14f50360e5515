"""``remote.session`` is a ``requests.Session``: what is set on it takes effect and wins."""

import gzip
import hashlib
import io
import itertools
import re
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from requests.adapters import BaseAdapter, HTTPAdapter
from requests.auth import AuthBase, HTTPDigestAuth

from pulp_download import (
    ConnectionFailed,
    DigestMismatch,
    DigestValidation,
    Download,
    DownloadError,
    InvalidSettings,
    MemoryWriter,
    NotAuthorized,
    NotFound,
    Remote,
    SizeValidation,
    TLSFailed,
    TooManyRedirects,
    TransferError,
)
from pulp_download.settings import TLSSettings
from pulp_download.tls import ssl_context
from tests.functional.asking import basic, fetched, fetched_together, one_try, only_for
from tests.servers import (
    Conversation,
    FaultProxy,
    FaultServer,
    Request,
    authority,
    chunk,
    chunked,
    hold,
    other_authority,
    pause,
    redirect,
    reply,
    stalled_body,
    steps,
    truncated,
)

pytestmark = pytest.mark.need("I7")


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as server:
        server.default(reply(200, b"a file"))
        yield server


@pytest.fixture
def secure() -> Iterator[FaultServer]:
    with FaultServer(tls=authority().server_context()) as server:
        server.default(reply(200, b"a file"))
        yield server


def test_it_is_a_real_one_and_stays_the_same() -> None:
    with Remote() as remote:
        assert isinstance(remote.session, requests.Session)
        assert remote.session is remote.session


# -- headers, cookies, parameters


def test_headers_are_sent_and_win_over_the_settings(server: FaultServer) -> None:
    with one_try(headers={"X-Kept": "settings", "X-Changed": "settings", "X-Gone": "1"}) as remote:
        remote.session.headers["x-changed"] = "session"
        remote.session.headers["X-New"] = "session"
        remote.session.headers["User-Agent"] = "me/1"
        del remote.session.headers["X-Gone"]
        fetched(server.url("/a"), remote)
    sent = server.requests[0].headers
    assert (sent["X-Kept"], sent["X-Changed"], sent["X-New"]) == ("settings", "session", "session")
    assert sent.all("User-Agent") == ["me/1"]
    assert "X-Gone" not in sent


def test_headers_of_a_download_win_over_the_session(server: FaultServer) -> None:
    with one_try() as remote:
        remote.session.headers["X-One"] = "session"
        fetched(server.url("/a"), remote, headers={"x-one": "download"})
    assert server.requests[0].headers.all("X-One") == ["download"]


def test_repeated_headers_of_the_settings_are_one_field(server: FaultServer) -> None:
    with one_try(headers=[("X-Many", "a"), ("x-many", "b")]) as remote:
        fetched(server.url("/a"), remote)
    assert server.requests[0].headers.all("X-Many") == ["a, b"]


@pytest.mark.parametrize("fields", [{"username": "me", "password": "x"}, {"token": "settings"}])
def test_an_authorization_header_wins_over_the_credentials_of_the_settings(
    server: FaultServer, fields: dict[str, str]
) -> None:
    server.default(reply(401))
    with one_try(**fields) as remote, pytest.raises(NotAuthorized):
        remote.session.headers["Authorization"] = "Special session"
        fetched(server.url("/a"), remote)
    assert [r.headers.all("Authorization") for r in server.requests] == [["Special session"]]


def test_cookies_are_sent(server: FaultServer) -> None:
    with one_try() as remote:
        remote.session.cookies.set("login", "me")
        remote.session.cookies.set("elsewhere", "no", domain="elsewhere.test")
        fetched(server.url("/a"), remote)
        remote.session.cookies = requests.cookies.cookiejar_from_dict({"other": "jar"})
        fetched(server.url("/a"), remote)
    assert [r.headers.all("Cookie") for r in server.requests] == [["login=me"], ["other=jar"]]


@pytest.mark.fault(84)
def test_a_jar_of_the_callers_own_keeps_what_servers_set(server: FaultServer) -> None:
    server.on("/a", reply(200, b"a file", headers={"Set-Cookie": "planted=1"}))
    with one_try() as remote:
        fetched(server.url("/a"), remote)
        remote.session.cookies = requests.cookies.RequestsCookieJar()
        fetched(server.url("/a"), remote)
        fetched(server.url("/a"), remote)
    assert [r.headers.get("Cookie") for r in server.requests] == [None, None, "planted=1"]


def test_parameters_are_added_to_what_is_asked_for_and_not_to_redirects(
    server: FaultServer,
) -> None:
    server.on("/a", redirect("/b?c=d"))
    with one_try() as remote:
        remote.session.params = {"key": "of the session"}
        assert fetched(server.url("/a?own=1"), remote) == b"a file"
    assert [r.target for r in server.requests] == ["/a?own=1&key=of+the+session", "/b?c=d"]


# -- auth objects


def test_a_pair_is_basic_and_wins_over_the_settings(server: FaultServer) -> None:
    for fields in ({"username": "you", "password": "other"}, {"token": "other"}, {}):
        with one_try(**fields) as remote:
            remote.session.auth = ("me", "secret")
            fetched(server.url("/a"), remote)
    assert {r.headers["Authorization"] for r in server.requests} == {basic("me", "secret")}


def test_an_auth_object_wins_over_an_authorization_header_as_in_requests(
    server: FaultServer,
) -> None:
    with one_try() as remote:
        remote.session.headers["Authorization"] = "Bearer header"
        remote.session.auth = ("me", "secret")
        fetched(server.url("/a"), remote)
    assert server.requests[0].headers.all("Authorization") == [basic("me", "secret")]


class Signing(AuthBase):
    """Signs the method and the URL, as object stores want it."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["X-Signed"] = f"{request.method} {request.url}"
        return request


def test_an_auth_object_signs_the_url_that_is_sent(server: FaultServer) -> None:
    """requests alone would show it ``/~a`` for ``/%7ea``."""
    with one_try() as remote:
        remote.session.auth = Signing()
        fetched(server.url("/%7ea/%2e?b=%7e"), remote)
    (request,) = server.requests
    assert request.target == "/%7ea/%2e?b=%7e"
    assert request.headers["X-Signed"] == f"GET {server.url(request.target)}"


def md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


class DigestRealm:
    """A script that checks Digest answers (RFC 7616) as a server must: each number once."""

    def __init__(self, username: str, password: str) -> None:
        self.username = username
        self.key = md5(f"{username}:files:{password}")
        self.nonces = (f"nonce-{number}" for number in itertools.count())
        self.used: dict[str, set[str]] = {}
        self.challenged = 0
        self.lock = threading.Lock()

    def __call__(self, conn: Conversation, request: Request) -> None:
        with self.lock:
            allowed = self.allows(request)
            if not allowed:
                self.challenged += 1
                nonce = next(self.nonces)
                self.used[nonce] = set()
        if allowed:
            reply(200, b"welcome")(conn, request)
            return
        challenge = f'Digest realm="files", qop="auth", algorithm=MD5, nonce="{nonce}", opaque="o"'
        reply(401, b"who?", headers={"WWW-Authenticate": challenge})(conn, request)

    def allows(self, request: Request) -> bool:
        kind, _, rest = request.headers.get("Authorization", "").partition(" ")
        if kind != "Digest":
            return False
        said = dict(re.findall(r'(\w+)="?([^",]*)"?', rest))
        counts = self.used.get(said["nonce"])
        if counts is None or said["nc"] in counts or said["uri"] != request.target:
            return False
        counts.add(said["nc"])
        action = md5(f"{request.method}:{said['uri']}")
        parts = (self.key, said["nonce"], said["nc"], said["cnonce"], said["qop"], action)
        return said["username"] == self.username and said["response"] == md5(":".join(parts))


@pytest.mark.fault(55)
def test_digest_authentication_is_answered_and_remembered(server: FaultServer) -> None:
    realm = DigestRealm("me", "secret")
    server.default(realm)
    with one_try() as remote:
        remote.session.auth = HTTPDigestAuth("me", "secret")
        for path in ("/a", "/b%7Ec?d=%2f", "/e f", "/b%7Ec?d=%2f"):
            into = MemoryWriter()
            assert Download(server.url(path), into, remote=remote).run().attempts == ()
            assert into.getvalue() == b"welcome"
        with Download(server.url("/h"), remote=remote).head() as content:
            assert content.status == 200
    assert realm.challenged == 1
    assert server.accepted == 1


@pytest.mark.fault(55)
def test_digest_authentication_works_for_many_threads(server: FaultServer) -> None:
    server.default(DigestRealm("me", "secret"))
    with one_try() as remote:
        remote.session.auth = HTTPDigestAuth("me", "secret")
        assert fetched_together(server.url("/a"), remote, 16) == [b"welcome"] * 16


@pytest.mark.fault(55)
def test_a_wrong_digest_password_is_an_authorization_error_after_one_answer(
    server: FaultServer,
) -> None:
    server.default(DigestRealm("me", "secret"))
    with one_try() as remote, pytest.raises(NotAuthorized):
        remote.session.auth = HTTPDigestAuth("me", "wrong")
        fetched(server.url("/a"), remote)
    assert len(server.requests) == 2


@pytest.mark.fault(55)
@pytest.mark.parametrize(
    "challenge",
    [
        "Digest",
        'Digest realm="files"',
        'Digest nonce="n"',
        'Digest realm="files", nonce="n", algorithm=UNKNOWN',
        'Digest realm="files", nonce="n", qop="auth-int"',
        "Negotiate",
        'Basic realm="files", Negotiate, Bearer',
        "",
    ],
)
def test_a_challenge_that_cannot_be_met_is_an_authorization_error(
    server: FaultServer, challenge: str
) -> None:
    server.default(reply(401, headers={"WWW-Authenticate": challenge}))
    with one_try() as remote, pytest.raises(NotAuthorized) as caught:
        remote.session.auth = HTTPDigestAuth("me", "S3CRET")
        fetched(server.url("/a"), remote)
    assert caught.value.status == 401
    assert all(b"S3CRET" not in request.raw for request in server.requests)


@pytest.mark.fault(55)
def test_a_challenge_of_another_kind_does_not_get_the_basic_password_again(
    server: FaultServer,
) -> None:
    server.default(reply(401, headers={"WWW-Authenticate": "Negotiate"}))
    with one_try(username="me", password="wrong") as remote, pytest.raises(NotAuthorized):
        fetched(server.url("/a"), remote)
    assert len(server.requests) == 1


# -- hooks


def test_hooks_get_a_real_response(server: FaultServer) -> None:
    seen: list[Any] = []

    def hook(response: requests.Response, **facts: Any) -> None:
        seen.append((type(response), response.status_code, response.url, response.headers["X-Is"]))
        seen.append((response.request.method, response.elapsed.total_seconds() >= 0))

    server.default(reply(200, b"a file", headers={"X-Is": "here"}))
    with one_try() as remote:
        remote.session.hooks["response"].append(hook)
        assert fetched(server.url("/a?b"), remote) == b"a file"
    assert seen == [(requests.Response, 200, server.url("/a?b"), "here"), ("GET", True)]


@pytest.mark.parametrize("body", [b"a file", b"", b"x" * 1_000_000])
@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_hook_may_read_the_content_which_is_verified_all_the_same(
    server: FaultServer, body: bytes, is_chunked: bool
) -> None:
    pieces = [chunk(body[start : start + 7000]) for start in range(0, len(body), 7000)]
    server.default(chunked(pieces) if is_chunked else reply(200, body))
    seen = []
    right = [SizeValidation(len(body)), DigestValidation("md5", hashlib.md5(body).hexdigest())]
    with one_try() as remote:
        remote.session.hooks["response"].append(lambda r, **facts: seen.append(r.content))
        assert fetched(server.url("/a"), remote, validations=right) == body
        with pytest.raises(DigestMismatch):
            fetched(server.url("/a"), remote, validations=[DigestValidation("md5", "0" * 32)])
    assert seen == [body, body]
    assert server.accepted == 1


def test_a_coded_content_that_a_hook_decoded_is_refused_for_the_bytes_as_sent_are_gone(
    server: FaultServer,
) -> None:
    coded = gzip.compress(b"a file" * 100)
    server.default(reply(200, coded, headers={"Content-Encoding": "gzip"}))
    seen = []
    with one_try() as remote:
        assert fetched(server.url("/a"), remote) == coded
        remote.session.hooks["response"].append(lambda r, **facts: seen.append(r.text))
        with pytest.raises(TransferError, match="decoded") as caught:
            fetched(server.url("/a"), remote)
    assert seen == ["a file" * 100]
    assert caught.value.url == server.url("/a")


def test_a_hook_that_reads_half_of_a_broken_content_fails_the_try(server: FaultServer) -> None:
    server.default(truncated(b"a file", sent=3))
    with one_try() as remote, pytest.raises(TransferError):
        remote.session.hooks["response"].append(lambda r, **facts: r.content)
        fetched(server.url("/a"), remote)


def test_a_hook_may_put_another_response_in_its_place(server: FaultServer) -> None:
    def instead(response: requests.Response, **facts: Any) -> requests.Response | None:
        if response.status_code != 404:
            return None
        response.close()
        return remote.session.get(server.url("/there"))

    server.on("/a", reply(404))
    with one_try() as remote:
        remote.session.hooks["response"].append(instead)
        assert fetched(server.url("/a"), remote) == b"a file"


def test_what_a_hook_raises_of_requests_is_a_transfer_error(server: FaultServer) -> None:
    server.default(reply(404))
    with one_try() as remote, pytest.raises(TransferError):
        remote.session.hooks["response"].append(lambda r, **facts: r.raise_for_status())
        fetched(server.url("/a"), remote)


def test_what_a_hook_raises_of_its_own_is_its_bug_and_not_wrapped(server: FaultServer) -> None:
    def hook(response: requests.Response, **facts: Any) -> None:
        raise KeyError("a bug")

    with one_try() as remote:
        remote.session.hooks["response"].append(hook)
        with pytest.raises(KeyError, match="a bug"):
            fetched(server.url("/a"), remote)
        remote.session.hooks["response"].clear()
        assert fetched(server.url("/a"), remote) == b"a file"


# -- trust, certificates, proxies, limits


def test_verify_wins_over_the_settings(secure: FaultServer, tmp_path: Path) -> None:
    right = str(authority().file(tmp_path))
    with one_try(ca_cert=other_authority().pem) as remote:
        with pytest.raises(TLSFailed):
            fetched(secure.url("/a"), remote)
        remote.session.verify = right
        assert fetched(secure.url("/a"), remote) == b"a file"
    with one_try(ca_cert=other_authority().pem) as remote:
        remote.session.verify = False
        assert fetched(secure.url("/a"), remote) == b"a file"
    with one_try(ca_cert=right, tls_validation=False) as remote:
        remote.session.verify = True
        assert fetched(secure.url("/a"), remote) == b"a file"
    with one_try(tls_validation=False) as remote, pytest.raises(TLSFailed):
        remote.session.verify = True
        fetched(secure.url("/a"), remote)


def test_verify_may_be_any_path(secure: FaultServer, tmp_path: Path) -> None:
    with one_try(ca_cert=authority().pem) as remote:
        remote.session.verify = other_authority().file(tmp_path)  # type: ignore[assignment]
        with pytest.raises(TLSFailed):
            fetched(secure.url("/a"), remote)
        (tmp_path / "right").mkdir()
        remote.session.verify = authority().file(tmp_path / "right")  # type: ignore[assignment]
        assert fetched(secure.url("/a"), remote) == b"a file"


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("verify", object(), "session.verify: object is no path"),
        ("cert", 5, "session.cert: int is no path"),
        ("cert", ("a", 5), "session.cert: int is no path"),
        ("cert", ["a", "b", "c"], "session.cert: 3 values, not a path or a pair of them"),
    ],
)
def test_what_is_no_path_is_refused(
    secure: FaultServer, name: str, value: object, text: str
) -> None:
    with one_try(ca_cert=authority().pem) as remote:
        setattr(remote.session, name, value)
        with pytest.raises(InvalidSettings, match=re.escape(text)):
            fetched(secure.url("/a"), remote)
    assert secure.requests == []


@pytest.mark.parametrize("form", [list, tuple])
def test_cert_may_be_any_path_or_a_pair_of_them(
    tmp_path: Path, form: Callable[[object], Any]
) -> None:
    you = authority().client_cert_files(tmp_path, "you.test")
    context = authority().server_context(client_certs=ssl.CERT_REQUIRED)
    with FaultServer(tls=context) as server, one_try(ca_cert=authority().pem) as remote:
        server.default(reply(200, b"a file"))
        for value in (form((you.cert, you.key)), you.both):
            remote.session.cert = value
            assert fetched(server.url("/a"), remote) == b"a file"


def test_cert_wins_over_the_settings(tmp_path: Path) -> None:
    me = authority().client_cert_files(tmp_path, "me.test")
    you = authority().client_cert_files(tmp_path, "you.test")
    context = authority().server_context(client_certs=ssl.CERT_OPTIONAL)
    with FaultServer(tls=context) as server:
        server.default(reply(200, b"a file"))
        with one_try(ca_cert=authority().pem, client_cert=str(me.both)) as remote:
            remote.session.cert = (str(you.cert), str(you.key))
            fetched(server.url("/a"), remote)
            remote.session.cert = None
            fetched(server.url("/a"), remote)
        first, second = (request.client_certificate for request in server.requests)
    assert first is not None and first["subjectAltName"] == (("DNS", "you.test"),)
    assert second is None


def test_proxies_win_over_the_settings(server: FaultServer) -> None:
    with FaultProxy() as mine, FaultProxy() as of_settings:
        with one_try(proxy_url=of_settings.url("/")) as remote:
            remote.session.proxies = {"http": mine.url("/")}
            fetched(server.url("/a"), remote)
            remote.session.proxies = {}
            fetched(server.url("/a"), remote)
        assert (len(mine.requests), len(of_settings.requests)) == (1, 0)


def test_a_proxy_for_one_host_is_for_that_host(server: FaultServer) -> None:
    with FaultProxy() as proxy, FaultServer(host="127.0.0.2") as other:
        other.default(reply(200, b"another"))
        with one_try() as remote:
            remote.session.proxies["http://127.0.0.2"] = proxy.url("/")
            fetched(server.url("/a"), remote)
            fetched(other.url("/a"), remote)
        assert [r.target for r in proxy.requests] == [other.url("/a")]


def test_max_redirects_wins_over_the_settings(server: FaultServer) -> None:
    server.on("/a", redirect("/b"))
    server.on("/b", redirect("/c"))
    with one_try(max_redirects=10) as remote:
        remote.session.max_redirects = 1
        with pytest.raises(TooManyRedirects):
            fetched(server.url("/a"), remote)
        remote.session.max_redirects = 2
        assert fetched(server.url("/a"), remote) == b"a file"


# -- adapters


class Shelf(BaseAdapter):
    """The least that requests asks of an adapter, over a dictionary."""

    def __init__(self, files: dict[str, bytes]) -> None:
        super().__init__()
        self.files = files
        self.asked: list[tuple[str | None, str | None]] = []
        self.closed = 0

    def send(
        self, request: requests.PreparedRequest, *args: Any, **facts: Any
    ) -> requests.Response:
        self.asked.append((request.method, request.url))
        body = self.files.get(str(request.url))
        response = requests.Response()
        response.status_code = 404 if body is None else 200
        response.raw = io.BytesIO(body or b"")
        return response

    def close(self) -> None:
        self.closed += 1


def test_an_adapter_of_ones_own_makes_a_new_protocol() -> None:
    body = b"from memory" * 10_000
    shelf = Shelf({"mem://shelf/a%20b?c": body})
    digest = DigestValidation("sha256", hashlib.sha256(body).hexdigest())
    with one_try() as remote:
        remote.session.mount("mem://", shelf)
        assert fetched("mem://shelf/a b?c", remote, validations=[digest]) == body
        with pytest.raises(DigestMismatch):
            wrong = DigestValidation("sha256", "0" * 64)
            fetched("mem://shelf/a b?c", remote, validations=[wrong])
        with pytest.raises(NotFound):
            fetched("mem://shelf/absent", remote)
        with Download("mem://shelf/a b?c", remote=remote).head() as content:
            assert content.status == 200
        with Download("mem://shelf/a b?c", remote=remote).iter_content(1000) as content:
            assert b"".join(content) == body
    assert shelf.asked[0] == ("GET", "mem://shelf/a%20b?c")
    assert shelf.closed == 1


def test_an_adapter_on_a_prefix_is_for_that_prefix(server: FaultServer) -> None:
    shelf = Shelf({server.url("/memory/a"): b"from memory"})
    with one_try() as remote:
        remote.session.mount(server.url("/memory/"), shelf)
        assert fetched(server.url("/memory/a"), remote) == b"from memory"
        assert fetched(server.url("/a"), remote) == b"a file"
    assert [r.target for r in server.requests] == ["/a"]


@pytest.mark.parametrize("is_chunked", [False, True])
def test_the_stock_adapter_of_requests_serves_downloads(
    server: FaultServer, is_chunked: bool
) -> None:
    body = bytes(range(256)) * 1000
    server.on("/a", chunked([chunk(body)]) if is_chunked else reply(200, body))
    server.on("/absent", reply(404))
    server.on("/moved", redirect("/a"))
    server.on("/cut", truncated(body, sent=1000))
    right = [SizeValidation(len(body)), DigestValidation("md5", hashlib.md5(body).hexdigest())]
    with one_try() as remote:
        remote.session.mount("http://", HTTPAdapter())
        assert fetched(server.url("/a"), remote, validations=right) == body
        assert fetched(server.url("/moved"), remote, validations=right) == body
        with pytest.raises(NotFound):
            fetched(server.url("/absent"), remote)
        with pytest.raises(DownloadError):
            fetched(server.url("/cut"), remote, validations=right)
    assert server.accepted <= 3


def test_the_stock_adapter_takes_certificates_and_authorities_by_path(
    secure: FaultServer, tmp_path: Path
) -> None:
    with one_try(ca_cert=str(authority().file(tmp_path))) as remote:
        remote.session.mount("https://", HTTPAdapter())
        assert fetched(secure.url("/a"), remote) == b"a file"


@pytest.mark.fault(224)
def test_what_the_stock_adapter_says_of_a_key_is_not_repeated(
    secure: FaultServer, tmp_path: Path
) -> None:
    files = authority().client_cert_files(tmp_path)
    with one_try(client_cert=files.cert_pem, client_key=files.key_pem) as remote:
        remote.session.mount("https://", HTTPAdapter())
        with pytest.raises(ConnectionFailed) as caught:
            fetched(secure.url("/a"), remote)
    assert "BEGIN" not in f"{caught.value!s}{caught.value!r}{vars(caught.value)}"


# -- the environment is left alone


@pytest.mark.fault(65)
@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_a_bundle_of_the_environment_does_not_replace_the_pinned_authority(
    secure: FaultServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, str(authority().file(tmp_path)))
    for fields in ({}, {"ca_cert": other_authority().pem}):
        with one_try(**fields) as remote:
            assert remote.session.trust_env is False
            with pytest.raises(TLSFailed):
                fetched(secure.url("/a"), remote)
            with pytest.raises(Exception, match=r"certificate|CERTIFICATE"):
                remote.session.get(secure.url("/a"))
    monkeypatch.setenv(name, str(tmp_path / "absent"))
    with one_try(ca_cert=authority().pem) as remote:
        assert fetched(secure.url("/a"), remote) == b"a file"
    assert len(secure.requests) == 1


@pytest.mark.fault(221)
def test_a_netrc_of_the_environment_is_ignored(
    server: FaultServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "netrc"
    path.write_text("default login me password secret\n")
    path.chmod(0o600)
    monkeypatch.setenv("NETRC", str(path))
    with one_try(token="mine") as remote:
        fetched(server.url("/a"), remote)
        remote.session.get(server.url("/a"))
        remote.session.auth = None
        fetched(server.url("/a"), remote)
        remote.session.get(server.url("/a"))
    sent = [request.headers.get("Authorization") for request in server.requests]
    assert sent == ["Bearer mine", "Bearer mine", None, None]


# -- used as requests is used


def test_get_works_as_with_requests(server: FaultServer) -> None:
    server.on("/moved", redirect("/a?b=c", body=b"over there"))
    server.on("/json", reply(200, b'{"a": [1]}', headers={"Content-Type": "application/json"}))
    server.on("/gone", reply(410, b"gone"))
    server.on("/coded", reply(200, gzip.compress(b"words"), headers={"Content-Encoding": "gzip"}))
    with one_try() as remote:
        session = remote.session
        moved = session.get(server.url("/moved"), headers={"X-Mine": "1"})
        assert (moved.status_code, moved.content, moved.url) == (
            200,
            b"a file",
            server.url("/a?b=c"),
        )
        assert [r.status_code for r in moved.history] == [302]
        assert session.get(server.url("/json")).json() == {"a": [1]}
        assert session.get(server.url("/coded")).text == "words"
        assert session.head(server.url("/a")).headers["Content-Length"] == "6"
        assert session.get(server.url("/gone")).reason == "Gone"
        with pytest.raises(requests.HTTPError):
            session.get(server.url("/gone")).raise_for_status()
        with session.get(server.url("/a"), stream=True) as response:
            assert list(response.iter_content(4)) == [b"a fi", b"le"]
        assert session.get(server.url("/a"), params={"q": "é"}).url.endswith("/a?q=%C3%A9")
    assert server.requests[1].headers["X-Mine"] == "1"
    assert server.accepted == 1


def test_a_post_with_a_body_works_between_downloads(server: FaultServer) -> None:
    def echo(conn: Conversation, request: Request) -> None:
        reply(200, request.body)(conn, request)

    server.on("/post", echo)
    with one_try() as remote:
        for turn in range(3):
            assert fetched(server.url("/a"), remote) == b"a file"
            posted = remote.session.post(server.url("/post"), data=f"words {turn}", timeout=5)
            assert posted.text == f"words {turn}"
        assert remote.session.post(server.url("/post"), json={"a": 1}).json() == {"a": 1}
        assert remote.session.post(server.url("/post")).content == b""
        assert fetched(server.url("/a"), remote) == b"a file"


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_post_before_the_first_download_leaves_nothing_open(
    server: FaultServer, secure: FaultServer, scheme: str
) -> None:
    chosen = {"http": server, "https": secure}[scheme]
    with one_try(ca_cert=authority().pem) as remote:
        assert remote.session.post(chosen.url("/a"), data=b"words").content == b"a file"
        assert fetched(chosen.url("/a"), remote) == b"a file"
        assert chosen.open == 1


def test_the_time_limit_of_a_post_does_not_stay_with_its_connection(server: FaultServer) -> None:
    server.on("/slow", steps(pause(0.4), reply(200, b"a slow file")))
    with one_try() as remote:
        assert fetched(server.url("/a"), remote) == b"a file"
        assert remote.session.post(server.url("/a"), data=b"words", timeout=0.2).ok
        assert fetched(server.url("/slow"), remote) == b"a slow file"


def test_a_post_over_tls_uses_the_pinned_authority_and_adds_no_other(secure: FaultServer) -> None:
    with one_try(ca_cert=authority().pem) as remote:
        for _ in range(2):
            assert remote.session.post(secure.url("/a"), data=b"words").content == b"a file"
            assert fetched(secure.url("/a"), remote) == b"a file"
    assert len(ssl_context(TLSSettings(authority().pem)).get_ca_certs()) == 1
    with one_try(ca_cert=other_authority().pem) as remote, pytest.raises(Exception, match="CERT"):
        remote.session.post(secure.url("/a"), data=b"words")
    assert len(secure.requests) == 4


def test_a_timeout_ends_a_streamed_body_that_stalls(server: FaultServer) -> None:
    server.default(stalled_body(b"a file", sent=3))
    with (
        one_try() as remote,
        remote.session.get(server.url("/a"), stream=True, timeout=0.3) as response,
    ):
        pieces = response.iter_content(2)
        assert next(pieces) == b"a "
        with pytest.raises((requests.Timeout, DownloadError)):
            list(pieces)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_timeout_ends_a_request_that_is_not_answered(server: FaultServer, method: str) -> None:
    server.default(hold)
    body = b"words" if method == "POST" else None
    with one_try() as remote, pytest.raises((requests.Timeout, DownloadError)):
        remote.session.request(method, server.url("/a"), data=body, timeout=0.3)


def test_a_basic_password_of_the_settings_is_for_plain_requests_too(server: FaultServer) -> None:
    server.default(only_for(basic("me", "secret")))
    with one_try(username="me", password="secret") as remote:
        assert remote.session.get(server.url("/a")).content == b"welcome"
