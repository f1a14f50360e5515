"""Broken transfers that go on where they broke, within one run; and when they must not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from pulp_download import (
    DigestMismatch,
    Download,
    MemoryWriter,
    Progressed,
    Result,
    SizeValidation,
    Truncated,
    Validation,
)
from pulp_download.mirrors.mirror import Mirrors
from tests.functional.fetch import BODY, OLD, fetched, refused, remote_for, sha256, whole
from tests.servers import (
    Cut,
    FaultServer,
    Script,
    chunk,
    chunked,
    cut,
    head,
    published,
    reply,
    send,
    steps,
    truncated,
    until_close,
)
from tests.servers.ftp import FtpFaultServer, good, rest_ignored
from tests.servers.ftp import truncated as ftp_truncated

TAG = {"ETag": '"v1"'}
DATE = "Sun, 06 Nov 1994 09:00:00 GMT"
HALF = 5000  # of 10240 bytes
OTHER = bytes(reversed(BODY))
REST = {"Content-Range": f"bytes {HALF}-10239/10240", **TAG}

Fields = dict[str, str]


def broken(headers: Fields | None = None, *, body: bytes = BODY, sent: int = HALF) -> Script:
    """All of the file announced, the first part of it sent."""
    return truncated(body, sent=sent, headers=headers or {})


def asked_of(server: FaultServer) -> list[tuple[str | None, str | None]]:
    """What each request asked for: its Range and its If-Range."""
    return [
        (request.headers.get("Range"), request.headers.get("If-Range"))
        for request in server.requests
    ]


FROM_HALF = f"bytes={HALF}-"
NOTHING = (None, None)


# Going on.


@pytest.mark.parametrize("listed", [True, False])
def test_a_broken_transfer_goes_on_behind_what_it_has_if_its_tag_is_strong(
    either: FaultServer, target: Path, listed: bool
) -> None:
    either.default([broken(TAG), published(BODY, etag='"v1"')])
    validations = whole(BODY) if listed else []
    result = fetched(either.url("/f"), target, validations=validations, max_retries=1, backoff=0)
    assert target.read_bytes() == BODY
    assert asked_of(either) == [NOTHING, (FROM_HALF, '"v1"')]
    assert (result.size, result.length_verified) == (10_240, True)
    assert result.digests == ({"sha256": sha256(BODY).hexdigest} if listed else {})
    assert result.headers["Content-Range"] == "bytes 5000-10239/10240"
    assert [failed.type for failed in result.attempts] == ["Truncated"]


def test_it_goes_on_as_often_as_it_breaks(server: FaultServer, target: Path) -> None:
    def broken_part(start: int, sent: int) -> Script:
        place = {"Content-Range": f"bytes {start}-10239/10240"}
        return truncated(BODY[start:], sent=sent, status=206, headers=place)

    parts = broken_part(5000, 1000), broken_part(6000, 3000)
    server.default([broken(TAG), *parts, published(BODY, etag='"v1"')])
    result = fetched(
        server.url("/f"), target, validations=whole(BODY), max_retries=3, backoff=0, within=15
    )
    assert target.read_bytes() == BODY
    assert asked_of(server) == [
        NOTHING,
        (FROM_HALF, '"v1"'),
        ("bytes=6000-", '"v1"'),
        ("bytes=9000-", '"v1"'),
    ]
    assert result.digests == {"sha256": sha256(BODY).hexdigest}


def test_what_is_held_in_memory_goes_on_as_well(server: FaultServer) -> None:
    server.default([broken(TAG), published(BODY, etag='"v1"')])
    into = MemoryWriter()
    with remote_for(max_retries=1, backoff=0) as remote:
        Download(server.url("/f"), into, remote=remote).run()
    assert into.getvalue() == BODY
    assert asked_of(server)[1] == (FROM_HALF, '"v1"')


def test_progress_is_counted_from_where_it_goes_on(server: FaultServer, target: Path) -> None:
    server.default([broken(TAG), published(BODY, etag='"v1"')])
    told: list[Progressed] = []  # at most ten a second, hence the wait before the second try

    def observer(event: object) -> None:
        if isinstance(event, Progressed):
            told.append(event)

    with remote_for(max_retries=1) as remote:
        Download(server.url("/f"), target, remote=remote).run(observer=observer)
    assert told[-1].received > HALF
    assert {event.total for event in told} == {10_240}


def test_a_date_tells_as_well_if_the_file_had_been_left_alone(
    server: FaultServer, target: Path
) -> None:
    dated = {"Last-Modified": DATE, "Date": "Sun, 06 Nov 1994 09:01:00 GMT"}
    server.default([broken(dated), published(BODY, last_modified=DATE)])
    fetched(server.url("/f"), target, max_retries=1, backoff=0)
    assert target.read_bytes() == BODY
    assert asked_of(server)[1] == (FROM_HALF, DATE)


def test_the_last_byte_may_be_all_that_is_missing(server: FaultServer, target: Path) -> None:
    server.default([broken(TAG, sent=10_239), published(BODY, etag='"v1"')])
    fetched(server.url("/f"), target, validations=whole(BODY), max_retries=1, backoff=0)
    assert target.read_bytes() == BODY
    assert asked_of(server)[1] == ("bytes=10239-", '"v1"')


@pytest.mark.parametrize("framing", ["chunked", "until-close"])
def test_a_rest_without_a_length_must_be_as_long_as_its_range_says(
    server: FaultServer, target: Path, framing: str
) -> None:
    def rest(body: bytes) -> Script:
        if framing == "until-close":
            return steps(head(206, REST), send(body), cut())
        pieces = head(206, {**REST, "Transfer-Encoding": "chunked"})
        return steps(pieces, send(chunk(body) + b"0\r\n\r\n"), cut())

    short, long, right = (rest(body) for body in (BODY[HALF:-1], BODY[HALF:] + b"x", BODY[HALF:]))
    server.default([broken(TAG), short, published(BODY, etag='"v1"')])
    result = fetched(server.url("/f"), target, max_retries=2, backoff=0, within=10)
    assert [failed.type for failed in result.attempts] == ["Truncated", "Truncated"]
    assert target.read_bytes() == BODY
    server.default([broken(TAG), right])
    assert fetched(server.url("/f"), target, max_retries=1, backoff=0).length_verified
    assert target.read_bytes() == BODY
    server.default([broken(TAG), long, published(BODY, etag='"v1"')])
    result = fetched(server.url("/f"), target, max_retries=1, backoff=0)
    assert [failed.type for failed in result.attempts] == ["Truncated"]
    assert target.read_bytes() == BODY


# Not going on.

NO_VALIDATOR = {
    "nothing": {},
    "weak": {"ETag": 'W/"v1"'},
    "unquoted": {"ETag": "v1"},
    "changed-a-moment-ago": {"Last-Modified": DATE, "Date": "Sun, 06 Nov 1994 09:00:59 GMT"},
    "changed-later": {"Last-Modified": DATE, "Date": "Sun, 06 Nov 1994 08:00:00 GMT"},
    "no-date": {"Last-Modified": "yesterday"},
}


@pytest.mark.fault(43)
@pytest.mark.parametrize("fields", NO_VALIDATOR.values(), ids=NO_VALIDATOR)
@pytest.mark.parametrize("validations", [[], [SizeValidation(10_240)]], ids=["nothing", "size"])
def test_without_a_validator_or_a_digest_it_begins_anew(
    server: FaultServer, target: Path, fields: Fields, validations: list[Validation]
) -> None:
    server.default([broken(fields), published(BODY)])
    fetched(server.url("/f"), target, validations=validations, max_retries=1, backoff=0)
    assert target.read_bytes() == BODY
    assert asked_of(server) == [NOTHING, NOTHING]


@pytest.mark.fault(43)
@pytest.mark.parametrize("fields", NO_VALIDATOR.values(), ids=NO_VALIDATOR)
def test_without_a_validator_it_goes_on_if_a_digest_will_judge_it(
    server: FaultServer, target: Path, fields: Fields
) -> None:
    server.default([broken(fields), published(BODY)])
    fetched(server.url("/f"), target, validations=[sha256(BODY)], max_retries=1, backoff=0)
    assert target.read_bytes() == BODY
    assert asked_of(server) == [NOTHING, (FROM_HALF, None)]


@pytest.mark.fault(40)
@pytest.mark.parametrize("listed", [True, False])
def test_a_whole_file_in_the_place_of_the_rest_is_taken_from_its_first_byte(
    server: FaultServer, target: Path, listed: bool
) -> None:
    server.default([broken({**TAG, "Accept-Ranges": "bytes"}), published(BODY, ranges=False)])
    validations = whole(BODY) if listed else []
    fetched(server.url("/f"), target, validations=validations, max_retries=1, backoff=0)
    assert target.read_bytes() == BODY
    assert asked_of(server) == [NOTHING, (FROM_HALF, '"v1"')]


def test_who_says_that_there_are_no_ranges_is_not_asked_for_one(
    server: FaultServer, target: Path
) -> None:
    server.default([broken({**TAG, "Accept-Ranges": "none"}), published(BODY, etag='"v1"')])
    fetched(server.url("/f"), target, validations=whole(BODY), max_retries=1, backoff=0)
    assert target.read_bytes() == BODY
    assert asked_of(server) == [NOTHING, NOTHING]


@pytest.mark.fault(42)
def test_a_file_that_has_changed_meanwhile_is_fetched_as_it_is_now(
    server: FaultServer, target: Path
) -> None:
    server.default([broken(TAG), published(OTHER, etag='"v2"')])
    fetched(server.url("/f"), target, max_retries=1, backoff=0)
    assert target.read_bytes() == OTHER
    assert asked_of(server) == [NOTHING, (FROM_HALF, '"v1"')]


def part(start: int, last: int, total: int | str, **fields: str) -> Script:
    """A 206 that is as long as it says, whatever the bytes."""
    told = {"Content-Range": f"bytes {start}-{last}/{total}"}
    return reply(206, bytes(last + 1 - start), headers={**TAG, **told, **fields})


def not_placed(**fields: str) -> Script:
    return reply(206, bytes(5240), headers={**TAG, **fields})


WRONG_PARTS: dict[str, Script] = {
    "earlier": part(4999, 10_239, 10_240),
    "later": part(5001, 10_239, 10_240),
    "from-the-beginning": part(0, 10_239, 10_240),
    "shorter-file": part(HALF, 10_238, 10_239),
    "longer-file": part(HALF, 10_240, 10_241),
    "not-to-the-end": part(HALF, 10_238, 10_240),
    "not-to-the-end-of-a-longer-file": part(HALF, 10_239, 10_241),
    "not-to-any-end": part(HALF, 10_238, "*"),
    "more-than-there-is": part(HALF, 10_240, 10_240),
    "another-tag": part(HALF, 10_239, 10_240, ETag='"v2"'),
    "a-coding": part(HALF, 10_239, 10_240, **{"Content-Encoding": "gzip"}),
    "another-length": part(HALF, 10_239, 10_240, **{"Content-Length": "5241"}),
    "another-unit": not_placed(**{"Content-Range": "lines 5000-10239/10240"}),
    "nonsense": not_placed(**{"Content-Range": "bytes"}),
    "no-place": not_placed(),
    "several-parts": not_placed(**{"Content-Type": "multipart/byteranges; boundary=x"}),
}


@pytest.mark.fault(38, 39, 42, 46)
@pytest.mark.parametrize("wrong", WRONG_PARTS.values(), ids=WRONG_PARTS)
@pytest.mark.parametrize("listed", [True, False])
def test_a_part_that_is_not_the_rest_is_not_taken_and_the_whole_is_asked_for_in_the_same_try(
    server: FaultServer, target: Path, wrong: Script, listed: bool
) -> None:
    server.default([broken(TAG), steps(wrong, cut()), published(BODY, etag='"v1"')])
    validations = whole(BODY) if listed else []
    result = fetched(server.url("/f"), target, validations=validations, max_retries=1, backoff=0)
    assert target.read_bytes() == BODY
    assert asked_of(server) == [NOTHING, (FROM_HALF, '"v1"'), NOTHING]
    assert [failed.type for failed in result.attempts] == ["Truncated"]


def test_a_part_of_a_file_with_another_date_is_not_taken(server: FaultServer, target: Path) -> None:
    later = "Mon, 07 Nov 1994 09:00:00 GMT"
    fields = {"Content-Range": REST["Content-Range"], "Last-Modified": later}
    server.default(
        [
            broken({"Last-Modified": DATE}),
            reply(206, bytes(5240), headers=fields),
            reply(200, OTHER),
        ]
    )
    fetched(server.url("/f"), target, max_retries=1, backoff=0)
    assert target.read_bytes() == OTHER


@pytest.mark.parametrize(
    "fields",
    [
        {"Content-Range": "bytes 5000-10239/*", **TAG},
        {"Content-Range": "BYTES 5000-10239/10240"},
        {"Content-Range": "bytes 5000-10239/10240", "ETag": 'W/"v2"'},
        {"Content-Range": "bytes 5000-10239/10240", "Content-Encoding": "identity"},
    ],
    ids=["unknown-total", "capitals", "weak-tag", "identity"],
)
def test_a_part_that_could_be_the_rest_is_taken(
    server: FaultServer, target: Path, fields: Fields
) -> None:
    server.default([broken(TAG), reply(206, BODY[HALF:], headers=fields)])
    fetched(server.url("/f"), target, max_retries=1, backoff=0)
    assert target.read_bytes() == BODY


# The whole file is asked for once only.


@pytest.mark.fault(38)
def test_a_server_that_sends_parts_that_nobody_asked_for_fails_the_try(
    server: FaultServer, target: Path
) -> None:
    wrong = reply(206, bytes(5240), headers={**REST, "Content-Range": "bytes 0-5239/10240"})
    server.default([broken(TAG), wrong])
    with (
        remote_for(max_retries=1, backoff=0) as remote,
        pytest.raises(Exception, match="206 instead of") as e,
    ):
        Download(server.url("/f"), target, remote=remote).run()
    assert [failed.type for failed in e.value.attempts] == ["Truncated", "ProtocolViolation"]
    assert asked_of(server) == [NOTHING, (FROM_HALF, '"v1"'), NOTHING]
    assert target.read_bytes() == OLD


# 416.


def all_of_it(total: int | None) -> Script:
    """The whole file, whose end is lost, and then 416."""
    fields = {**TAG} if total is None else {**TAG, "Content-Range": f"bytes */{total}"}
    return reply(416, b"no such range", headers=fields)


LOST_END = chunked([chunk(BODY)], end=b"", headers=TAG, keep=False)


@pytest.mark.fault(41)
@pytest.mark.parametrize("listed", [True, False])
def test_416_says_that_all_of_it_is_there_already(
    server: FaultServer, target: Path, listed: bool
) -> None:
    server.default([LOST_END, all_of_it(10_240)])
    validations = whole(BODY) if listed else []
    result = fetched(server.url("/f"), target, validations=validations, max_retries=1, backoff=0)
    assert target.read_bytes() == BODY
    assert (result.size, result.present) == (10_240, False)
    assert result.digests == ({"sha256": sha256(BODY).hexdigest} if listed else {})
    assert asked_of(server) == [NOTHING, ("bytes=10240-", '"v1"')]


@pytest.mark.fault(41)
@pytest.mark.parametrize(
    ("total", "listed"), [(10_239, False), (4000, True), (10_241, False), (None, False)]
)
def test_416_to_what_is_too_long_or_untold_has_the_whole_asked_for(
    server: FaultServer, target: Path, total: int | None, listed: bool
) -> None:
    server.default([LOST_END, all_of_it(total), reply(200, BODY)])
    validations = whole(BODY) if listed else []
    result = fetched(server.url("/f"), target, validations=validations, max_retries=1, backoff=0)
    assert target.read_bytes() == BODY
    assert asked_of(server) == [NOTHING, ("bytes=10240-", '"v1"'), NOTHING]
    assert len(result.attempts) == 1


@pytest.mark.fault(41)
def test_416_of_a_file_that_has_become_as_short_as_what_is_there_is_not_its_end(
    server: FaultServer, target: Path
) -> None:
    server.default([broken(TAG), all_of_it(HALF), reply(200, BODY[:HALF])])
    fetched(server.url("/f"), target, max_retries=1, backoff=0)
    assert target.read_bytes() == BODY[:HALF]
    assert asked_of(server) == [NOTHING, (FROM_HALF, '"v1"'), NOTHING]


@pytest.mark.fault(41)
def test_what_416_calls_whole_and_is_wrong_is_fetched_anew_in_the_same_try(
    server: FaultServer, target: Path
) -> None:
    wrong = chunked([chunk(OTHER)], end=b"", headers=TAG, keep=False)
    server.default([wrong, all_of_it(10_240), reply(200, BODY)])
    result = fetched(server.url("/f"), target, validations=whole(BODY), max_retries=1, backoff=0)
    assert target.read_bytes() == BODY
    assert [failed.type for failed in result.attempts] == ["Truncated"]


# A digest has the last word.


@pytest.mark.fault(42, 44)
def test_two_parts_that_do_not_belong_together_are_fetched_anew_once_in_the_same_try(
    server: FaultServer, target: Path
) -> None:
    mixed = reply(206, OTHER[HALF:], headers=REST)
    server.default([broken(TAG), mixed, published(BODY)])
    result = fetched(server.url("/f"), target, validations=whole(BODY), max_retries=1, backoff=0)
    assert target.read_bytes() == BODY
    assert asked_of(server) == [NOTHING, (FROM_HALF, '"v1"'), NOTHING]
    assert [failed.type for failed in result.attempts] == ["Truncated"]


@pytest.mark.fault(42)
def test_a_file_that_is_wrong_from_its_first_byte_as_well_fails_the_try(
    server: FaultServer, target: Path
) -> None:
    mixed = reply(206, OTHER[HALF:], headers=REST)
    server.default([broken(TAG), mixed, reply(200, OTHER)])
    with remote_for(max_retries=1, backoff=0) as remote, pytest.raises(DigestMismatch) as caught:
        Download(server.url("/f"), target, remote=remote, validations=whole(BODY)).run()
    assert [failed.type for failed in caught.value.attempts] == ["Truncated", "DigestMismatch"]
    assert len(server.requests) == 3
    assert target.read_bytes() == OLD


def test_after_a_wrong_digest_nothing_is_gone_on_with(server: FaultServer, target: Path) -> None:
    server.default([reply(200, OTHER, headers=TAG), published(BODY, etag='"v1"')])
    fetched(server.url("/f"), target, validations=whole(BODY), max_retries=1, backoff=0)
    assert target.read_bytes() == BODY
    assert asked_of(server) == [NOTHING, NOTHING]


def test_after_a_broken_framing_nothing_is_gone_on_with(server: FaultServer, target: Path) -> None:
    trailers = b"0\r\n" + b"X: y\r\n" * 20_000 + b"\r\n"
    odd = chunked([chunk(BODY[:HALF])], end=trailers, headers=TAG, keep=False)
    server.default([odd, published(BODY, etag='"v1"')])
    result = fetched(server.url("/f"), target, validations=whole(BODY), max_retries=1, backoff=0)
    assert [failed.type for failed in result.attempts] == ["ProtocolViolation"]
    assert asked_of(server) == [NOTHING, NOTHING]


# Mirrors.


def both(server: FaultServer) -> Mirrors:
    return Mirrors([server.url("/a"), server.url("/b")])


def run(source: Mirrors, target: Path, *validations: Validation, max_retries: int = 0) -> Result:
    with remote_for(max_retries=max_retries, backoff=0) as remote:
        return Download(source, target, remote=remote, validations=validations).run()


@pytest.mark.fault(44)
def test_another_mirror_gives_the_rest_if_a_digest_will_judge_it(
    server: FaultServer, target: Path
) -> None:
    server.on("/a", broken(TAG))
    server.on("/b", published(BODY, etag='"of-b"'))
    result = run(both(server), target, sha256(BODY))
    assert target.read_bytes() == BODY
    assert asked_of(server) == [NOTHING, (FROM_HALF, None)]
    assert result.url == server.url("/b")


@pytest.mark.fault(44)
def test_another_mirror_gives_the_whole_if_no_digest_will_judge_it(
    server: FaultServer, target: Path
) -> None:
    server.on("/a", broken(TAG))
    server.on("/b", published(OTHER, etag='"v1"'))
    run(both(server), target, SizeValidation(10_240))
    assert target.read_bytes() == OTHER
    assert asked_of(server) == [NOTHING, NOTHING]


@pytest.mark.fault(44)
def test_another_mirror_with_another_file_gives_it_whole(server: FaultServer, target: Path) -> None:
    longer = OTHER + b"more"
    server.on("/a", broken(TAG))
    server.on("/b", published(longer))
    run(both(server), target, sha256(longer))
    assert target.read_bytes() == longer
    assert asked_of(server) == [NOTHING, (FROM_HALF, None), NOTHING]


def test_a_mirror_that_is_down_spoils_nothing(server: FaultServer, target: Path) -> None:
    server.on("/a", [broken(TAG), published(BODY, etag='"v1"')])
    server.on("/b", cut(Cut.RST))
    run(both(server), target, max_retries=1)
    assert target.read_bytes() == BODY
    assert asked_of(server) == [NOTHING, NOTHING, (FROM_HALF, '"v1"')]


@pytest.mark.fault(37)
@pytest.mark.parametrize(("tag", "expected"), [('"v1"', BODY), ('"v2"', OTHER)])
def test_the_end_of_a_redirect_is_asked_for_the_rest_of_what_it_was(
    server: FaultServer, target: Path, tag: str, expected: bytes
) -> None:
    server.on("/f", [reply(302, headers={"Location": to}) for to in ("/1", "/2")])
    server.on("/1", broken(TAG))
    server.on("/2", published(expected, etag=tag))
    fetched(server.url("/f"), target, max_retries=1, backoff=0)
    assert target.read_bytes() == expected
    assert asked_of(server)[2:] == [(FROM_HALF, '"v1"')] * 2


# What nobody can continue.


def test_a_body_that_may_have_ended_where_it_broke_is_not_taken_for_more(
    server: FaultServer, target: Path
) -> None:
    server.default(until_close(BODY[:HALF], headers=TAG))
    result = fetched(server.url("/f"), target)
    assert (result.size, result.length_verified) == (HALF, False)


def test_a_try_that_got_no_byte_leaves_nothing(server: FaultServer, target: Path) -> None:
    server.default([broken(TAG, sent=0), published(BODY, etag='"v1"')])
    fetched(server.url("/f"), target, max_retries=1, backoff=0)
    assert asked_of(server) == [NOTHING, NOTHING]


@pytest.mark.parametrize("listed", [True, False])
def test_a_run_that_fails_in_mid_transfer_leaves_the_target_as_it_was(
    server: FaultServer, target: Path, listed: bool
) -> None:
    server.default(broken(TAG))
    refused(Truncated, server.url("/f"), target, validations=whole(BODY) if listed else [])


# FTP.


@pytest.fixture
def dated(ftp: FtpFaultServer) -> FtpFaultServer:
    ftp.publish("/f", BODY, modified=datetime(2023, 11, 4, 5, 6, 7))
    return ftp


@pytest.mark.parametrize("listed", [True, False])
def test_over_ftp_it_goes_on_with_rest(dated: FtpFaultServer, target: Path, listed: bool) -> None:
    dated.on("RETR", [ftp_truncated(HALF, then="426 Cut."), good("RETR")])
    validations = whole(BODY) if listed else []
    result = fetched(dated.url("/f"), target, validations=validations, max_retries=1, backoff=0)
    assert target.read_bytes() == BODY
    assert dated.arguments("REST") == ["5000"]
    assert (result.size, result.length_verified) == (10_240, True)


def test_over_ftp_a_file_that_has_changed_is_fetched_as_it_is_now(
    dated: FtpFaultServer, target: Path
) -> None:
    def changes(session: object, command: object) -> None:
        dated.publish("/f", OTHER, modified=datetime(2023, 11, 5))

    change: Callable[..., None] = changes
    cut_short = ftp_truncated(HALF, then="426 Cut.")
    dated.on("RETR", [lambda s, c: (cut_short(s, c), change(s, c))[0], good("RETR")])
    fetched(dated.url("/f"), target, max_retries=1, backoff=0)
    assert target.read_bytes() == OTHER
    assert dated.arguments("REST") == []


@pytest.mark.fault(94)
def test_over_ftp_a_rest_that_is_ignored_has_the_whole_fetched_in_the_same_try(
    dated: FtpFaultServer, target: Path
) -> None:
    dated.on("RETR", [ftp_truncated(HALF, then="426 Cut."), rest_ignored(), good("RETR")])
    result = fetched(dated.url("/f"), target, max_retries=1, backoff=0)
    assert target.read_bytes() == BODY
    assert dated.arguments("REST") == ["5000"]
    assert [failed.type for failed in result.attempts] == ["Truncated"]
