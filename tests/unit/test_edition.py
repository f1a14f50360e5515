"""What tells one state of a file from another."""

from __future__ import annotations

import email.utils
import time

import pytest

from pulp_download.edition import Edition, edition_of, strong_etag

DATE = "Sun, 06 Nov 1994 09:00:00 GMT"
MINUTE_LATER = "Sun, 06 Nov 1994 09:01:00 GMT"


def edition(total: int | None = None, **fields: str) -> Edition:
    return edition_of({name.replace("_", "-"): value for name, value in fields.items()}.get, total)


@pytest.mark.parametrize("tag", ['"v1"', '""', '"a!~\'b"'])
def test_a_strong_tag_is_a_validator(tag: str) -> None:
    assert edition(etag=tag).validator == strong_etag(tag) == tag


@pytest.mark.parametrize(
    "tag",
    ['W/"v1"', 'w/"v1"', "v1", '"v1', '"a"b"', '"a", "b"', '"\u00e9"', '"a b"', '"a\r\nX: y"'],
)
def test_what_is_no_strong_tag_is_none(tag: str) -> None:
    assert edition(etag=tag).validator is None


def test_the_tag_stands_above_the_date() -> None:
    both = edition(etag='"v1"', last_modified=DATE, date=MINUTE_LATER)
    assert both == Edition('"v1"', '"v1"', None, None)


@pytest.mark.parametrize(
    ("date", "validator"),
    [
        (MINUTE_LATER, DATE),
        ("Sun, 06 Nov 1994 09:00:59 GMT", None),
        (DATE, None),
        ("Sun, 06 Nov 1994 08:00:00 GMT", None),
        ("nonsense", DATE),
    ],
)
def test_a_date_is_a_validator_a_minute_after_the_last_change(
    date: str, validator: str | None
) -> None:
    assert edition(etag='W/"v1"', last_modified=DATE, date=date).validator == validator


def test_an_answer_without_a_date_is_one_of_now() -> None:
    assert edition(last_modified=DATE).validator == DATE
    now = email.utils.formatdate(time.time(), usegmt=True)
    assert edition(last_modified=now).validator is None


@pytest.mark.parametrize("date", ["yesterday", "Sunday, 06-Nov-94 08:49:37 GMT", f"{DATE}, {DATE}"])
def test_a_date_in_another_form_is_not_sent_back(date: str) -> None:
    assert edition(last_modified=date).validator is None


@pytest.mark.parametrize(
    ("told", "refuses"), [("none", True), ("None", True), ("bytes", False), ("", False)]
)
def test_that_there_are_no_ranges_is_believed(told: str, refuses: bool) -> None:
    assert edition(accept_ranges=told).refuses_ranges is refuses


@pytest.mark.parametrize(
    ("first", "second", "is_contradicted"),
    [
        ({"etag": '"a"'}, {"etag": '"b"'}, True),
        ({"etag": '"a"'}, {"etag": '"a"'}, False),
        ({"etag": '"a"'}, {"etag": 'W/"b"'}, False),
        ({"etag": '"a"'}, {"last-modified": DATE}, False),
        ({"last-modified": DATE}, {"last-modified": MINUTE_LATER}, True),
        ({"last-modified": DATE}, {"last-modified": DATE, "etag": '"b"'}, False),
        ({}, {"last-modified": DATE, "etag": '"b"'}, False),
    ],
)
def test_two_answers_can_contradict_each_other(
    first: dict[str, str], second: dict[str, str], is_contradicted: bool
) -> None:
    assert edition_of(first.get, None).is_contradicted_by(second.get) is is_contradicted
