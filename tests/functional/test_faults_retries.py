"""What is asked for again, when, how often, and what is not."""

from __future__ import annotations

import email.utils
import itertools
import time
from collections.abc import Iterable
from pathlib import Path

import pytest

from pulp_download import (
    BadStatus,
    Batch,
    DigestMismatch,
    Download,
    NotAuthorized,
    NotFound,
    Result,
    ServerFailed,
    Throttled,
)
from tests.functional.fetch import BODY, fetched, refused, remote_for, sha256, whole
from tests.servers import FaultServer, Request, Script, cut, reply, truncated


def gaps(requests: list[Request]) -> list[float]:
    """Seconds between requests."""
    times = [request.time for request in requests]
    return [later - earlier for earlier, later in itertools.pairwise(times)]


def in_seconds(seconds: float) -> str:
    """A moment from now, as an HTTP date."""
    return email.utils.formatdate(time.time() + seconds, usegmt=True)


def asked_twice(server: FaultServer, folder: Path, first: Iterable[Script]) -> list[Result]:
    """What comes of many files at once whose first answers are these and whose second are good."""
    answers = list(first)
    for number, answer in enumerate(answers):
        server.on(f"/{number}", [answer, reply(200, BODY)])
    with remote_for(max_retries=1) as remote:
        downloads = [
            Download(server.url(f"/{number}"), folder / str(number), remote=remote)
            for number in range(len(answers))
        ]
        with Batch(downloads, concurrency=len(answers)) as batch:
            results = {future.download: future.result() for future in batch}
    assert all(download.path.read_bytes() == BODY for download in results if download.path)
    return [results[download] for download in downloads]


KINDS = {429: Throttled, 503: ServerFailed}


@pytest.mark.fault(51)
@pytest.mark.parametrize("status", KINDS)
@pytest.mark.parametrize("wish", ["1", " 1 ", None])
def test_a_retry_after_is_waited_for(
    server: FaultServer, tmp_path: Path, status: int, wish: str | None
) -> None:
    refusal = reply(status, headers={"Retry-After": wish or in_seconds(2)})
    (result,) = asked_twice(server, tmp_path, [refusal])
    assert 0.95 < gaps(server.requests_to("/0"))[0] < 3
    assert [failed.status for failed in result.attempts] == [status]


UNUSABLE = ["-5", "+5", "1.5", "soon", "", "1 2", "9" * 5000, "\xb2", "0x1", "1e9", "NaN"]
DATES = [
    "Fri, 99 Nov 2026 00:00:00 GMT",
    "Fri, 01 Jan 100000 00:00:00 GMT",
    "Fri, 01 Jan -1 00:00:00 GMT",
    "2026-11-01T00:00:00Z",
]
PAST = ["0", "Thu, 01 Jan 1970 00:00:00 GMT", "Sun, 06 Nov 1994 08:49:37 GMT"]


@pytest.mark.fault(51)
def test_a_retry_after_that_says_nothing_leaves_the_usual_wait(
    server: FaultServer, tmp_path: Path
) -> None:
    wishes = [*UNUSABLE, *DATES, *PAST]
    asked_twice(server, tmp_path, [reply(503, headers={"Retry-After": wish}) for wish in wishes])
    for number, wish in enumerate(wishes):
        assert 0.2 < gaps(server.requests_to(f"/{number}"))[0] < 0.95, wish


@pytest.mark.fault(51)
@pytest.mark.parametrize("status", KINDS)
@pytest.mark.parametrize(
    ("wish", "seconds"),
    [
        ("301", 301),
        ("9999999999", 9_999_999_999),
        ("Fri, 31 Dec 9999 23:59:59 GMT", None),
    ],
)
def test_a_wish_beyond_the_limit_ends_the_run_at_once(
    server: FaultServer, target: Path, status: int, wish: str, seconds: float | None
) -> None:
    server.default(reply(status, headers={"Retry-After": wish}))
    error = refused(Throttled, server.url("/f"), target, max_retries=3)
    assert error.status == status
    if seconds is None:  # a date
        seconds = 253_402_300_799 - time.time()
    assert error.retry_after == pytest.approx(seconds, abs=60)
    assert len(server.requests) == 1


@pytest.mark.fault(51)
def test_the_limit_is_a_setting(server: FaultServer, target: Path) -> None:
    server.default(reply(503, headers={"Retry-After": "1"}))
    error = refused(Throttled, server.url("/f"), target, max_retries=3, retry_after_limit=0.5)
    assert error.retry_after == 1


@pytest.mark.fault(51)
def test_the_last_answer_says_when_to_come_back(server: FaultServer, target: Path) -> None:
    server.default(reply(429, headers={"Retry-After": "120"}))
    error = refused(Throttled, server.url("/f"), target, max_retries=0)
    assert (error.retry_after, error.retryable) == (120, True)


@pytest.mark.fault(52)
def test_a_servers_trouble_is_asked_about_again(server: FaultServer, tmp_path: Path) -> None:
    troubles = [408, 425, 429, 500, 501, 502, 503, 504, 520, 529, 599]
    results = asked_twice(server, tmp_path, [reply(status, b"trouble") for status in troubles])
    assert [[failed.status for failed in result.attempts] for result in results] == [
        [status] for status in troubles
    ]
    assert server.accepted <= len(troubles)


@pytest.mark.fault(52)
def test_waits_grow_and_the_error_lists_every_try(server: FaultServer, target: Path) -> None:
    server.default([reply(500), reply(502), truncated(BODY, sent=5), reply(504)])
    error = refused(ServerFailed, server.url("/f"), target, max_retries=3)
    assert [(failed.type, failed.status) for failed in error.attempts] == [
        ("ServerFailed", 500),
        ("ServerFailed", 502),
        ("Truncated", None),
        ("ServerFailed", 504),
    ]
    assert all(str(failed.message) in str(error) for failed in error.attempts)
    first, second, third = gaps(server.requests)
    assert 0.25 <= first < 0.5 + 1
    assert 0.5 <= second < 1 + 1
    assert 1 <= third < 2 + 1


@pytest.mark.fault(52)
def test_no_retries_is_one_try(server: FaultServer, target: Path) -> None:
    server.default(reply(500))
    error = refused(ServerFailed, server.url("/f"), target, max_retries=0)
    assert error.retryable
    assert len(server.requests) == 1


REFUSALS = {
    400: BadStatus,
    401: NotAuthorized,
    403: NotAuthorized,
    404: NotFound,
    405: BadStatus,
    406: BadStatus,
    407: NotAuthorized,
    410: NotFound,
    418: BadStatus,
    451: BadStatus,
    530: NotAuthorized,
}


@pytest.mark.fault(53)
@pytest.mark.parametrize("status", REFUSALS)
def test_a_refusal_is_not_asked_about_again(server: FaultServer, target: Path, status: int) -> None:
    server.default(reply(status, b"an error page"))
    error = refused(REFUSALS[status], server.url("/f"), target, max_retries=3)
    assert (error.status, error.retryable, len(error.attempts)) == (status, False, 1)
    assert len(server.requests) == 1


@pytest.mark.fault(53)
def test_a_refusal_after_trouble_is_the_end(server: FaultServer, target: Path) -> None:
    server.default([reply(500), reply(404)])
    error = refused(NotFound, server.url("/f"), target, max_retries=3)
    assert [failed.status for failed in error.attempts] == [500, 404]


PAGE = b"<html><body>please log in</body></html>"
PORTAL = reply(200, PAGE, headers={"Content-Type": "text/html"})


@pytest.mark.fault(54)
def test_an_error_page_that_calls_itself_a_success_is_not_the_file(
    server: FaultServer, target: Path
) -> None:
    server.default(PORTAL)
    error = refused(DigestMismatch, server.url("/f.iso"), target, validations=[sha256(BODY)])
    assert (error.expected, error.actual) == (sha256(BODY).hexdigest, sha256(PAGE).hexdigest)


@pytest.mark.fault(54)
def test_a_page_in_the_place_of_a_file_is_hinted_at(server: FaultServer, target: Path) -> None:
    server.default(PORTAL)
    error = refused(DigestMismatch, server.url("/f.iso"), target, validations=[sha256(BODY)])
    assert "text/html" in str(error)


WRONG = BODY[:-1] + b"x"


@pytest.mark.fault(59)
def test_a_wrong_digest_is_asked_about_again_within_the_budget_and_then_refused(
    server: FaultServer, target: Path
) -> None:
    server.default(reply(200, WRONG))
    error = refused(
        DigestMismatch, server.url("/f"), target, validations=whole(BODY), max_retries=1
    )
    assert (error.algorithm, error.expected) == ("sha256", sha256(BODY).hexdigest)
    assert error.actual == sha256(WRONG).hexdigest
    assert [failed.type for failed in error.attempts] == ["DigestMismatch"] * 2
    assert len(server.requests) == 2
    assert server.accepted == 2


@pytest.mark.fault(59)
@pytest.mark.parametrize(
    "first", [reply(200, WRONG), truncated(BODY, sent=5), cut(), reply(200, b"short")]
)
def test_a_failed_try_does_not_spoil_the_checks_of_the_next(
    server: FaultServer, target: Path, first: Script
) -> None:
    server.default([first, reply(200, BODY)])
    result = fetched(server.url("/f"), target, validations=whole(BODY), max_retries=1)
    assert target.read_bytes() == BODY
    assert result.digests == {"sha256": sha256(BODY).hexdigest}
    assert len(result.attempts) == 1


@pytest.mark.fault(59)
def test_a_longer_first_try_leaves_nothing_behind_a_shorter_second(
    server: FaultServer, target: Path
) -> None:
    server.default([truncated(BODY, sent=len(BODY) - 1), reply(200, b"short")])
    fetched(server.url("/f"), target, max_retries=1)
    assert target.read_bytes() == b"short"
