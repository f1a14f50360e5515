"""Going through proxies: forwarding, tunnels, credentials, the environment, and broken ones."""

import contextlib
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from pulp_download import (
    Download,
    DownloadError,
    InvalidSettings,
    MemoryWriter,
    NotAuthorized,
    NotFound,
    ProtocolViolation,
    ProxyFailed,
    Remote,
    TimedOut,
    TLSFailed,
)
from tests.functional.asking import basic, fetched, one_try
from tests.servers import (
    Blackhole,
    Cut,
    FaultProxy,
    FaultServer,
    Script,
    authority,
    cut,
    endless_headers,
    hold,
    other_authority,
    redirect,
    reply,
    send,
    steps,
)

pytestmark = pytest.mark.need("I7")

NAMES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def _no_proxies_around(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def plain() -> Iterator[FaultServer]:
    with FaultServer() as server:
        server.default(reply(200, b"a file"))
        yield server


@pytest.fixture
def secure() -> Iterator[FaultServer]:
    """An origin whose certificate is for upstream.test."""
    with FaultServer(tls=authority().server_context("upstream.test")) as server:
        server.default(reply(200, b"a secret file"))
        yield server


@pytest.fixture
def proxy(plain: FaultServer, secure: FaultServer) -> Iterator[FaultProxy]:
    """A proxy that knows names which nobody else knows."""
    names = {
        "upstream.test": ("127.0.0.1", secure.port),
        "plain.test": ("127.0.0.1", plain.port),
        "mirror.plain.test": ("127.0.0.1", plain.port),
        "192.0.2.7": ("127.0.0.1", plain.port),
    }
    with FaultProxy(resolve=names) as proxy:
        yield proxy


@pytest.fixture
def guarded(plain: FaultServer, secure: FaultServer) -> Iterator[FaultProxy]:
    """The same with a password."""
    names = {
        "upstream.test": ("127.0.0.1", secure.port),
        "plain.test": ("127.0.0.1", plain.port),
    }
    with FaultProxy(credentials=("me", "pass:word/@"), resolve=names) as proxy:
        yield proxy


def through(proxy: FaultProxy, **fields: object) -> Remote:
    return one_try(proxy_url=proxy.url("/"), ca_cert=authority().pem, **fields)


# -- both forms


def test_http_is_forwarded_and_https_goes_through_a_tunnel(
    proxy: FaultProxy, plain: FaultServer, secure: FaultServer
) -> None:
    with through(proxy) as remote:
        assert fetched("http://plain.test/a%2Fb?c=%7e", remote) == b"a file"
        assert fetched("https://upstream.test/d%2Fe?f=%7e", remote) == b"a secret file"
    assert [r.target for r in proxy.requests] == [
        "http://plain.test/a%2Fb?c=%7e",
        "upstream.test:443",
    ]
    assert (plain.requests[0].target, plain.requests[0].headers["Host"]) == (
        "/a%2Fb?c=%7e",
        "plain.test",
    )
    assert (secure.requests[0].target, secure.requests[0].headers["Host"]) == (
        "/d%2Fe?f=%7e",
        "upstream.test",
    )


def test_a_tunnel_is_used_again(proxy: FaultProxy, secure: FaultServer) -> None:
    with through(proxy) as remote:
        for _ in range(3):
            assert fetched("https://upstream.test/a", remote) == b"a secret file"
    assert (len(proxy.tunnels), secure.accepted, len(secure.requests)) == (1, 1, 3)


def test_heads_and_contents_go_the_same_way(proxy: FaultProxy) -> None:
    with through(proxy) as remote:
        with Download("http://plain.test/a", remote=remote).head() as content:
            assert (content.status, content.size) == (200, 6)
        with Download("https://upstream.test/a", remote=remote).iter_content() as content:
            assert b"".join(content) == b"a secret file"


@pytest.mark.fault(222)
def test_proxy_credentials_are_for_the_proxy_and_never_reach_an_origin(
    guarded: FaultProxy, plain: FaultServer, secure: FaultServer
) -> None:
    expected = basic("me", "pass:word/@")
    with through(guarded, proxy_username="me", proxy_password="pass:word/@") as remote:
        assert fetched("http://plain.test/a", remote) == b"a file"
        assert fetched("https://upstream.test/a", remote) == b"a secret file"
    forwarded, tunnelled = guarded.requests
    assert forwarded.headers.all("Proxy-Authorization") == [expected]
    assert tunnelled.headers.all("Proxy-Authorization") == [expected]
    for seen in (*plain.requests, *secure.requests):
        assert "Proxy-Authorization" not in seen.headers
        assert "Authorization" not in seen.headers


@pytest.mark.fault(222)
def test_proxy_credentials_stay_out_of_what_follows_a_redirect_into_a_tunnel(
    guarded: FaultProxy, plain: FaultServer, secure: FaultServer
) -> None:
    plain.on("/a", redirect("https://upstream.test/b"))
    with through(guarded, proxy_username="me", proxy_password="pass:word/@") as remote:
        assert fetched("http://plain.test/a", remote) == b"a secret file"
    assert "Proxy-Authorization" not in secure.requests[0].headers
    assert len(guarded.requests) == 2


@pytest.mark.fault(222)
def test_credentials_of_the_origin_do_not_reach_the_proxy_of_a_tunnel(
    proxy: FaultProxy, secure: FaultServer
) -> None:
    with through(proxy, username="me", password="secret", headers={"X-Auth": "1"}) as remote:
        fetched("https://upstream.test/a", remote)
    assert {name.lower() for name, _ in proxy.requests[0].headers} <= {"host", "user-agent"}
    assert secure.requests[0].headers["Authorization"] == basic("me", "secret")


@pytest.mark.fault(222)
def test_credentials_of_one_proxy_are_not_shown_to_another(
    guarded: FaultProxy, plain: FaultServer
) -> None:
    with FaultProxy() as second:
        with through(guarded, proxy_username="me", proxy_password="pass:word/@") as remote:
            fetched(plain.url("/a"), remote)
            remote.session.proxies = {"http": second.url("/")}
            fetched(plain.url("/a"), remote)
        assert "Proxy-Authorization" not in second.requests[0].headers


@pytest.mark.parametrize(
    ("username", "password"), [("me", "secret"), ("mü", "пароль"), ("me", "a%41b"), ("me", "")]
)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_proxy_credentials_may_hold_any_characters(
    plain: FaultServer, secure: FaultServer, username: str, password: str, scheme: str
) -> None:
    names = {
        "upstream.test": ("127.0.0.1", secure.port),
        "plain.test": ("127.0.0.1", plain.port),
    }
    host = {"http": "plain.test", "https": "upstream.test"}[scheme]
    with (
        FaultProxy(credentials=(username, password), resolve=names) as proxy,
        through(proxy, proxy_username=username, proxy_password=password) as remote,
    ):
        fetched(f"{scheme}://{host}/a", remote)


def test_proxy_credentials_may_stand_in_the_url_of_the_proxy(
    guarded: FaultProxy, plain: FaultServer
) -> None:
    url = guarded.url("/", userinfo="me:pass%3Aword%2F%40")
    with one_try(proxy_url=url) as remote:
        assert fetched("http://plain.test/a", remote) == b"a file"
    with one_try(proxy_url=guarded.url("/", userinfo="me:x"), proxy_password="pass:word/@") as it:
        assert fetched("http://plain.test/a", it) == b"a file"


@pytest.mark.fault(58)
@pytest.mark.parametrize("url", ["http://plain.test/a", "https://upstream.test/a"])
@pytest.mark.parametrize("fields", [{}, {"proxy_username": "me", "proxy_password": "wrong"}])
def test_wrong_proxy_credentials_are_an_authorization_error_in_both_forms(
    guarded: FaultProxy,
    plain: FaultServer,
    secure: FaultServer,
    url: str,
    fields: dict[str, str],
) -> None:
    with (
        through(guarded, max_retries=3, **fields) as remote,
        pytest.raises(NotAuthorized) as caught,
    ):
        fetched(url, remote)
    assert (caught.value.status, caught.value.url) == (407, url)
    assert len(guarded.requests) == 1
    assert (plain.requests, secure.requests) == ([], [])


def test_a_proxy_spoken_to_over_tls_forwards_and_tunnels(
    plain: FaultServer, secure: FaultServer
) -> None:
    names = {
        "upstream.test": ("127.0.0.1", secure.port),
        "plain.test": ("127.0.0.1", plain.port),
    }
    tls = authority().server_context()
    with (
        FaultProxy(tls=tls, credentials=("me", "secret"), resolve=names) as proxy,
        through(proxy, proxy_username="me", proxy_password="secret") as remote,
    ):
        assert fetched("http://plain.test/a", remote) == b"a file"
        assert fetched("https://upstream.test/a", remote) == b"a secret file"
    assert "Proxy-Authorization" not in plain.requests[0].headers
    assert "Proxy-Authorization" not in secure.requests[0].headers


@pytest.mark.fault(75)
@pytest.mark.parametrize("scheme", ["socks5", "socks5h", "socks4", "ftp"])
def test_a_kind_of_proxy_that_is_not_spoken_is_refused_when_the_remote_is_made(
    scheme: str,
) -> None:
    with pytest.raises(InvalidSettings, match=r"proxy_url.*http"):
        Remote(proxy_url=f"{scheme}://proxy.test:1080")


def test_a_proxy_password_without_a_name_is_refused() -> None:
    with pytest.raises(InvalidSettings, match="proxy_password"):
        Remote(proxy_url="http://proxy.test", proxy_password="secret")


# -- from the environment


def test_proxies_of_the_environment_are_used(
    guarded: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", guarded.url("/", userinfo="me:pass%3Aword%2F%40"))
    monkeypatch.setenv("https_proxy", guarded.url("/", userinfo="me:pass%3Aword%2F%40"))
    with one_try(ca_cert=authority().pem) as remote:
        assert fetched("http://plain.test/a", remote) == b"a file"
        assert fetched("https://upstream.test/a", remote) == b"a secret file"
    assert [r.method for r in guarded.requests] == ["GET", "CONNECT"]


def test_a_proxy_without_a_scheme_is_an_http_proxy(
    proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", f"127.0.0.1:{proxy.port}")
    with one_try() as remote:
        assert fetched("http://plain.test/a", remote) == b"a file"


def test_all_proxy_is_for_schemes_without_one(
    proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("all_proxy", proxy.url("/"))
    with one_try(ca_cert=authority().pem) as remote:
        assert fetched("http://plain.test/a", remote) == b"a file"
        assert fetched("https://upstream.test/a", remote) == b"a secret file"


def test_the_environment_is_read_when_the_remote_begins_and_not_if_told_so(
    proxy: FaultProxy, plain: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", proxy.url("/"))
    with one_try(environment_proxies=False, connect_timeout=5) as remote:
        assert remote.session.proxies == {}
    with one_try() as remote:
        fetched("http://plain.test/a", remote)
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:1/")
        fetched("http://plain.test/b", remote)
    assert len(proxy.requests) == 2


def test_a_proxy_of_the_settings_wins_over_the_environment(
    proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1/")
    monkeypatch.setenv("no_proxy", "*")
    with through(proxy) as remote:
        assert fetched("http://plain.test/a", remote) == b"a file"


@pytest.mark.fault(73)
@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "all_proxy"])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.0.0.2"])
def test_loopback_is_never_reached_through_a_proxy_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, name: str, host: str
) -> None:
    if name.isupper():
        monkeypatch.delenv("REQUEST_METHOD", raising=False)
    monkeypatch.setenv(name, "http://127.0.0.1:1/")
    with FaultServer(host="127.0.0.2" if host == "127.0.0.2" else "127.0.0.1") as server:
        server.default(reply(200, b"a file"))
        assert fetched(server.url("/a", host=host)) == b"a file"


@pytest.mark.fault(73)
def test_loopback_is_not_reached_through_it_by_who_uses_the_session_either(
    plain: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1/")
    with one_try() as remote:
        assert remote.session.get(plain.url("/a")).content == b"a file"


@pytest.mark.fault(73)
@pytest.mark.parametrize(
    ("no_proxy", "is_exempt"),
    [
        ("plain.test", True),
        (".plain.test", True),
        ("test", True),
        ("PLAIN.TEST", True),
        ("*.plain.test", True),
        ("elsewhere.test, plain.test", True),
        ("plain.test:80", True),
        ("*", True),
        ("plain.test:8080", False),
        ("lain.test", False),
        ("mirror.plain.test.elsewhere", False),
        ("127.0.0.0/8", False),
        ("", False),
    ],
)
def test_no_proxy_names_hosts_suffixes_and_ports(
    proxy: FaultProxy,
    plain: FaultServer,
    monkeypatch: pytest.MonkeyPatch,
    no_proxy: str,
    is_exempt: bool,
) -> None:
    """A name leads to the origin, for who asks it directly; the proxy knows it by itself."""
    monkeypatch.setenv("http_proxy", proxy.url("/"))
    monkeypatch.setenv("no_proxy", no_proxy)
    with one_try() as remote, everybody_is(plain, monkeypatch):
        assert fetched("http://mirror.plain.test/a", remote) == b"a file"
    assert len(proxy.requests) == (not is_exempt)


@pytest.mark.fault(73)
@pytest.mark.parametrize(
    ("no_proxy", "is_exempt"),
    [
        ("192.0.2.0/24", True),
        ("192.0.2.7", True),
        ("192.0.2.7:80", True),
        ("192.0.2.0/24:81", False),
        ("192.0.3.0/24", False),
        ("2.7", False),
        ("0.2.7", False),
        ("192.0.2", False),
    ],
)
def test_no_proxy_names_addresses_and_networks(
    proxy: FaultProxy,
    plain: FaultServer,
    monkeypatch: pytest.MonkeyPatch,
    no_proxy: str,
    is_exempt: bool,
) -> None:
    monkeypatch.setenv("http_proxy", proxy.url("/"))
    monkeypatch.setenv("no_proxy", no_proxy)
    with one_try() as remote, everybody_is(plain, monkeypatch):
        assert fetched("http://192.0.2.7/a", remote) == b"a file"
    assert len(proxy.requests) == (not is_exempt)


@contextlib.contextmanager
def everybody_is(server: FaultServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have every host but this machine looked up as the server's address."""
    look_up = socket.getaddrinfo

    def found(host: str, port: int, *args: Any, **named: Any) -> Any:
        if host.startswith("127."):
            return look_up(host, port, *args, **named)
        return look_up(server.host, server.port, *args, **named)

    with monkeypatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", found)
        yield


def test_a_malformed_proxy_of_the_environment_fails_without_its_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("http_proxy", "http://me:S3CRET@[::1/")
    with one_try() as remote, pytest.raises(DownloadError) as caught:
        fetched("http://plain.test/a", remote)
    assert "S3CRET" not in f"{caught.value!s}{caught.value!r}{vars(caught.value)}"


# -- broken proxies


@pytest.mark.fault(71)
@pytest.mark.parametrize("url", ["http://plain.test/a", "https://upstream.test/a"])
def test_a_proxy_that_cannot_be_reached_is_the_proxys_failure(url: str) -> None:
    with one_try(proxy_url="http://127.0.0.1:1") as remote, pytest.raises(ProxyFailed) as caught:
        fetched(url, remote)
    assert caught.value.url == url


@pytest.mark.fault(71)
def test_a_proxy_whose_name_nobody_knows_is_the_proxys_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def nobody(*asked: Any, **named: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nobody)
    with one_try(proxy_url="http://proxy.invalid") as remote, pytest.raises(ProxyFailed):
        fetched("http://plain.test/a", remote)


@pytest.mark.fault(71)
@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (reply(502, b"no"), "502"),
        (reply(403, b"not there"), "403"),
        (reply(503, b"later"), "503"),
        (steps(send(b"this is not HTTP\r\n\r\n"), cut()), ""),
        (steps(send(b"\0\xff" * 100), cut()), ""),
        (cut(Cut.FIN), ""),
        (cut(Cut.RST), ""),
        (steps(send(b"HTTP/1.1 200 Conn"), cut()), ""),
        (steps(send(b"HTTP/1.1 200 Connection established\r\n\r\nplain words, no TLS"), cut()), ""),
        (steps(send(b"HTTP/1.1 200 Connection established\r\n\r\n"), cut()), ""),
    ],
    ids=[
        "502",
        "403",
        "503",
        "garbage",
        "binary garbage",
        "closes",
        "resets",
        "closes in the head",
        "no TLS behind",
        "closes behind the head",
    ],
)
def test_a_connect_that_goes_wrong_is_the_proxys_failure_and_is_tried_again(
    proxy: FaultProxy, secure: FaultServer, answer: Script, said: str
) -> None:
    proxy.on("upstream.test:443", answer)
    with through(proxy) as remote, pytest.raises(ProxyFailed) as caught:
        fetched("https://upstream.test/a", remote)
    assert said in caught.value.reason
    assert caught.value.retryable
    assert secure.accepted == 0


@pytest.mark.fault(71)
def test_a_proxy_that_recovers_serves_the_next_try(proxy: FaultProxy) -> None:
    proxy.on("upstream.test:443", [reply(502), proxy._open_tunnel])
    with through(proxy, max_retries=1) as remote:
        into = MemoryWriter()
        result = Download("https://upstream.test/a", into, remote=remote).run()
    assert [failed.type for failed in result.attempts] == ["ProxyFailed"]


@pytest.mark.fault(72)
def test_a_connect_answer_without_an_end_is_the_proxys_failure(proxy: FaultProxy) -> None:
    proxy.on("upstream.test:443", endless_headers())
    with through(proxy, connect_timeout=5) as remote, pytest.raises(ProxyFailed):
        fetched("https://upstream.test/a", remote)


@pytest.mark.fault(71)
@pytest.mark.parametrize(
    "answer", [hold, steps(send(b"HTTP/1.1 200 Conn"), hold), endless_headers(every=0.05)]
)
def test_a_connect_that_is_never_answered_is_the_proxys_failure_when_the_time_is_over(
    proxy: FaultProxy, answer: Script
) -> None:
    proxy.on("upstream.test:443", answer)
    with (
        through(proxy, connect_timeout=0.3) as remote,
        pytest.raises(ProxyFailed, match=r"connect timeout of 0\.3 s") as caught,
    ):
        fetched("https://upstream.test/a", remote)
    assert caught.value.url == "https://upstream.test/a"


@pytest.mark.fault(71)
@pytest.mark.parametrize("url", ["http://plain.test/a", "https://upstream.test/a"])
def test_a_proxy_that_never_accepts_is_the_proxys_failure_when_the_time_is_over(url: str) -> None:
    with (
        Blackhole() as nobody,
        one_try(proxy_url=nobody.url("/"), connect_timeout=0.3) as remote,
        pytest.raises(ProxyFailed, match="connect timeout"),
    ):
        fetched(url, remote)


@pytest.mark.fault(71)
def test_an_origin_that_is_silent_behind_the_tunnel_is_not_the_proxys_failure(
    proxy: FaultProxy,
) -> None:
    stands = send(b"HTTP/1.1 200 Connection established\r\n\r\n")
    proxy.on("upstream.test:443", steps(stands, hold))
    with through(proxy, connect_timeout=1.0) as remote, pytest.raises(TimedOut) as caught:
        fetched("https://upstream.test/a", remote)
    assert caught.value.limit == "connect"


@pytest.mark.fault(71)
def test_the_limits_for_answers_and_for_all_are_the_same_behind_a_proxy(
    proxy: FaultProxy, plain: FaultServer
) -> None:
    plain.on("/a", hold)
    for limit, fields in (("read", {"sock_read_timeout": 0.3}), ("total", {"total_timeout": 0.3})):
        with through(proxy, **fields) as remote, pytest.raises(TimedOut) as caught:
            fetched("http://plain.test/a", remote)
        assert caught.value.limit == limit


@pytest.mark.fault(71)
def test_what_the_origin_does_wrong_is_not_the_proxys_failure(
    proxy: FaultProxy, plain: FaultServer, secure: FaultServer
) -> None:
    plain.on("/absent", reply(404))
    secure.on("/absent", reply(404))
    plain.on("/garbage", steps(send(b"not HTTP\r\n\r\n"), cut()))
    secure.on("/garbage", steps(send(b"not HTTP\r\n\r\n"), cut()))
    with through(proxy) as remote:
        for base in ("http://plain.test", "https://upstream.test"):
            with pytest.raises(NotFound):
                fetched(f"{base}/absent", remote)
            with pytest.raises(ProtocolViolation):
                fetched(f"{base}/garbage", remote)


@pytest.mark.fault(71)
def test_a_certificate_of_the_origin_that_is_not_accepted_is_not_the_proxys_failure(
    proxy: FaultProxy,
) -> None:
    with (
        one_try(proxy_url=proxy.url("/"), ca_cert=other_authority().pem) as remote,
        pytest.raises(TLSFailed, match="certificate"),
    ):
        fetched("https://upstream.test/a", remote)


# -- a real one


@contextlib.contextmanager
def proxy_py(user: str, password: str) -> Iterator[str]:
    """proxy.py as people run it, with Basic authentication; yields ``host:port``."""
    command = [sys.executable, "-u", "-m", "proxy", "--hostname", "127.0.0.1", "--port", "0"]
    command += ["--num-workers", "1", "--num-acceptors", "1", "--log-level", "d"]
    command += ["--basic-auth", f"{user}:{password}"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    said: list[str] = []
    reader = threading.Thread(target=said.extend, args=(process.stdout,))
    try:
        for line in process.stdout:
            said.append(line)
            if " Listening on " in line:
                break
        else:
            pytest.fail(f"proxy.py did not start:\n{''.join(said)}")
        reader.start()  # it must be able to go on talking
        yield line.split(" Listening on ")[1].strip()
    finally:
        process.terminate()
        process.wait(10)
        if reader.ident is not None:
            reader.join()
        process.stdout.close()


def test_a_real_proxy_carries_both_forms_and_asks_for_credentials() -> None:
    with (
        FaultServer() as plain,
        FaultServer(tls=authority().server_context()) as secure,
        proxy_py("me", "secret") as address,
    ):
        plain.default(reply(200, b"a file" * 10_000))
        secure.default(reply(200, b"a secret file" * 10_000))
        right = {"proxy_url": f"http://{address}", "ca_cert": authority().pem}
        named = {"proxy_username": "me", "proxy_password": "secret"}
        with one_try(**right, **named) as remote:
            for _ in range(2):
                assert fetched(plain.url("/a"), remote) == b"a file" * 10_000
                assert fetched(secure.url("/a"), remote) == b"a secret file" * 10_000
        # Not asserted of the later plain ones: this proxy strips the first request's only.
        for seen in (plain.requests[0], *secure.requests):
            assert "Proxy-Authorization" not in seen.headers
        asked = len(plain.requests) + len(secure.requests)
        for wrong in ({}, {"proxy_username": "me", "proxy_password": "wrong"}):
            with one_try(**right, **wrong) as remote:
                for server in (plain, secure):
                    with pytest.raises(NotAuthorized) as caught:
                        fetched(server.url("/a"), remote)
                    assert caught.value.status == 407
        assert len(plain.requests) + len(secure.requests) == asked


def test_verification_through_a_tunnel_is_for_the_origins_name() -> None:
    with FaultServer(tls=authority().server_context("other.test")) as server:
        names = {"upstream.test": ("127.0.0.1", server.port)}
        with (
            FaultProxy(resolve=names) as proxy,
            through(proxy) as remote,
            pytest.raises(TLSFailed, match="certificate"),
        ):
            fetched("https://upstream.test/a", remote)
