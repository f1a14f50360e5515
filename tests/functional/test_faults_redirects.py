"""Redirects that go round, down, elsewhere or nowhere, and their bodies."""

from __future__ import annotations

import gzip
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from requests.adapters import BaseAdapter

from pulp_download import (
    BadStatus,
    DownloadError,
    TimedOut,
    TooManyRedirects,
    UnsafeRedirect,
)
from tests.functional.fetch import BODY, fetched, refused, remote_for, whole
from tests.servers import (
    FaultServer,
    Script,
    chunk,
    drip,
    dripped_head,
    endless_body,
    endless_trickle,
    head,
    hold,
    pause,
    redirect,
    reply,
    send,
    steps,
)


@pytest.mark.fault(30)
@pytest.mark.parametrize(
    "hops",
    [{"/a": "/a"}, {"/a": "/b", "/b": "/a"}, {"/a": "/b", "/b": "/c", "/c": "/b?x=1#f"}],
    ids=["itself", "two", "later"],
)
def test_a_loop_is_noticed_when_it_closes(
    server: FaultServer, target: Path, hops: dict[str, str]
) -> None:
    for here, there in hops.items():
        server.on(here, redirect(there))
    server.on("/b?x=1", redirect("/b"))
    error = refused(TooManyRedirects, server.url("/a"), target, max_retries=3)
    assert "loop" in error.reason
    assert (error.retryable, error.status) == (False, 302)
    assert len(server.requests) <= 4


@pytest.mark.fault(30)
@pytest.mark.parametrize("limit", [0, 1, 10])
def test_a_chain_has_as_many_hops_as_the_limit_says(
    server: FaultServer, target: Path, limit: int
) -> None:
    for number in range(40):
        server.on(f"/{number}", redirect(f"/{number + 1}"))
    server.on(f"/{limit}", reply(200, BODY))
    fetched(server.url("/0"), target, max_redirects=limit)
    server.on(f"/{limit}", redirect(f"/{limit + 1}"))
    error = refused(TooManyRedirects, server.url("/0"), target, max_redirects=limit)
    assert f"more than {limit} redirects" in error.reason
    assert not error.retryable
    assert len(server.requests) == 2 * (limit + 1)


@pytest.mark.fault(30)
def test_the_chain_that_is_told_hides_the_values_of_queries(
    server: FaultServer, target: Path
) -> None:
    server.on("/a", redirect("/b?signature=S3CRET"))
    server.on("/b", redirect("/a"))
    error = refused(TooManyRedirects, server.url("/a?token=S3CRET"), target)
    assert "S3CRET" not in f"{error!s}{error!r}{vars(error)}"


@pytest.mark.fault(30)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_every_kind_of_redirect_is_followed(either: FaultServer, target: Path, status: int) -> None:
    either.on("/a", redirect("/b/../c%2Fd?q=%41+b", status=status))
    either.on("/c%2Fd?q=%41+b", reply(200, BODY))
    result = fetched(either.url("/a"), target, validations=whole(BODY))
    assert (result.url, result.final_url) == (either.url("/a"), either.url("/c%2Fd"))
    assert either.accepted == 1


class Leaking(BaseAdapter):
    """An adapter that would answer whatever it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str | None] = []

    def send(
        self, request: requests.PreparedRequest, *_: object, **__: object
    ) -> requests.Response:
        self.asked.append(request.url)
        raise AssertionError("asked")

    def close(self) -> None: ...


SCHEMES = ["file", "ftp", "ftps", "data", "gopher", "ldap", "custom"]


@pytest.mark.fault(31)
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("mounted", [True, False])
def test_a_redirect_to_another_scheme_is_refused_whatever_is_mounted(
    either: FaultServer, target: Path, scheme: str, mounted: bool
) -> None:
    either.default(redirect(f"{scheme}://127.0.0.1/secret"))
    adapter = Leaking()
    with remote_for() as remote:
        if mounted:
            remote.session.mount(f"{scheme}://", adapter)
        error = refused(UnsafeRedirect, either.url("/f"), target, remote=remote)
    assert (error.status, error.retryable) == (302, False)
    assert adapter.asked == []


@pytest.mark.fault(31)
@pytest.mark.parametrize("form", ["file://{}", "file:{}", "FILE://{}", "file://localhost{}"])
def test_a_redirect_never_reads_a_local_file(
    server: FaultServer, target: Path, tmp_path: Path, form: str
) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"S3CRET")
    server.on("/a", redirect("/b"))
    server.on("/b", redirect(form.format(secret)))
    refused(UnsafeRedirect, server.url("/a"), target)


@pytest.mark.fault(31)
@pytest.mark.parametrize("location", ["data:text/plain,hello", "javascript:1", "about:blank"])
def test_a_redirect_to_what_has_no_host_is_refused(
    server: FaultServer, target: Path, location: str
) -> None:
    server.default(redirect(location))
    assert not refused(UnsafeRedirect, server.url("/f"), target).retryable


@pytest.mark.fault(32)
@pytest.mark.parametrize("hop", [False, True])
def test_a_redirect_from_tls_to_plain_text_is_refused(
    server: FaultServer, secure: FaultServer, target: Path, hop: bool
) -> None:
    server.default(reply(200, BODY))
    secure.on("/b", redirect(server.url("/f")))
    secure.on("/a", redirect("/b"))
    error = refused(UnsafeRedirect, secure.url("/a" if hop else "/b"), target)
    assert "from https to http" in error.reason
    assert (error.status, error.retryable) == (302, False)
    assert server.requests == []


@pytest.mark.fault(32)
def test_a_redirect_from_plain_text_to_tls_is_followed(
    server: FaultServer, secure: FaultServer, target: Path
) -> None:
    server.default(redirect(secure.url("/f")))
    secure.default(reply(200, BODY))
    assert fetched(server.url("/f"), target).final_url == secure.url("/f")


TO_GOOD = {"Location": "/good"}
CHUNKED = {**TO_GOOD, "Transfer-Encoding": "chunked"}
BOMB = gzip.compress(bytes(100_000_000), 9, mtime=0)
SLOW = 0.05
BODIES = [
    pytest.param(endless_body(status=302, headers=TO_GOOD, length=300 * 2**20), id="300-mib"),
    pytest.param(endless_body(status=302, headers=TO_GOOD), id="endless"),
    pytest.param(
        endless_body(status=302, headers=CHUNKED, block=chunk(bytes(65536))), id="endless-chunks"
    ),
    pytest.param(endless_trickle(every=SLOW, status=302, headers=TO_GOOD), id="trickle"),
    pytest.param(
        endless_trickle(every=SLOW, status=302, headers={**TO_GOOD, "Content-Length": "9000"}),
        id="trickle-with-length",
    ),
    pytest.param(
        steps(head(302, CHUNKED), drip(chunk(b".") * 999, every=SLOW)), id="trickle-of-chunks"
    ),
    pytest.param(
        steps(head(302, CHUNKED), send(b"5;"), drip(b"x" * 999, every=SLOW)), id="trickle-of-size"
    ),
    pytest.param(steps(head(302, {**TO_GOOD, "Content-Length": "10"}), hold), id="stalled"),
    pytest.param(
        reply(302, BOMB, headers={**TO_GOOD, "Content-Encoding": "gzip"}), id="compressed"
    ),
    pytest.param(
        steps(head(302, CHUNKED), send(b"-5\r\nhello\r\n0\r\n\r\n")), id="malformed-chunks"
    ),
]


@pytest.fixture
def little_memory() -> Iterator[None]:
    tracemalloc.start()
    yield
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8_000_000


@pytest.mark.fault(33)
@pytest.mark.usefixtures("little_memory")
@pytest.mark.parametrize("answer", BODIES)
def test_the_body_of_a_redirect_holds_nothing_up(
    either: FaultServer, target: Path, answer: Script
) -> None:
    either.on("/a", answer)
    either.on("/good", reply(200, BODY))
    fetched(either.url("/a"), target, stall_period=1.0, sock_read_timeout=1.0, within=2.0)
    assert target.read_bytes() == BODY


@pytest.mark.fault(33)
@pytest.mark.parametrize("status", [404, 503])
@pytest.mark.parametrize("answer", [hold, drip(bytes(9000), every=SLOW)])
def test_the_body_of_an_error_holds_nothing_up_and_hides_nothing(
    server: FaultServer, target: Path, status: int, answer: Script
) -> None:
    server.default(steps(head(status, {"Content-Length": "9000"}), answer))
    with remote_for(stall_period=1.0, sock_read_timeout=1.0) as remote:
        errors: tuple[type[DownloadError], ...] = tuple(BadStatus.__subclasses__())
        error = refused(errors, server.url("/f"), target, remote=remote, within=2.0)
    assert error.status == status


@pytest.mark.fault(33)
def test_a_small_body_of_a_redirect_keeps_its_connection(either: FaultServer, target: Path) -> None:
    either.on("/a", redirect("/b", body=b"moved\n" * 1000))
    either.on("/b", reply(200, BODY))
    fetched(either.url("/a"), target)
    assert either.accepted == 1


@pytest.mark.fault(33)
def test_a_chain_shares_one_total_limit(server: FaultServer, target: Path) -> None:
    for number in range(10):
        server.on(f"/{number}", steps(pause(0.15), redirect(f"/{number + 1}")))
    error = refused(TimedOut, server.url("/0"), target, total_timeout=0.5)
    assert error.limit == "total"
    assert len(server.requests) < 6


@pytest.mark.fault(33)
def test_a_redirect_whose_head_trickles_is_out_of_time(server: FaultServer, target: Path) -> None:
    server.on("/a", redirect("/b"))
    server.on("/b", dripped_head(every=0.1))
    error = refused(TimedOut, server.url("/a"), target, sock_read_timeout=0.4)
    assert error.limit == "read"


@pytest.mark.fault(34)
@pytest.mark.parametrize(
    "location",
    [
        b"http://\xff\xfe/",
        b"/\xff\xfe",
        b"http://[::1",
        b"http://[::1]:80:80/",
        b"http://[zz]/",
        b"http://" + b"h" * 300 + b"/",
        b"http://" + b"h." * 200 + b"/",
        b"http://h" + b"\xc3\xa9" * 100 + b"/",
        b"",
        b"   ",
        b"http://\\evil/",
        b"http:\\\\evil\\f",
        b"\\\\evil\\f",
        b"/\\evil",
        b"http://127.0.0.1\\@evil/",
        b"http://127.0.0.1:99999/",
        b"http://127.0.0.1:0/",
        b"http://127.0.0.1:abc/",
        b"http://127.0.0.1:-80/",
        b"http://0x7f.1/",
        b"http://2130706433/",
        b"http://127.0.0.1 /",
        b"http://a b/",
        b"/\x01",
        b"/\x7f",
    ],
    ids=lambda location: repr(location[:30]),
)
def test_a_malformed_location_is_refused(
    server: FaultServer, target: Path, location: bytes
) -> None:
    server.default(
        send(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: " + location + b"\r\n\r\n")
    )
    with remote_for() as remote:
        error = refused(UnsafeRedirect, server.url("/f"), target, remote=remote)
    assert (error.status, error.retryable) == (302, False)
    assert len(server.requests) == 1


@pytest.mark.fault(34)
@pytest.mark.parametrize("location", ["//", "?", "#", "", ".", "/f", "/f#part"])
def test_a_location_that_leads_back_is_refused(
    server: FaultServer, target: Path, location: str
) -> None:
    server.default(redirect(location))
    error = refused((UnsafeRedirect, TooManyRedirects), server.url("/f"), target)
    assert not error.retryable
    assert len(server.requests) <= 3


@pytest.mark.fault(34)
@pytest.mark.parametrize(
    ("location", "asked"),
    [
        ("/caf\xc3\xa9", "/caf%C3%A9"),
        ("/a b", "/a%20b"),
        ("/100%", "/100%25"),
        ("b/c", "/dir/b/c"),
        ("../b", "/b"),
        ("?page=2", "/dir/a?page=2"),
        ("b#fragment", "/dir/b"),
    ],
)
def test_a_location_is_read_as_it_is_meant(
    server: FaultServer, target: Path, location: str, asked: str
) -> None:
    server.on("/dir/a", redirect(location))
    server.on(asked, reply(200, BODY))
    fetched(server.url("/dir/a"), target)
    assert server.requests[-1].target == asked


@pytest.mark.fault(35)
@pytest.mark.parametrize(
    "answer",
    [
        reply(300, BODY),
        reply(300, BODY, headers=TO_GOOD),
        reply(304),
        reply(304, headers={"Content-Length": "5", "ETag": '"v1"'}),
        reply(305, headers=TO_GOOD),
        reply(306),
        reply(399, BODY),
    ],
)
def test_a_status_between_success_and_failure_is_no_file(
    server: FaultServer, target: Path, answer: Script
) -> None:
    server.default(answer)
    error = refused(BadStatus, server.url("/f"), target)
    assert 300 <= (error.status or 0) < 400
    assert not error.retryable


@pytest.mark.fault(35)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_without_a_location_is_no_file(
    server: FaultServer, target: Path, status: int
) -> None:
    server.default(reply(status, BODY))
    error = refused(UnsafeRedirect, server.url("/f"), target)
    assert (error.status, error.retryable) == (status, False)
