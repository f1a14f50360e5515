"""Which proxy a URL goes through."""

from __future__ import annotations

import pytest

from pulp_download.proxies import NO_PROXY, configured, for_url, is_exempt
from pulp_download.settings import Settings

LOOPBACK = "localhost,127.0.0.0/8,::1"


@pytest.fixture(autouse=True)
def no_proxies_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for scheme in ("http", "https", "all", "no", "ftp"):
        monkeypatch.delenv(f"{scheme}_proxy", raising=False)
        monkeypatch.delenv(f"{scheme.upper()}_PROXY", raising=False)
    monkeypatch.delenv("REQUEST_METHOD", raising=False)


def test_without_settings_and_environment_there_is_no_proxy() -> None:
    assert configured(Settings()) == {}


@pytest.mark.parametrize(
    ("fields", "proxy"),
    [
        ({}, "http://proxy:3128"),
        ({"proxy_username": "me"}, "http://me:@proxy:3128"),
        ({"proxy_username": "me", "proxy_password": "pw"}, "http://me:pw@proxy:3128"),
        (
            {"proxy_username": "m@e:", "proxy_password": "p/w%"},
            "http://m%40e%3A:p%2Fw%25@proxy:3128",
        ),
        ({"proxy_username": "m\u00e4"}, "http://m%C3%A4:@proxy:3128"),
    ],
)
def test_a_configured_proxy_is_for_every_request(fields: dict[str, str], proxy: str) -> None:
    settings = Settings(proxy_url="http://proxy:3128/ignored", **fields)  # type: ignore[arg-type]
    assert configured(settings) == dict.fromkeys(("http", "https", "ftp", "ftps"), proxy)


@pytest.mark.parametrize(
    ("fields", "proxy"),
    [
        ({}, "https://u:p%40@proxy"),
        ({"proxy_username": "me"}, "https://me:p%40@proxy"),
        ({"proxy_username": "me", "proxy_password": "pw"}, "https://me:pw@proxy"),
    ],
)
def test_credentials_beside_the_proxy_win_over_those_in_its_url(
    fields: dict[str, str], proxy: str
) -> None:
    settings = Settings(proxy_url="https://u:p%40@proxy", **fields)  # type: ignore[arg-type]
    assert configured(settings)["http"] == proxy


def test_a_proxy_may_be_an_ipv6_address() -> None:
    assert configured(Settings(proxy_url="http://[::1]:3128"))["http"] == "http://[::1]:3128"


def test_a_configured_proxy_beats_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://environment")
    monkeypatch.setenv("no_proxy", "*")
    found = configured(Settings(proxy_url="http://proxy"))
    assert found == dict.fromkeys(("http", "https", "ftp", "ftps"), "http://proxy")


def test_the_environment_names_proxies_by_scheme_and_exceptions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("http_proxy", "proxy:3128")
    monkeypatch.setenv("HTTPS_PROXY", "http://me:pw@secure:3128")
    monkeypatch.setenv("all_proxy", "socks5://rest")
    monkeypatch.setenv("ftp_proxy", "files:3128")
    monkeypatch.setenv("no_proxy", "internal")
    assert configured(Settings()) == {
        "http": "http://proxy:3128",
        "https": "http://me:pw@secure:3128",
        "ftp": "http://files:3128",
        "all": "socks5://rest",
        NO_PROXY: f"internal,{LOOPBACK}",
    }


def test_the_environment_can_be_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy")
    assert configured(Settings(environment_proxies=False)) == {}


def test_exceptions_alone_are_no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "internal")
    assert configured(Settings()) == {}


def test_an_empty_variable_is_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "")
    assert configured(Settings()) == {}


def test_a_request_header_of_a_cgi_program_is_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUEST_METHOD", "GET")
    monkeypatch.setenv("HTTP_PROXY", "http://evil")
    assert configured(Settings()) == {}


@pytest.mark.parametrize(
    "url", ["http://localhost/", "http://127.1.2.3/", "http://[::1]/", "http://internal/"]
)
def test_a_url_that_is_excepted_has_no_proxy(url: str) -> None:
    proxies = {"http": "http://proxy", NO_PROXY: f"internal,{LOOPBACK}"}
    assert for_url(url, proxies) == {}
    assert for_url("http://other/", proxies) == {"http": "http://proxy"}


def test_without_exceptions_all_proxies_apply() -> None:
    proxies = {"http": "http://proxy"}
    assert for_url("http://localhost/", proxies) == proxies


EXEMPT = [
    ("*", "anything", 80),
    ("example.com", "example.com", 80),
    ("example.com", "a.b.example.com", 80),
    (".example.com", "a.example.com", 80),
    (".example.com", "example.com", 80),
    ("*.example.com", "a.example.com", 80),
    ("EXAMPLE.com", "example.com", 80),
    ("example.com", "example.com.", 80),
    ("example.com:8080", "example.com", 8080),
    (" a , example.com ,b", "example.com", 80),
    (",,example.com,", "example.com", 80),
    ("10.0.0.1", "10.0.0.1", 80),
    ("10.0.0.0/8", "10.1.2.3", 80),
    ("10.0.0.1/8", "10.1.2.3", 80),
    ("10.0.0.1:8080", "10.0.0.1", 8080),
    ("::1", "::1", 80),
    ("[::1]", "::1", 80),
    ("[::1]:8080", "::1", 8080),
    ("fd00::/8", "fd12::1", 80),
    ("0:0:0:0:0:0:0:1", "::1", 80),
]
NOT_EXEMPT = [
    ("", "example.com", 80),
    (",", "example.com", 80),
    (".", "example.com", 80),
    ("example.com", "notexample.com", 80),
    ("example.com", "example.com.evil", 80),
    ("a.example.com", "example.com", 80),
    ("com.", "example.org", 80),
    ("example.com:8080", "example.com", 80),
    ("10.0.0.1", "10.0.0.10", 80),
    ("10.0.0.0/8", "11.0.0.1", 80),
    ("10.0.0.1:8080", "10.0.0.1", 80),
    ("10.0.0.0/99", "10.0.0.1", 80),
    ("0.0.1", "10.0.0.1", 80),
    ("[::1]:8080", "::1", 80),
    ("fd00::/8", "fe80::1", 80),
    ("10.0.0.0/8", "fd00::1", 80),
    ("10.0.0.1", "example.com", 80),
]


@pytest.mark.parametrize(("exceptions", "host", "port"), EXEMPT)
def test_no_proxy_names_this_host(exceptions: str, host: str, port: int) -> None:
    assert is_exempt(host, port, exceptions)


@pytest.mark.parametrize(("exceptions", "host", "port"), NOT_EXEMPT)
def test_no_proxy_does_not_name_this_host(exceptions: str, host: str, port: int) -> None:
    assert not is_exempt(host, port, exceptions)
