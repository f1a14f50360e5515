"""Attempts as a sequence of steps, by a clock and a chance of the test's own."""

from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulp_download.errors import (
    Cancelled,
    ConnectionFailed,
    DigestMismatch,
    DownloadError,
    NotFound,
    ServerFailed,
    Throttled,
    TimedOut,
    WriteError,
)
from pulp_download.mirrors.mirror import Mirror
from pulp_download.retries import (
    Attempts,
    GiveUp,
    RetryPolicy,
    Try,
    Wait,
    parse_http_date,
    parse_retry_after,
)
from pulp_download.tries import FailedTry

A, B, C = (Mirror(f"http://{host}/x") for host in "abc")


class Clock:
    """Monotonic seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Story:
    """Attempts whose waits are over as soon as they are asked for; ``log`` is what happened."""

    def __init__(self, *sources: Mirror, chance: float = 1.0, **policy: float) -> None:
        self.clock = Clock()
        self.attempts = Attempts(
            RetryPolicy(**policy),  # type: ignore[arg-type]
            sources or (A,),
            clock=self.clock,
            chance=lambda: chance,
        )
        self.log: list[Mirror | float] = []

    def until_it_gives_up(self, *failures: DownloadError) -> DownloadError:
        """Fail every try, with the last failure again and again; return what it gives up with."""
        for number in range(1000):
            step = self.attempts.next_step()
            assert self.attempts.next_step() == step, "asking again says the same"
            if isinstance(step, GiveUp):
                return step.error
            if isinstance(step, Wait):
                self.log.append(step.until - self.clock.now)
                self.clock.now = step.until
                step = self.attempts.next_step()
                assert isinstance(step, Try), "a wait is followed by a try"
            self.log.append(step.source)
            tries = sum(isinstance(entry, Mirror) for entry in self.log)
            failure = failures[min(tries, len(failures)) - 1]
            self.attempts.failed(step.source, failure)
            assert number < 999, "this never ends"
        raise AssertionError


def refused() -> ConnectionFailed:
    return ConnectionFailed("refused")


def asks(seconds: float, status: int = 503) -> ServerFailed:
    error = (Throttled if status == 429 else ServerFailed)(status, "Busy", url=str(A))
    error.retry_after = seconds
    return error


@pytest.mark.parametrize("retries", [0, 1, 3])
def test_there_is_one_try_and_then_as_many_repeats_as_the_budget_says(retries: int) -> None:
    story = Story(max_retries=retries)
    assert isinstance(story.until_it_gives_up(refused()), ConnectionFailed)
    assert story.log.count(A) == 1 + retries


@pytest.mark.fault(52)
def test_waits_double_up_to_their_limit() -> None:
    story = Story(max_retries=8)
    story.until_it_gives_up(refused())
    assert [e for e in story.log if e != A] == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]


@pytest.mark.fault(52)
def test_a_random_half_of_each_wait_is_left_out() -> None:
    story = Story(max_retries=3, chance=0.0)
    story.until_it_gives_up(refused())
    assert story.log == [A, 0.25, A, 0.5, A, 1.0, A]
    assert RetryPolicy().wait(1, 0.5) == 0.375


def test_a_wait_never_overflows() -> None:
    assert RetryPolicy().wait(10**6, 1.0) == 30.0


def test_a_wait_lasts_until_its_moment() -> None:
    clock = Clock()
    attempts = Attempts(RetryPolicy(), [A], clock=clock, chance=lambda: 1.0)
    assert attempts.failed(A, refused()) == 0.5
    assert attempts.next_step() == Wait(1000.5)
    clock.now = 1000.499
    assert attempts.next_step() == Wait(1000.5)
    clock.now = 1000.5
    assert attempts.next_step() == Try(A)


@pytest.mark.fault(53, 109)
@pytest.mark.parametrize(
    "error",
    [
        NotFound(404),
        Cancelled(),
        WriteError("No space left on device", path="/a", errno=28),
        TimedOut("total", 1.0),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_no_repeat_can_help_ends_it_at_once(error: DownloadError) -> None:
    attempts = Attempts(RetryPolicy(), [A])
    assert attempts.failed(A, error) is None
    assert attempts.next_step() == GiveUp(error)


@pytest.mark.parametrize(
    "error",
    [refused(), asks(0), DigestMismatch("md5", "0", "1"), TimedOut("read", 1.0)],
    ids=lambda error: type(error).__name__,
)
def test_what_may_pass_is_tried_again(error: DownloadError) -> None:
    story = Story(max_retries=1)
    assert story.until_it_gives_up(error) is error
    assert story.log == [A, 0.5, A]


def test_every_source_is_tried_before_any_is_repeated_and_without_a_wait() -> None:
    story = Story(A, B, C, max_retries=4)
    story.until_it_gives_up(refused())
    assert story.log == [A, B, C, 0.5, A, 1.0, B, 2.0, C, 4.0, A]


@pytest.mark.parametrize(("sources", "retries"), [(1, 0), (1, 5), (3, 0), (4, 3), (10, 2)])
def test_the_tries_are_at_most_the_sources_and_the_repeats(sources: int, retries: int) -> None:
    urls = [Mirror(f"http://m{number}/x") for number in range(sources)]
    story = Story(*urls, max_retries=retries)
    story.until_it_gives_up(refused())
    assert len([entry for entry in story.log if isinstance(entry, Mirror)]) == sources + retries


@pytest.mark.fault(53)
def test_a_source_that_has_not_got_it_is_not_asked_again() -> None:
    story = Story(A, B, C, max_retries=3)
    error = story.until_it_gives_up(NotFound(404), refused(), NotFound(410), refused())
    assert story.log == [A, B, C, 0.5, B, 1.0, B, 2.0, B]
    assert isinstance(error, ConnectionFailed)


@pytest.mark.fault(53)
def test_when_no_source_has_it_the_last_failure_is_told() -> None:
    story = Story(A, B)
    first, last = NotFound(404), NotFound(410)
    assert story.until_it_gives_up(first, last) is last
    assert story.log == [A, B]


@pytest.mark.fault(109)
def test_a_local_failure_ends_it_although_other_sources_are_left() -> None:
    story = Story(A, B)
    error = WriteError("No space left on device", path="/a", errno=28)
    assert story.until_it_gives_up(error) is error
    assert story.log == [A]


def test_the_same_source_twice_is_two_sources() -> None:
    story = Story(A, A, max_retries=0)
    story.until_it_gives_up(refused())
    assert story.log == [A, A]


def test_the_history_has_every_try_in_order_and_goes_with_the_error() -> None:
    story = Story(Mirror(f"{A}?token=c4n4ry"), Mirror("http://me:c4n4ry@b/x"), max_retries=1)
    error = story.until_it_gives_up(
        asks(0), NotFound(404, "No", url=str(B)), TimedOut("read", 2.0, url=str(A))
    )
    assert (
        error.attempts
        == story.attempts.history
        == (
            FailedTry(str(A), 503, "ServerFailed", f"{A}: 503 Busy"),
            FailedTry(str(B), 404, "NotFound", f"{B}: 404 No"),
            FailedTry(str(A), None, "TimedOut", f"{A}: read timeout of 2 s passed"),
        )
    )


@pytest.mark.fault(224)
def test_the_history_shows_no_secret_where_the_error_names_no_place() -> None:
    source = Mirror("http://me:c4n4ry@a/x?token=c4n4ry")
    attempts = Attempts(RetryPolicy(max_retries=0), [source])
    attempts.failed(source, refused())
    assert attempts.history == (
        FailedTry("http://a/x?token=***", None, "ConnectionFailed", "refused"),
    )


@pytest.mark.fault(179)
def test_what_is_kept_has_no_traceback() -> None:
    attempts = Attempts(RetryPolicy(max_retries=0), [A])
    with pytest.raises(ConnectionFailed) as caught:
        raise refused()
    attempts.failed(A, caught.value)
    step = attempts.next_step()
    assert isinstance(step, GiveUp) and step.error.__traceback__ is None


@pytest.mark.fault(51)
@pytest.mark.parametrize("status", [429, 503])
def test_a_longer_wait_is_taken_when_the_server_asks_for_it(status: int) -> None:
    story = Story(max_retries=2)
    story.until_it_gives_up(asks(7, status), asks(0.1, status))
    assert story.log == [A, 7.0, A, 1.0, A]


@pytest.mark.fault(51)
def test_a_wait_up_to_the_limit_is_obeyed_and_a_longer_one_ends_it_as_throttled() -> None:
    story = Story(max_retries=2, retry_after_limit=10)
    error = story.until_it_gives_up(asks(10), asks(10.5))
    assert story.log == [A, 10.0, A]
    assert isinstance(error, Throttled)
    assert (error.status, error.retry_after, error.url) == (503, 10.5, str(A))
    assert str(error).startswith(f"{A}: 503 asks to wait 10.5 s, more than 10 s (after 2 tries)")
    assert [failed.status for failed in error.attempts] == [503, 503]


@pytest.mark.fault(51)
def test_other_sources_are_tried_before_a_long_wait_ends_it() -> None:
    story = Story(A, B, max_retries=2, retry_after_limit=10)
    story.until_it_gives_up(asks(1000), NotFound(404))
    assert story.log[:2] == [A, B]


NOW = datetime.datetime(2026, 11, 22, 12, 0, 0, tzinfo=datetime.UTC).timestamp()

RETRY_AFTER = {
    "nothing": (None, None),
    "seconds": ("120", 120.0),
    "zero": ("0", 0.0),
    "blanks around": (" 7\t", 7.0),
    "zeros before": ("007", 7.0),
    "ten digits": ("9999999999", 9_999_999_999.0),
    "eleven digits": ("99999999999", None),
    "5000 digits": ("9" * 5000, None),
    "a date": ("Sun, 22 Nov 2026 12:01:00 GMT", 60.0),
    "a date by RFC 850": ("Sunday, 22-Nov-26 12:01:00 GMT", 60.0),
    "a date by asctime": ("Sun Nov 22 12:01:00 2026", 60.0),
    "a date by asctime with one digit": ("Tue Dec  1 12:00:00 2026", 777_600.0),
    "now": ("Sun, 22 Nov 2026 12:00:00 GMT", 0.0),
    "a past date": ("Sun, 06 Nov 1994 08:49:37 GMT", 0.0),
    "year 9999": ("Fri, 31 Dec 9999 23:59:59 GMT", 253_402_300_799.0 - NOW),
    "year 100000": ("Fri, 31 Dec 100000 23:59:59 GMT", None),
    "day 32": ("Sun, 32 Nov 2026 12:00:00 GMT", None),
    "hour 25": ("Sun, 22 Nov 2026 25:00:00 GMT", None),
    "a long text": ("Sun, 22 Nov 2026 12:01:00 GMT" + " " * 100 + "x", None),
    "-5": ("-5", None),
    "+5": ("+5", None),
    "1.5": ("1.5", None),
    "1e3": ("1e3", None),
    "0x10": ("0x10", None),
    "1_0": ("1_0", None),
    "Arabic digits": ("\u0661\u0660", None),
    "two values": ("5, 6", None),
    "soon": ("soon", None),
    "empty": ("", None),
    "blank": (" ", None),
    "NUL": ("\0", None),
}


@pytest.mark.fault(51, 134)
@pytest.mark.parametrize(("value", "seconds"), RETRY_AFTER.values(), ids=RETRY_AFTER)
def test_retry_after_is_seconds_or_a_date_or_says_nothing(
    value: str | None, seconds: float | None
) -> None:
    assert parse_retry_after(value, NOW) == seconds


@pytest.mark.fault(51)
@given(
    st.one_of(st.text(), st.from_regex(r"[A-Z][a-z]{2},? ?[-0-9]{0,9} [A-Z][a-z]{2} [-+0-9: ]*"))
)
def test_no_text_makes_the_parsing_of_a_date_fail(value: str) -> None:
    for parsed in (parse_http_date(value), parse_retry_after(value, NOW)):
        assert parsed is None or isinstance(parsed, float)
