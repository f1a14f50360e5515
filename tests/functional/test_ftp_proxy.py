"""FTP through an HTTP proxy, which asks the FTP server itself and answers as HTTP does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pulp_download import NotAuthorized, NotFound, ProxyFailed, Truncated
from tests.functional.asking import basic, fetched, one_try
from tests.functional.fetch import BODY, refused, remote_for
from tests.servers import FaultProxy, reply, truncated
from tests.servers.ftp import FtpFaultServer

pytestmark = [pytest.mark.need("I11"), pytest.mark.fault(108)]

FILE = "ftp://files.test/pub/a%20file;type=i"
ASKED = "ftp://files.test/pub/a%20file"


@pytest.fixture(autouse=True)
def _no_proxies_around(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def proxy() -> Iterator[FaultProxy]:
    with FaultProxy() as proxy:
        proxy.on(ASKED, reply(200, BODY))
        yield proxy


def test_a_proxy_of_the_settings_is_asked_for_the_whole_url(proxy: FaultProxy) -> None:
    with one_try(proxy_url=proxy.url("/")) as remote:
        for _ in range(2):
            assert fetched(FILE, remote) == BODY
    assert [(request.method, request.target) for request in proxy.requests] == [("GET", ASKED)] * 2
    assert (proxy.tunnels, proxy.accepted) == ([], 1)


@pytest.mark.parametrize("scheme", ["ftp", "all"])
@pytest.mark.parametrize("has_scheme", [True, False])
def test_a_proxy_of_the_session_is_asked(proxy: FaultProxy, scheme: str, has_scheme: bool) -> None:
    with one_try() as remote:
        address = proxy.url("/") if has_scheme else proxy.netloc()
        remote.session.proxies = {scheme: address}
        assert fetched(FILE, remote) == BODY
        assert remote.session.get(ASKED).content == BODY


@pytest.mark.parametrize("name", ["ftp_proxy", "all_proxy"])
def test_a_proxy_of_the_environment_is_asked(
    proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, proxy.netloc())
    assert fetched(FILE) == BODY


def test_proxies_for_other_schemes_are_not(ftp: FtpFaultServer, proxy: FaultProxy) -> None:
    ftp.publish("/f", BODY)
    with one_try() as remote:
        remote.session.proxies = {"http": proxy.url("/"), "https": proxy.url("/")}
        assert fetched(ftp.url("/f"), remote) == BODY
    assert proxy.accepted == 0


def test_hosts_without_a_proxy_are_asked_themselves(
    ftp: FtpFaultServer, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    ftp.publish("/f", BODY)
    with one_try() as remote:
        remote.session.proxies = {"ftp": proxy.url("/"), "no_proxy": f"127.0.0.1:{ftp.port}"}
        assert fetched(ftp.url("/f"), remote) == BODY
    monkeypatch.setenv("ftp_proxy", proxy.url("/"))
    assert fetched(ftp.url("/f")) == BODY  # this machine is never behind one
    assert proxy.accepted == 0


@pytest.mark.parametrize("scheme", ["ftps", "all"])
def test_ftps_through_a_proxy_is_refused_and_that_is_said(
    ftp: FtpFaultServer, proxy: FaultProxy, target: Path, scheme: str
) -> None:
    with remote_for(max_retries=3) as remote:
        remote.session.proxies = {scheme: proxy.url("/")}
        url = ftp.url("/f", scheme="ftps", userinfo="me:secret")
        error = refused(ProxyFailed, url, target, remote=remote)
    assert "only ftp://" in error.reason
    assert (error.retryable, len(error.attempts)) == (False, 1)
    assert (ftp.accepted, proxy.accepted) == (0, 0)


def test_a_proxy_that_speaks_no_http_is_refused(target: Path) -> None:
    with remote_for(max_retries=3) as remote:
        remote.session.proxies = {"ftp": "socks5://127.0.0.1:1"}
        error = refused(ProxyFailed, FILE, target, remote=remote)
    assert (error.retryable, len(error.attempts)) == (False, 1)


@pytest.mark.fault(106)
def test_credentials_of_ftp_reach_the_proxy_and_a_token_and_headers_do_not(
    proxy: FaultProxy,
) -> None:
    url = "ftp://me:a%3Ab@files.test/pub/a%20file"
    with one_try(proxy_url=proxy.url("/"), token="T0KEN", headers={"X-Auth": "S3CRET"}) as remote:
        assert fetched(url, remote) == BODY
        assert fetched(FILE, remote) == BODY
    with_user, without = proxy.requests
    assert with_user.headers["Authorization"] == basic("me", "a:b")
    assert (with_user.target, "Authorization" in without.headers) == (ASKED, False)
    assert not [request for request in proxy.requests if "X-Auth" in request.headers]


@pytest.mark.fault(106)
def test_who_uses_the_session_sends_the_proxy_no_token_and_no_headers_either(
    proxy: FaultProxy,
) -> None:
    with one_try(proxy_url=proxy.url("/"), token="T0KEN", headers={"X-Auth": "S3CRET"}) as remote:
        assert remote.session.get(ASKED).content == BODY
        assert remote.session.get(ASKED, auth=("me", "a:b")).content == BODY
    without, with_user = proxy.requests
    assert "Authorization" not in without.headers
    assert with_user.headers["Authorization"] == basic("me", "a:b")
    assert not [request for request in proxy.requests if "X-Auth" in request.headers]


def test_a_proxy_with_a_password_gets_its_own(target: Path) -> None:
    with FaultProxy(credentials=("me", "pass:word/@")) as proxy:
        proxy.on(ASKED, reply(200, BODY))
        named = {"proxy_username": "me", "proxy_password": "pass:word/@"}
        with one_try(proxy_url=proxy.url("/"), **named) as remote:
            assert fetched(FILE, remote) == BODY
        refused(NotAuthorized, FILE, target, proxy_url=proxy.url("/"))


def test_what_the_proxy_answers_is_judged_as_http(proxy: FaultProxy, target: Path) -> None:
    with remote_for(proxy_url=proxy.url("/")) as remote:
        proxy.on(ASKED, reply(404))
        assert refused(NotFound, FILE, target, remote=remote).status == 404
        proxy.on(ASKED, truncated(BODY, sent=5000))
        refused(Truncated, FILE, target, remote=remote)
