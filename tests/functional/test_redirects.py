"""Redirects: followed with a limit, refused where they are unsafe, and who is told secrets."""

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pulp_download import (
    Download,
    MemoryWriter,
    NotAuthorized,
    Remote,
    TooManyRedirects,
    UnsafeRedirect,
)
from tests.functional.asking import basic, fetched, fields_of, one_try
from tests.servers import FaultServer, authority, endless_body, redirect, reply

STATUSES = [301, 302, 303, 307, 308]

# What goes to an origin that nobody named: nothing that tells who asks.
HARMLESS = {"host", "user-agent", "accept", "accept-encoding"}


@pytest.fixture
def origin() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server


@pytest.fixture
def other() -> Iterator[FaultServer]:
    """Another host, with a file for everybody."""
    with FaultServer(host="127.0.0.2") as server:
        server.default(reply(200, b"moved"))
        yield server


# -- following


@pytest.mark.parametrize("status", STATUSES)
def test_a_redirect_is_followed_and_the_result_tells_both_ends(
    origin: FaultServer, status: int
) -> None:
    origin.on("/old", redirect("/new?signature=1", status=status, body=b"over there"))
    origin.on("/new", reply(200, b"moved"))
    into = MemoryWriter()
    with one_try() as remote:
        result = Download(origin.url("/old"), into, remote=remote).run()
    assert into.getvalue() == b"moved"
    assert (result.url, result.final_url) == (origin.url("/old"), origin.url("/new"))
    assert [r.target for r in origin.requests] == ["/old", "/new?signature=1"]
    assert [r.method for r in origin.requests] == ["GET", "GET"]
    assert origin.accepted == 1


@pytest.mark.parametrize("status", STATUSES)
def test_a_head_stays_a_head_on_its_way(origin: FaultServer, status: int) -> None:
    origin.on("/old", redirect("/new", status=status, body=b"over there"))
    origin.on("/new", reply(200, b"moved"))
    with one_try() as remote, Download(origin.url("/old"), remote=remote).head() as content:
        assert (content.status, content.size) == (200, 5)
        assert (content.url, content.final_url) == (origin.url("/old"), origin.url("/new"))
    assert [(r.method, r.target) for r in origin.requests] == [("HEAD", "/old"), ("HEAD", "/new")]


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("c", "/a/c"),
        ("../c", "/c"),
        ("//{host}/c", "/c"),
        ("?d=1", "/a/b?d=1"),
        ("/c#there", "/c"),
        ("/%7Ec%2Fd", "/%7Ec%2Fd"),
        ("/c d", "/c%20d"),
        ("/ü", "/%C3%BC"),
        ("http://{host}", "/"),
    ],
)
def test_a_location_is_resolved_as_browsers_do(
    origin: FaultServer, location: str, target: str
) -> None:
    where = location.format(host=f"127.0.0.1:{origin.port}").encode().decode("latin-1")
    origin.on("/a/b", redirect(where))
    origin.default(reply(200, b"moved"))
    if target.startswith("/a/b?"):
        origin.on("/a/b", [redirect(where), reply(200, b"moved")])
    with one_try() as remote:
        assert fetched(origin.url("/a/b"), remote) == b"moved"
    assert origin.requests[1].target == target


def test_ten_redirects_are_followed_and_an_eleventh_is_not(origin: FaultServer) -> None:
    for number in range(11):
        origin.on(f"/{number}", redirect(f"/{number + 1}"))
    origin.on("/11", reply(200, b"moved"))
    with one_try() as remote:
        assert fetched(origin.url("/1"), remote) == b"moved"
        with pytest.raises(TooManyRedirects, match="more than 10 redirects") as caught:
            fetched(origin.url("/0"), remote)
    assert caught.value.status == 302
    assert origin.requests[-1].target == "/10"


@pytest.mark.parametrize("limit", [0, 2])
def test_the_limit_can_be_set(origin: FaultServer, limit: int) -> None:
    for number in range(5):
        origin.on(f"/{number}", redirect(f"/{number + 1}"))
    with one_try(max_redirects=limit) as remote, pytest.raises(TooManyRedirects):
        fetched(origin.url("/0"), remote)
    assert len(origin.requests) == limit + 1


def test_a_loop_is_named_without_query_values_and_not_tried_again(origin: FaultServer) -> None:
    origin.on("/a", redirect("/b?token=S3CRET"))
    origin.on("/b", redirect("/a"))
    with Remote() as remote, pytest.raises(TooManyRedirects) as caught:
        fetched(origin.url("/a"), remote)
    a, b = origin.url("/a"), origin.url("/b?token=***")
    assert f"redirect loop: {a} -> {b} -> {a}" in str(caught.value)
    assert "S3CRET" not in str(caught.value)
    assert len(origin.requests) == 2


@pytest.mark.parametrize("location", [None, "", "http://", "http://[::1/", "/a\x01b", "a\\b", "//"])
def test_a_location_that_leads_nowhere_is_refused(
    origin: FaultServer, location: str | None
) -> None:
    fields = [] if location is None else [("Location", location)]
    origin.on("/a", reply(302, b"", headers=fields))
    with one_try() as remote, pytest.raises(UnsafeRedirect) as caught:
        fetched(origin.url("/a"), remote)
    assert (caught.value.url, caught.value.status) == (origin.url("/a"), 302)


def test_a_redirect_with_an_endless_body_is_followed_without_reading_it(
    origin: FaultServer,
) -> None:
    origin.on("/a", endless_body(status=302, headers={"Location": "/b"}))
    origin.on("/b", reply(200, b"moved"))
    with one_try() as remote:
        assert fetched(origin.url("/a"), remote) == b"moved"


# -- refusing


def test_tls_is_never_left_for_plain_text(other: FaultServer) -> None:
    with FaultServer(tls=authority().server_context()) as secure:
        secure.on("/a", redirect(other.url("/b")))
        with (
            one_try(ca_cert=authority().pem, trusted_origins=[other.url("/")]) as remote,
            pytest.raises(UnsafeRedirect, match="https to http") as caught,
        ):
            fetched(secure.url("/a"), remote)
        assert caught.value.url == secure.url("/a")
    assert other.accepted == 0


def test_plain_text_is_left_for_tls(origin: FaultServer) -> None:
    with FaultServer(tls=authority().server_context()) as secure:
        secure.on("/b", reply(200, b"moved"))
        origin.on("/a", redirect(secure.url("/b")))
        with one_try(ca_cert=authority().pem) as remote:
            assert fetched(origin.url("/a"), remote) == b"moved"


@pytest.mark.parametrize(
    "location",
    ["file://{path}", "FILE://localhost{path}", "ftp://127.0.0.1/a", "data:,words", "mem://a/b"],
)
def test_http_never_leads_to_another_kind_of_source(
    origin: FaultServer, tmp_path: Path, location: str
) -> None:
    path = tmp_path / "local"
    path.write_bytes(b"S3CRET")
    origin.on("/a", redirect(location.format(path=path)))
    with one_try() as remote:
        assert fetched(path.as_uri(), remote) == b"S3CRET"  # the adapter is there
        with pytest.raises(UnsafeRedirect):
            fetched(origin.url("/a"), remote)


# -- who is told


def laden(**more: Any) -> dict[str, Any]:
    """Settings with a secret in every place that has one."""
    return {
        "username": "me",
        "password": "S3CRET",
        "headers": {"X-Auth-Token": "S3CRET", "PRIVATE-TOKEN": "S3CRET", "Referer": "S3CRET"},
        "ca_cert": authority().pem,
        **more,
    }


def load(remote: Remote) -> None:
    """The same for what is set on the session."""
    remote.session.headers["X-Api-Key"] = "S3CRET"
    remote.session.cookies.set("login", "S3CRET")
    remote.session.params = {"key": "S3CRET"}


OF_THE_DOWNLOAD = {"X-Of-This-File": "S3CRET", "Accept": "application/x-special"}
OUR_SECRETS = {
    "authorization",
    "x-auth-token",
    "private-token",
    "referer",
    "x-api-key",
    "cookie",
    "x-of-this-file",
}


@pytest.mark.fault(220)
@pytest.mark.parametrize("elsewhere", ["host", "port", "scheme", "name"])
@pytest.mark.parametrize("status", STATUSES)
def test_no_secret_follows_a_redirect_to_another_origin(
    origin: FaultServer, other: FaultServer, elsewhere: str, status: int
) -> None:
    with FaultServer() as port, FaultServer(tls=authority().server_context()) as scheme:
        target, host = {
            "host": (other, None),
            "port": (port, None),
            "scheme": (scheme, None),
            "name": (origin, "localhost"),
        }[elsewhere]
        for server in (origin, port, scheme):
            server.on("/b", reply(200, b"moved"))
        location = target.url("/b", host=host, userinfo="planted:planted")
        origin.on("/a", redirect(location, status=status))
        with one_try(**laden()) as remote:
            load(remote)
            assert fetched(origin.url("/a"), remote, headers=OF_THE_DOWNLOAD) == b"moved"
        first, last = origin.requests[0], target.requests[-1]
    assert set(fields_of(first)) == HARMLESS | OUR_SECRETS
    assert set(fields_of(last)) == HARMLESS
    assert (first.target, last.target) == ("/a?key=S3CRET", "/b")
    assert b"S3CRET" not in last.raw


@pytest.mark.fault(220)
@pytest.mark.parametrize(
    "spelling", ["{base}/b", "HTTP://LOCALHOST:{port}/b", "//localhost:{port}/b"]
)
def test_the_same_origin_in_another_spelling_is_still_told(
    origin: FaultServer, spelling: str
) -> None:
    base = origin.url("", host="localhost")
    origin.on("/a", redirect(spelling.format(base=base, port=origin.port)))
    origin.on("/b", reply(200, b"moved"))
    with one_try(**laden()) as remote:
        fetched(origin.url("/a", host="localhost"), remote)
    assert fields_of(origin.requests[1])["authorization"] == basic("me", "S3CRET")


@pytest.mark.fault(220)
def test_a_trailing_dot_makes_another_origin(origin: FaultServer) -> None:
    """Other software may take it for another name, so it is not told either."""
    with Remote() as remote:
        assert Download("http://a.test./", remote=remote).url.origin != (
            Download("http://a.test/", remote=remote).url.origin
        )


@pytest.mark.fault(220)
@pytest.mark.parametrize("fields", [{"token": "S3CRET"}, {"token": lambda: ("S3CRET", None)}])
def test_tokens_stay_with_their_origin(
    origin: FaultServer, other: FaultServer, fields: dict[str, Any]
) -> None:
    origin.on("/a", redirect(other.url("/b")))
    with one_try(**fields) as remote:
        fetched(origin.url("/a"), remote)
    assert origin.requests[0].headers["Authorization"] == "Bearer S3CRET"
    assert set(fields_of(other.requests[0])) == HARMLESS


@pytest.mark.fault(220)
def test_a_401_of_another_origin_does_not_make_us_ask_for_a_token(
    origin: FaultServer, other: FaultServer
) -> None:
    asked = []

    def source() -> tuple[str, None]:
        asked.append(1)
        return "S3CRET", None

    origin.on("/a", redirect(other.url("/b")))
    other.on("/b", reply(401))
    with one_try(token=source) as remote, pytest.raises(NotAuthorized):
        fetched(origin.url("/a"), remote)
    assert len(asked) == 1
    assert len(other.requests) == 1


@pytest.mark.fault(220)
def test_credentials_of_a_url_stay_with_their_origin(
    origin: FaultServer, other: FaultServer
) -> None:
    origin.on("/a", redirect(other.url("/b")))
    fetched(origin.url("/a", userinfo="me:S3CRET"))
    assert origin.requests[0].headers["Authorization"] == basic("me", "S3CRET")
    assert set(fields_of(other.requests[0])) == HARMLESS


@pytest.mark.fault(220)
def test_an_auth_object_on_the_session_is_not_asked_for_another_origin(
    origin: FaultServer, other: FaultServer
) -> None:
    origin.on("/a", redirect(other.url("/b")))
    with one_try() as remote:
        remote.session.auth = ("me", "S3CRET")
        fetched(origin.url("/a"), remote)
    assert "Authorization" in origin.requests[0].headers
    assert set(fields_of(other.requests[0])) == HARMLESS


@pytest.mark.fault(220)
def test_a_client_certificate_is_shown_to_its_origin_only(tmp_path: Path) -> None:
    me = authority().client_cert_files(tmp_path, "me.test")
    asking = {"client_certs": ssl.CERT_OPTIONAL}
    with (
        FaultServer(tls=authority().server_context(**asking)) as origin,
        FaultServer(tls=authority().server_context(**asking)) as other,
        FaultServer(tls=authority().server_context(**asking)) as friend,
    ):
        origin.on("/other", redirect(other.url("/b")))
        origin.on("/friend", redirect(friend.url("/b")))
        other.on("/b", reply(200, b"moved"))
        friend.on("/b", reply(200, b"moved"))
        with one_try(
            ca_cert=authority().pem,
            client_cert=str(me.cert),
            client_key=str(me.key),
            trusted_origins=[friend.url("/")],
        ) as remote:
            fetched(origin.url("/other"), remote)
            fetched(origin.url("/friend"), remote)
        shown = [
            [bool(request.client_certificate) for request in server.requests]
            for server in (origin, other, friend)
        ]
    assert shown == [[True, True], [False], [True]]


@pytest.mark.fault(220)
def test_a_trusted_origin_is_told_like_the_configured_one(
    origin: FaultServer, other: FaultServer
) -> None:
    origin.on("/a", redirect(other.url("/b")))
    with one_try(**laden(trusted_origins=[other.url("/any/path")])) as remote:
        load(remote)
        fetched(origin.url("/a"), remote, headers=OF_THE_DOWNLOAD)
    assert set(fields_of(other.requests[0])) == HARMLESS | OUR_SECRETS
    assert other.requests[0].headers["Authorization"] == basic("me", "S3CRET")


def test_credentials_of_a_url_are_not_for_trusted_origins_either(
    origin: FaultServer, other: FaultServer
) -> None:
    """They were given for that one origin; what the remote has is for the trusted ones."""
    origin.on("/a", redirect(other.url("/b")))
    with one_try(username="me", password="mine", trusted_origins=[other.url("/")]) as remote:
        fetched(origin.url("/a", userinfo="you:S3CRET"), remote)
    assert origin.requests[0].headers["Authorization"] == basic("you", "S3CRET")
    assert other.requests[0].headers["Authorization"] == basic("me", "mine")


@pytest.mark.fault(220)
def test_a_way_back_to_the_origin_gets_the_secrets_again(
    origin: FaultServer, other: FaultServer
) -> None:
    origin.on("/a", redirect(other.url("/b")))
    other.on("/b", redirect(origin.url("/c")))
    origin.on("/c", reply(200, b"moved"))
    with one_try(**laden()) as remote:
        load(remote)
        assert fetched(origin.url("/a"), remote, headers=OF_THE_DOWNLOAD) == b"moved"
    assert [set(fields_of(request)) - HARMLESS for request in origin.requests] == [
        OUR_SECRETS,
        OUR_SECRETS,
    ]
    assert set(fields_of(other.requests[0])) == HARMLESS


@pytest.mark.fault(84)
def test_cookies_that_servers_plant_are_never_sent(origin: FaultServer, other: FaultServer) -> None:
    planted = [("Set-Cookie", f"c{number}={'x' * 4000}; Path=/") for number in range(30)]
    origin.on("/a", reply(302, headers=[*planted, ("Location", "/b")]))
    origin.on("/b", reply(302, headers=[*planted, ("Location", other.url("/c"))]))
    with one_try() as remote:
        fetched(origin.url("/a"), remote)
        fetched(origin.url("/a"), remote)
        assert len(remote.session.cookies) == 0
    for request in (*origin.requests, *other.requests):
        assert "Cookie" not in request.headers


def test_conditions_and_ranges_go_along_for_they_are_about_the_file(
    origin: FaultServer, other: FaultServer
) -> None:
    origin.on("/a", redirect(other.url("/b")))
    download = Download(origin.url("/a"))
    with download.iter_content(headers={"Range": "bytes=0-1", "If-Range": '"1"'}) as content:
        assert b"".join(content) == b"moved"
    assert set(fields_of(other.requests[0])) == HARMLESS | {"range", "if-range"}
