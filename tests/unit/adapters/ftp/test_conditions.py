"""Ranges and dates, for a protocol that has neither and can do both."""

from __future__ import annotations

import pytest

from pulp_download.adapters.ftp.conditions import (
    Facts,
    Part,
    is_unchanged,
    moment_of,
    size_of,
    wanted_part,
)

DATE, MOMENT = "Wed, 21 Oct 2015 07:28:00 GMT", 1445412480.0
FILE = Facts(100, MOMENT)


@pytest.mark.fault(95)
@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        (" 1234 ", 1234),
        ("999999999999999999", 999_999_999_999_999_999),
        ("", None),
        ("abc", None),
        ("-5", None),
        ("+5", None),
        ("12 bytes", None),
        ("1e3", None),
        ("\u0661", None),
        ("9" * 19, None),
    ],
)
def test_a_size_is_a_number_of_bytes_or_unknown(text: str, size: int | None) -> None:
    assert size_of(text) == size


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("20151021072800", MOMENT),
        ("20151021072800.123", MOMENT),
        ("19700101000000", 0.0),
        ("", None),
        ("20151021", None),
        ("20151399000000", None),
        ("201510210728000", None),
        ("19115102107280", None),  # year 19115 of a server that adds 1900 twice
        ("00000000000000", None),
    ],
)
def test_a_moment_is_utc_or_unknown(text: str, moment: float | None) -> None:
    assert moment_of(text) == moment


def test_the_last_change_is_told_as_http_tells_it() -> None:
    assert FILE.last_modified == DATE
    assert Facts(1, None).last_modified is None


@pytest.mark.parametrize(
    ("since", "facts", "expected"),
    [
        (DATE, FILE, True),
        ("Wed, 21 Oct 2015 07:28:01 GMT", FILE, True),
        ("Wed, 21 Oct 2015 07:27:59 GMT", FILE, False),
        (DATE, Facts(100, None), False),
        ("yesterday", FILE, False),
        ("", FILE, False),
    ],
)
def test_a_file_is_unchanged_since_its_last_change(
    since: str, facts: Facts, expected: bool
) -> None:
    assert is_unchanged({"If-Modified-Since": since} if since else {}, facts) is expected


@pytest.mark.parametrize(
    ("asked", "part"),
    [
        ("bytes=0-", Part(0, 99)),
        ("bytes=10-", Part(10, 99)),
        ("bytes=10-19", Part(10, 19)),
        ("bytes=10-500", Part(10, 99)),
        ("bytes=99-", Part(99, 99)),
        ("bytes=-10", Part(90, 99)),
        ("bytes=-500", Part(0, 99)),
        ("bytes=100-", Part(100, 99)),  # none of it is there
        ("bytes=-0", Part(100, 99)),
        ("bytes = 10 - 19", Part(10, 19)),
        ("bytes=20-10", None),
        ("bytes=-", None),
        ("bytes=0-5,10-", None),
        ("items=0-5", None),
        ("bytes=a-b", None),
        ("", None),
    ],
)
def test_a_range_is_a_part_or_left_unheeded(asked: str, part: Part | None) -> None:
    assert wanted_part({"Range": asked} if asked else {}, FILE) == part


def test_of_a_file_of_unknown_size_there_are_no_parts() -> None:
    assert wanted_part({"Range": "bytes=10-"}, Facts(None, MOMENT)) is None


@pytest.mark.parametrize(
    ("condition", "part"),
    [
        (DATE, Part(10, 99)),
        ("Wed, 21 Oct 2015 07:28:01 GMT", None),
        ('"an-etag"', None),
        ("", None),
    ],
)
def test_a_part_of_another_state_of_the_file_is_not_given(
    condition: str, part: Part | None
) -> None:
    assert wanted_part({"Range": "bytes=10-", "If-Range": condition}, FILE) == part
