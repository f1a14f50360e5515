"""A body that breaks while a caller reads it, and goes on: ``iter_content(resume=True)``."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from pulp_download import (
    Cancelled,
    Content,
    DigestMismatch,
    Download,
    Finished,
    Mirrors,
    Progressed,
    Remote,
    ServerFailed,
    Started,
    TransferError,
    Truncated,
    TryFailed,
)
from pulp_download.events import Event
from tests.functional.upstream import expectations, sha256
from tests.servers import (
    Cut,
    FaultServer,
    Script,
    authority,
    hold,
    published,
    reply,
    truncated,
)

BODY = bytes(range(256)) * 2048
HALF = len(BODY) // 2
TAGGED = {"ETag": '"one"'}
BROKEN = truncated(BODY, sent=HALF, headers=TAGGED)


def opened(remote: Remote, source: Any, *, judged: bool = True, **options: Any) -> Content:
    validations = expectations(BODY) if judged else ()
    download = Download(source, remote=remote, validations=validations)
    return download.iter_content(resume=True, **options)


@pytest.fixture
def remote() -> Any:
    with Remote(max_retries=2) as remote:
        yield remote


@pytest.mark.need("S3")
@pytest.mark.fault(1, 42, 194)
@pytest.mark.parametrize("how", Cut)
@pytest.mark.parametrize("judged", [True, False])
def test_it_goes_on_where_it_broke(
    server: FaultServer, remote: Remote, judged: bool, how: Cut
) -> None:
    broken = truncated(BODY, sent=HALF, headers=TAGGED, how=how)
    server.on("/f", [broken, published(BODY, etag='"one"')])
    with opened(remote, server.url("/f"), judged=judged) as content:
        assert b"".join(content) == BODY
        assert content.headers["Content-Length"] == str(len(BODY))
        assert (content.status, content.size, content.received) == (200, len(BODY), len(BODY))
    again = server.requests[1].headers
    assert again["If-Range"] == '"one"'
    start = int(again["Range"].removeprefix("bytes=").removesuffix("-"))
    assert 0 < start <= HALF
    assert (content.digests == {"sha256": sha256(BODY)}) == judged


@pytest.mark.fault(1)
def test_it_goes_on_more_than_once(server: FaultServer, remote: Remote) -> None:
    def part(conn: Any, request: Any) -> None:
        start = int(request.headers["Range"].removeprefix("bytes=").removesuffix("-"))
        fields = {"Content-Range": f"bytes {start}-{len(BODY) - 1}/{len(BODY)}", **TAGGED}
        rest = BODY[start:]
        truncated(rest, sent=len(rest) // 2, status=206, headers=fields)(conn, request)

    server.on("/f", [BROKEN, part, published(BODY, etag='"one"')])
    with opened(remote, server.url("/f")) as content:
        assert b"".join(content) == BODY
    assert len(server.requests) == 3


@pytest.mark.need("S5")
@pytest.mark.fault(44, 194)
def test_it_goes_on_at_another_mirror_if_a_digest_judges(
    server: FaultServer, remote: Remote
) -> None:
    server.on("/1", BROKEN)
    server.on("/2", published(BODY, etag='"elsewhere"'))
    mirrors = Mirrors([server.url("/1"), server.url("/2")])
    with opened(remote, mirrors) as content:
        assert b"".join(content) == BODY
    with opened(remote, mirrors, judged=False) as content, pytest.raises(Truncated):
        b"".join(content)


SMALL = bytes(range(256))
WRONG = SMALL[:-1] + b"!"


def small(source: Any, remote: Remote, **options: Any) -> Content:
    download = Download(source, remote=remote, validations=expectations(SMALL))
    return download.iter_content(resume=True, **options)


@pytest.mark.need("S5")
@pytest.mark.fault(194)
def test_a_wrong_body_that_came_with_its_head_is_a_failed_try(
    server: FaultServer, remote: Remote
) -> None:
    server.on("/1", reply(200, WRONG, headers={"ETag": '"wrong"'}))
    server.on("/2", reply(200, SMALL, headers={"ETag": '"right"'}))
    told: list[Event] = []
    mirrors = Mirrors([server.url("/1"), server.url("/2")])
    with small(mirrors, remote, observer=told.append) as content:
        assert content.is_verified  # and not one byte of it was asked for
        assert content.headers["ETag"] == '"right"'
        assert b"".join(content) == SMALL
    failed = next(event for event in told if isinstance(event, TryFailed))
    assert failed.failed.type == "DigestMismatch"
    assert isinstance(told[-1], Finished)


@pytest.mark.fault(194)
def test_a_small_body_that_is_wrong_at_the_only_place_is_not_asked_for_again(
    server: FaultServer, remote: Remote
) -> None:
    server.on("/f", reply(200, WRONG))
    with pytest.raises(DigestMismatch):
        small(server.url("/f"), remote)
    assert len(server.requests) == 1


def test_what_was_judged_is_told_of_before_its_end(server: FaultServer, remote: Remote) -> None:
    server.on("/f", reply(200, SMALL))
    told: list[Event] = []
    with small(server.url("/f"), remote, observer=told.append) as content:
        b"".join(content)
    assert [type(event) for event in told] == [Started, Progressed, Finished]


def test_what_was_judged_is_not_handed_out_after_it_was_closed(
    server: FaultServer, remote: Remote
) -> None:
    server.on("/f", reply(200, SMALL))
    content = small(server.url("/f"), remote, chunk_size=100)
    next(content)
    content.close()
    with pytest.raises(Cancelled):
        next(content)


def test_what_was_judged_is_handed_out_in_chunks_too(server: FaultServer, remote: Remote) -> None:
    server.on("/f", reply(200, SMALL))
    with small(server.url("/f"), remote, chunk_size=100) as content:
        assert [len(chunk) for chunk in content] == [100, 100, 56]
        assert content.received == len(SMALL)


@pytest.mark.fault(38, 42, 194)
@pytest.mark.parametrize(
    "second",
    [
        published(BODY, etag='"two"'),
        published(BODY, etag='"one"', ranges=False),
        reply(206, b"ab", headers={"Content-Range": f"bytes 0-1/{len(BODY)}"}),
        reply(206, b"ab", headers={"Content-Range": "bytes 7-8/9"}),
        reply(206, b"ab"),
        reply(404),
        reply(416, headers={"Content-Range": "bytes */3"}),
    ],
)
def test_what_does_not_fit_is_no_rest(server: FaultServer, remote: Remote, second: Script) -> None:
    server.on("/f", [BROKEN, second])
    got = bytearray()
    with (
        opened(remote, server.url("/f"), judged=False) as content,
        pytest.raises(TransferError) as caught,
    ):
        for chunk in content:
            got += chunk
    assert type(caught.value).__name__ in ("Truncated", "NotFound")
    assert caught.value.attempts[0].type == "Truncated"
    assert BODY.startswith(got)
    assert len(server.requests) == 2


@pytest.mark.need("S3")
@pytest.mark.fault(42, 196)
def test_a_rest_of_another_file_is_found_out_before_the_last_byte(
    server: FaultServer, remote: Remote
) -> None:
    lies = published(b"!" * len(BODY), etag='"one"')
    server.on("/f", [BROKEN, lies])
    got = bytearray()
    with opened(remote, server.url("/f")) as content, pytest.raises(DigestMismatch):
        for chunk in content:
            got += chunk
    assert len(got) == len(BODY) - 1
    assert len(server.requests) == 2


@pytest.mark.fault(193)
def test_a_wrong_digest_is_not_gone_on_with(server: FaultServer, remote: Remote) -> None:
    server.on("/f", reply(200, BODY[:-1] + b"!"))
    with opened(remote, server.url("/f")) as content, pytest.raises(DigestMismatch):
        b"".join(content)
    assert len(server.requests) == 1


@pytest.mark.fault(1)
def test_without_being_asked_to_it_does_not_go_on(server: FaultServer, remote: Remote) -> None:
    server.on("/f", [BROKEN, published(BODY, etag='"one"')])
    download = Download(server.url("/f"), remote=remote)
    with download.iter_content() as content, pytest.raises(Truncated):
        b"".join(content)
    assert len(server.requests) == 1


@pytest.mark.fault(198)
def test_a_part_is_passed_on_as_it_is(server: FaultServer, remote: Remote) -> None:
    fields = {"Content-Range": f"bytes 0-{len(BODY) - 1}/{len(BODY)}", **TAGGED}
    server.on("/f", truncated(BODY, sent=HALF, status=206, headers=fields))
    asked = {"Range": "bytes=0-"}
    with opened(remote, server.url("/f"), headers=asked) as content, pytest.raises(Truncated):
        b"".join(content)
    assert len(server.requests) == 1


def test_the_budget_of_repeats_is_that_of_a_run(server: FaultServer) -> None:
    server.on("/f", [BROKEN, reply(500)])
    with (
        Remote(max_retries=1) as remote,
        opened(remote, server.url("/f")) as content,
        pytest.raises(ServerFailed) as caught,
    ):
        b"".join(content)
    assert [each.type for each in caught.value.attempts] == ["Truncated", "ServerFailed"]


@pytest.mark.fault(171)
@pytest.mark.parametrize("stop", ["cancel", "close"])
@pytest.mark.parametrize("rest", [reply(503, headers={"Retry-After": "60"}), hold])
def test_a_wait_for_the_rest_can_be_stopped(
    server: FaultServer, remote: Remote, rest: Script, stop: str
) -> None:
    server.on("/f", [BROKEN, rest])
    with opened(remote, server.url("/f")) as content:
        stopper = threading.Thread(
            target=lambda: (server.wait_for_requests(2), getattr(content, stop)())
        )
        stopper.start()
        begun = time.monotonic()
        with pytest.raises(Cancelled):
            b"".join(content)
        assert time.monotonic() - begun < 5
        stopper.join()


def test_an_observer_hears_of_it_and_of_one_end(server: FaultServer, remote: Remote) -> None:
    told: list[Event] = []
    server.on("/f", [BROKEN, published(BODY, etag='"one"')])
    with opened(remote, server.url("/f"), observer=told.append) as content:
        assert b"".join(content) == BODY
    assert [type(event) for event in told if isinstance(event, (TryFailed, Finished))] == [
        TryFailed,
        Finished,
    ]
    assert isinstance(told[-1], Finished)
    assert told[-1].result is not None
    assert len(told[-1].result.attempts) == 1


@pytest.mark.fault(42)
def test_over_tls(secure: FaultServer) -> None:
    secure.on("/f", [BROKEN, published(BODY, etag='"one"')])
    with (
        Remote(ca_cert=authority().pem, max_retries=1) as remote,
        opened(remote, secure.url("/f"), judged=False) as content,
    ):
        assert b"".join(content) == BODY
