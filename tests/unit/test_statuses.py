"""What an answer's head says about the file."""

import email.utils
import time

import pytest

from pulp_download.errors import (
    BadStatus,
    NotAuthorized,
    NotFound,
    ProtocolViolation,
    ServerFailed,
    Throttled,
)
from pulp_download.statuses import error_of, modified

TABLE = {
    **dict.fromkeys((201, 202, 203, 204, 206, 226), ProtocolViolation),
    **dict.fromkeys((300, 304, 305, 306, 399, 400, 402, 405, 406, 409, 411, 412), BadStatus),
    **dict.fromkeys((413, 414, 416, 417, 418, 421, 426, 428, 431, 451, 499, 600, 999), BadStatus),
    **dict.fromkeys((401, 403, 407, 530), NotAuthorized),
    **dict.fromkeys((404, 410), NotFound),
    **dict.fromkeys((408, 425, 500, 501, 502, 503, 504, 505, 520, 529, 531, 599), ServerFailed),
    429: Throttled,
}


@pytest.mark.fault(35, 52, 53)
@pytest.mark.parametrize(("status", "kind"), TABLE.items())
def test_a_status_that_is_not_the_file_is_an_error(status: int, kind: type[Exception]) -> None:
    error = error_of(status, "Phrase", None, url="http://host/a?b=***")
    assert type(error) is kind
    assert (error.status, error.url) == (status, "http://host/a?b=***")
    assert error.message.startswith(f"http://host/a?b=***: {status} ")


@pytest.mark.fault(52, 53)
def test_only_what_may_pass_is_worth_another_try() -> None:
    statuses = range(300, 600)
    errors = [error_of(status, "", None, url="http://host/") for status in statuses]
    retried = {error.status for error in errors if error.retryable}
    assert retried == {408, 425, 429, *range(500, 600)} - {530}


@pytest.mark.fault(51)
@pytest.mark.parametrize(("status", "seconds"), [(429, 7.0), (503, 7.0), (500, 7.0)])
def test_the_wait_that_is_asked_for_goes_with_the_error(status: int, seconds: float) -> None:
    error = error_of(status, "", "7", url="http://host/")
    assert isinstance(error, ServerFailed)
    assert error.retry_after == seconds


@pytest.mark.fault(51)
def test_a_date_to_wait_for_is_counted_from_now() -> None:
    date = email.utils.formatdate(time.time() + 100, usegmt=True)
    error = error_of(503, "", date, url="http://host/")
    assert isinstance(error, ServerFailed) and error.retry_after is not None
    assert 95 < error.retry_after <= 100


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("Sun, 06 Nov 1994 08:49:37 GMT", 784111777.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        ("Wed, 31 Dec 1969 23:59:59 GMT", None),
        ("Fri, 31 Dec 9999 23:59:59 GMT", None),
        ("Mon, 01 Jan 100000 00:00:00 GMT", None),
        ("yesterday", None),
        ("", None),
    ],
)
@pytest.mark.fault(134)
def test_last_modified_is_a_sensible_moment_or_none(value: str, moment: float | None) -> None:
    assert modified(value) == moment


@pytest.mark.fault(134)
def test_clocks_may_differ_by_a_day() -> None:
    soon = int(time.time()) + 3600
    assert modified(email.utils.formatdate(soon, usegmt=True)) == soon
    late = email.utils.formatdate(time.time() + 2 * 86_400, usegmt=True)
    assert modified(late) is None
    assert modified(None) is None
