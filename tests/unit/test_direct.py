"""When a session's own adapter may be asked without a ``PreparedRequest``: nothing is left out."""

from __future__ import annotations

import http.cookiejar
from collections.abc import Callable, Iterator

import pytest
import requests
from requests.adapters import HTTPAdapter
from requests.cookies import RequestsCookieJar, create_cookie
from requests.exceptions import InvalidSchema

from pulp_download.adapters.http import HttpAdapter
from pulp_download.session import Session
from pulp_download.settings import Settings
from pulp_download.urls import URL
from pulp_download.watchdog import watchdog
from tests.servers import FaultServer, redirect, reply

HERE = URL.parse("http://host.test/a")


@pytest.fixture
def session() -> Iterator[Session]:
    with Session(Settings(environment_proxies=False)) as session:
        yield session
    watchdog.rest()  # that had an eye on requests


class Another(HttpAdapter):
    """An adapter of ours that somebody has changed."""


def mounted(session: Session, prefix: str, adapter: HTTPAdapter) -> None:
    """Mount an adapter; close the one that stood there, which the session forgets."""
    session.adapters.get(prefix, adapter).close()
    session.mount(prefix, adapter)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_plain_session_has_its_own_adapter_asked(session: Session, scheme: str) -> None:
    adapter = session.direct_adapter(URL.parse(f"{scheme}://host.test/a?b"))
    assert adapter is session.adapters[f"{scheme}://"]
    assert type(adapter) is HttpAdapter


def test_what_is_sent_as_lines_or_judged_by_tls_changes_nothing(session: Session) -> None:
    session.headers["X-One"] = "1"
    session.auth = ("me", "secret")
    session.verify = False
    session.cert = "certificate.pem"
    session.max_redirects = 1
    assert session.direct_adapter(HERE) is session.adapters["http://"]


# What takes part in each request.


def hook(response: requests.Response, **facts: object) -> None: ...


PARTS: dict[str, Callable[[Session], object]] = {
    "hook": lambda session: session.hooks["response"].append(hook),
    "hook alone": lambda session: session.hooks.update(response=hook),  # type: ignore[call-overload]
    "params": lambda session: session.params.update(key="1"),  # type: ignore[union-attr]
    "params as pairs": lambda session: setattr(session, "params", [("key", "1")]),
    "proxy": lambda session: session.proxies.update(http="http://proxy.test:3128"),
    "proxy of others": lambda session: session.proxies.update(https="http://proxy.test:3128"),
    "cookie": lambda session: session.cookies.set("login", "me"),
    "cookie as item": lambda session: session.cookies.__setitem__("login", "me"),
    "cookies of a dict": lambda session: session.cookies.update({"login": "me"}),
    "cookies of a jar": lambda session: session.cookies.update(jar_with_a_cookie()),
    "cookie as object": lambda session: session.cookies.set_cookie(create_cookie("login", "me")),
    "another jar": lambda session: setattr(session, "cookies", jar_with_a_cookie()),
    "another jar, empty": lambda session: setattr(session, "cookies", RequestsCookieJar()),
}


def jar_with_a_cookie() -> RequestsCookieJar:
    jar = RequestsCookieJar()
    jar.set("login", "me", domain="elsewhere.test")
    return jar


@pytest.mark.parametrize("put", PARTS.values(), ids=PARTS)
def test_what_takes_part_in_each_request_is_left_to_the_session(
    session: Session, put: Callable[[Session], object]
) -> None:
    assert session.direct_adapter(HERE) is not None
    put(session)
    assert session.direct_adapter(HERE) is None


def test_what_was_taken_away_again_takes_part_no_more(session: Session) -> None:
    session.hooks["response"].append(hook)
    session.params = {"key": "1"}
    session.proxies["http"] = "http://proxy.test:3128"
    own, session.cookies = session.cookies, RequestsCookieJar()
    assert session.direct_adapter(HERE) is None
    session.hooks["response"].clear()
    session.params = {}
    session.proxies.clear()
    session.cookies = own
    assert session.direct_adapter(HERE) is session.adapters["http://"]


# Adapters.


@pytest.mark.parametrize(
    ("prefix", "theirs", "ours"),
    [
        ("http://", "http://host.test/a", "https://host.test/a"),
        ("http://host.test", "http://host.test/a", "http://other.test/a"),
        ("HTTP://Host.Test/", "http://host.test/a", "http://other.test/a"),
        ("http://host.test:8080/", "http://host.test:8080/a", "http://host.test/a"),
        ("http://host.test/in/", "http://host.test/in/a", "http://host.test/a"),
        ("https://host.test/", "https://host.test/a", "http://host.test/a"),
    ],
)
@pytest.mark.parametrize("kind", [HTTPAdapter, Another])
def test_an_adapter_that_somebody_mounted_is_left_to_the_session(
    session: Session, kind: type[HTTPAdapter], prefix: str, theirs: str, ours: str
) -> None:
    assert session.direct_adapter(URL.parse(theirs)) is not None
    mounted(session, prefix, kind())
    assert session.direct_adapter(URL.parse(theirs)) is None
    assert type(session.direct_adapter(URL.parse(ours))) is HttpAdapter


@pytest.mark.parametrize("prefix", ["http://", "http://host.test/"])
def test_an_adapter_of_this_library_is_asked_wherever_it_is_mounted(
    session: Session, prefix: str
) -> None:
    mine = HttpAdapter()
    mounted(session, prefix, mine)
    assert session.direct_adapter(HERE) is mine


def test_a_file_is_left_to_the_session(session: Session) -> None:
    assert session.direct_adapter(URL.parse("file:///a")) is None


def test_a_scheme_without_an_adapter_is_refused_as_requests_does(session: Session) -> None:
    with pytest.raises(InvalidSchema):
        session.direct_adapter(URL.parse("gopher://host.test/a"))


# Cookies of servers.


def test_a_cookie_that_a_server_plants_does_not_count(session: Session) -> None:
    with FaultServer() as server:
        planting = {"Set-Cookie": "planted=1; Path=/"}
        server.on("/a", reply(200, b"a file", headers=planting))
        server.on("/moved", redirect("/a"))
        assert session.get(server.url("/a")).cookies.get_dict() == {"planted": "1"}
        assert session.get(server.url("/moved")).content == b"a file"
        assert session.direct_adapter(HERE) is session.adapters["http://"]
        assert [request.headers.get("Cookie") for request in server.requests] == [None] * 3


def test_a_cookie_of_one_request_does_not_count(session: Session) -> None:
    with FaultServer() as server:
        server.default(reply(200, b"a file"))
        session.get(server.url("/a"), cookies={"once": "1"})
        assert server.requests[0].headers["Cookie"] == "once=1"
    assert session.direct_adapter(HERE) is session.adapters["http://"]


def test_a_policy_that_somebody_set_takes_part_in_each_request(session: Session) -> None:
    session.cookies.set_policy(http.cookiejar.DefaultCookiePolicy())
    assert session.direct_adapter(HERE) is None
