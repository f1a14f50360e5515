"""Following redirects, and refusing to."""

import pytest

from pulp_download.errors import TooManyRedirects, UnsafeRedirect
from pulp_download.redirects import REDIRECTS, Trail
from pulp_download.urls import URL

START = "http://host/a/b?q=c4n4ry"


def trail(start: str = START, limit: int = 10) -> Trail:
    return Trail(URL.parse(start), limit)


def test_the_statuses_that_redirect() -> None:
    assert {301, 302, 303, 307, 308} == REDIRECTS


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("http://other/x", "http://other/x"),
        ("https://other/x", "https://other/x"),
        ("//other/x", "http://other/x"),
        ("/x?y=%2e", "http://host/x?y=%2e"),
        ("x", "http://host/a/x"),
        ("?y", "http://host/a/b?y"),
        ("/x#fragment", "http://host/x"),
        ("HTTP://OTHER:80/x", "http://other/x"),
        ("/a b", "http://host/a%20b"),
        ("\u00c3\u00a4", "http://host/a/%C3%A4"),  # UTF-8, as fields are read: Latin-1
    ],
)
def test_a_redirect_is_followed(location: str, target: str) -> None:
    way = trail()
    way.follow(302, location)
    assert (str(way.current), str(way.start)) == (target, START)


@pytest.mark.fault(31)
@pytest.mark.parametrize(
    "location",
    [
        "file:///etc/passwd",
        "ftp://host/x",
        "ftps://host/x",
        "gopher://host/x",
        "FILE:///etc/passwd",
    ],
)
def test_a_redirect_leads_to_http_only(location: str) -> None:
    for start in ("http://host/a", "https://host/a"):
        with pytest.raises(UnsafeRedirect, match="refused") as caught:
            trail(start).follow(302, location)
        assert (caught.value.status, caught.value.retryable) == (302, False)


@pytest.mark.fault(31, 34)
@pytest.mark.parametrize(
    "location",
    [
        "data:text/plain,x",
        "javascript:alert(1)",
        "mailto:me@host",
        "file:/etc/passwd",
        "about:blank",
    ],
)
def test_a_redirect_to_what_is_no_place_is_malformed(location: str) -> None:
    with pytest.raises(UnsafeRedirect, match="malformed Location"):
        trail().follow(302, location)


@pytest.mark.fault(32)
def test_a_redirect_from_tls_to_plain_text_is_refused() -> None:
    way = trail("https://host/a")
    with pytest.raises(UnsafeRedirect, match="redirect from https to http refused"):
        way.follow(302, "http://host/a")
    assert str(way.current) == "https://host/a"


@pytest.mark.fault(31)
@pytest.mark.parametrize("scheme", ["file", "ftp"])
def test_nothing_else_than_http_is_redirected(scheme: str) -> None:
    with pytest.raises(UnsafeRedirect):
        trail(f"{scheme}:///a" if scheme == "file" else "ftp://host/a").follow(302, "http://host/")


@pytest.mark.fault(34, 35)
@pytest.mark.parametrize("location", [None, ""])
def test_a_redirect_without_a_location_is_refused(location: str | None) -> None:
    with pytest.raises(UnsafeRedirect, match="without a Location") as caught:
        trail().follow(301, location)
    assert caught.value.status == 301


@pytest.mark.fault(34, 245)
@pytest.mark.parametrize(
    "location",
    [
        pytest.param("\xff\xfe", id="not UTF-8"),
        pytest.param("http://[::1", id="IPv6 without its end"),
        pytest.param(f"http://{'a' * 300}/", id="a host of 300"),
        pytest.param("http://host:99999/", id="port 99999"),
        pytest.param("http://ho st/", id="a blank in the host"),
        pytest.param("\\\\evil\\x", id="backslashes"),
        pytest.param("http://good\\@evil/", id="a backslash before the at"),
        pytest.param("/x\r\nX: y", id="a line break"),
        pytest.param("/x\0", id="NUL"),
        pytest.param("http://me:c4n4ry@ho st/", id="credentials"),
        pytest.param("http://", id="no host"),
        pytest.param("http:x", id="no slashes"),
    ],
)
def test_a_malformed_location_is_refused_without_repeating_it(location: str) -> None:
    with pytest.raises(UnsafeRedirect) as caught:
        trail().follow(302, location)
    assert str(caught.value) == "http://host/a/b?q=***: malformed Location"
    assert caught.value.__cause__ is None


@pytest.mark.fault(34)
@pytest.mark.parametrize("location", ["//", "#top", "?q=c4n4ry", "b?q=c4n4ry"])
def test_what_leads_back_to_where_it_stands_is_a_loop(location: str) -> None:
    with pytest.raises(TooManyRedirects, match="redirect loop"):
        trail().follow(302, location)


@pytest.mark.fault(30)
def test_a_loop_is_named_at_its_first_return() -> None:
    way = trail("http://host/a?t=c4n4ry")
    way.follow(302, "/b")
    with pytest.raises(TooManyRedirects) as caught:
        way.follow(302, "/a?t=c4n4ry#elsewhere")
    assert caught.value.reason == (
        "redirect loop: http://host/a?t=*** -> http://host/b -> http://host/a?t=***"
    )


@pytest.mark.fault(30)
@pytest.mark.parametrize("limit", [0, 1, 10])
def test_as_many_redirects_as_the_limit_says_are_followed(limit: int) -> None:
    way = trail("http://host/0", limit)
    for number in range(1, limit + 1):
        way.follow(302, f"/{number}")
    with pytest.raises(TooManyRedirects, match=f"more than {limit} redirects: http://host/0"):
        way.follow(302, f"/{limit + 1}")
    assert str(way.current) == f"http://host/{limit}"


@pytest.mark.fault(220)
def test_userinfo_of_a_location_neither_hides_a_loop_nor_is_shown() -> None:
    way = trail("http://host/a")
    way.follow(302, "http://me:c4n4ry@host/b")
    assert "c4n4ry" not in str(way)
    with pytest.raises(TooManyRedirects):
        way.follow(302, "http://you:c4n4ry@host/a")
