"""When a client's copy is as good (RFC 9110 section 13)."""

from __future__ import annotations

import pytest

from pulp_download.streamer.conditions import is_unchanged

MODIFIED = "Mon, 06 Jul 2026 10:00:00 GMT"


@pytest.mark.fault(199)
@pytest.mark.parametrize(
    ("etag", "conditions", "holds"),
    [
        ('"a"', ['"a"'], True),
        ('"a"', ['"b"'], False),
        ('"a"', ['"b", "a"'], True),
        ('"a"', ['"b"', '"a"'], True),
        ('"a"', ['"b","a","c"'], True),
        ('"a"', ['W/"a"'], True),
        ('W/"a"', ['"a"'], True),
        ('W/"a"', ['W/"a"'], True),
        ('"a"', ['w/"a"'], False),
        ('"a"', [' , "b" ,, "a" , '], True),
        ('"a,b"', ['"a,b"'], True),
        ('"b"', ['"a", "x, "b"'], False),
        ('""', ['""'], True),
        ('"a"', ["a"], False),
        ('"a"', ['"A"'], False),
        ('"a"', [""], False),
        ('"a"', ["*"], True),
        (None, ["*"], True),
        (None, ['"a"'], False),
        ("a", ["a"], False),
        ('"a"', ['"a" "b"'], False),
        ('"a"', ['"' + '"a",' * 10_000], False),
    ],
)
def test_entity_tags(etag: str | None, conditions: list[str], holds: bool) -> None:
    told = is_unchanged(etag, None, if_none_match=conditions, if_modified_since=None)
    assert told is holds


@pytest.mark.fault(199)
@pytest.mark.parametrize(
    ("modified", "since", "holds"),
    [
        (MODIFIED, MODIFIED, True),
        (MODIFIED, "Mon, 06 Jul 2026 10:00:01 GMT", True),
        (MODIFIED, "Mon, 06 Jul 2026 09:59:59 GMT", False),
        (MODIFIED, "Monday, 06-Jul-26 10:00:00 GMT", True),
        (MODIFIED, "whenever", False),
        ("whenever", MODIFIED, False),
        (None, MODIFIED, False),
        (MODIFIED, None, False),
    ],
)
def test_dates(modified: str | None, since: str | None, holds: bool) -> None:
    assert is_unchanged(None, modified, if_none_match=(), if_modified_since=since) is holds


@pytest.mark.fault(199)
def test_a_date_is_not_looked_at_where_there_are_tags() -> None:
    tags = ['"other"']
    assert not is_unchanged('"a"', MODIFIED, if_none_match=tags, if_modified_since=MODIFIED)
