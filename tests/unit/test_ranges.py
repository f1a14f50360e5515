"""Parts of files, as they are asked for and answered."""

from __future__ import annotations

import pytest

from pulp_download.ranges import Part, Span, joined, part_of, unsatisfied_total


def test_a_span_is_asked_for_without_its_stop() -> None:
    assert Span(5).asked == "bytes=5-"
    assert Span(0, 10).asked == "bytes=0-9"


@pytest.mark.parametrize(
    ("told", "part"),
    [
        ("bytes 0-4/5", Part(0, 5, 5)),
        ("bytes 100-199/*", Part(100, 200, None)),
        ("Bytes  1-1/3", Part(1, 2, 3)),
        ("bytes 4-3/5", None),
        ("bytes 0-5/5", None),
        ("bytes */5", None),
        ("bytes 0-4", None),
        ("bytes=0-4/5", None),
        ("bytes -1-4/5", None),
        ("bytes 0-4/5, bytes 0-4/5", None),
        (f"bytes 0-{'9' * 19}/*", None),
        ("", None),
        (None, None),
    ],
)
def test_a_part_is_read_strictly(told: str | None, part: Part | None) -> None:
    assert part_of(told) == part


@pytest.mark.parametrize(
    ("told", "total"), [("bytes */5", 5), ("bytes */*", None), ("bytes 0-4/5", None), (None, None)]
)
def test_an_unsatisfied_range_tells_the_length(told: str | None, total: int | None) -> None:
    assert unsatisfied_total(told) == total


def test_neighbours_are_joined() -> None:
    spans = [Span(30, 40), Span(0, 10), Span(10, 20), Span(40, 45)]
    assert list(joined(spans)) == [Span(0, 20), Span(30, 45)]
    assert list(joined([])) == []
