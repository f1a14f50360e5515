"""Parts of one file: who gets which, and that no byte is fetched for two."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pulp_download.shares import Share, Shares

MB = 1 << 20


def taken(shares: Shares) -> Share:
    share = shares.take()
    assert share is not None
    return share


def part(share: Share) -> tuple[int, int]:
    """What of the share is still to come."""
    return share.position, share.stop


def receive(shares: Shares, share: Share, count: int) -> None:
    assert shares.reserve(share, count) == count
    shares.advance(share, count)


def test_whoever_comes_first_gets_all_that_is_missing() -> None:
    assert part(taken(Shares(0, 10 * MB))) == (0, 10 * MB)
    assert part(taken(Shares(3, 10 * MB))) == (3, 10 * MB)


@pytest.mark.parametrize("total", [0, 5])
def test_where_nothing_is_missing_there_is_nothing_to_do(total: int) -> None:
    shares = Shares(total, total)
    assert shares.take() is None
    assert shares.is_done
    assert shares.received == total


def test_whoever_comes_next_gets_half_of_what_the_longest_has_left() -> None:
    shares = Shares(0, 16 * MB)
    first, second = taken(shares), taken(shares)
    assert [part(first), part(second)] == [(0, 8 * MB), (8 * MB, 16 * MB)]
    receive(shares, first, 4 * MB)
    third = taken(shares)
    assert [part(first), part(second), part(third)] == [
        (4 * MB, 8 * MB),
        (8 * MB, 12 * MB),
        (12 * MB, 16 * MB),
    ]


def test_what_is_reserved_is_not_given_to_another() -> None:
    shares = Shares(0, 16 * MB)
    first = taken(shares)
    assert shares.reserve(first, 10 * MB) == 10 * MB
    assert part(taken(shares)) == (13 * MB, 16 * MB)
    assert part(first) == (0, 13 * MB)


def test_of_what_was_reserved_and_did_not_come_the_rest_may_be_given_away() -> None:
    shares = Shares(0, 16 * MB)
    first = taken(shares)
    assert shares.reserve(first, 10 * MB) == 10 * MB
    shares.advance(first, 2 * MB)
    assert shares.reserve(first, MB) == MB
    assert part(taken(shares)) == (9 * MB + MB // 2, 16 * MB)


@pytest.mark.parametrize(("total", "is_worth_it"), [(2 * MB - 1, False), (2 * MB, True)])
def test_less_than_two_megabytes_are_not_worth_a_second_request(
    total: int, is_worth_it: bool
) -> None:
    shares = Shares(0, total)
    taken(shares)
    assert (shares.take() is not None) is is_worth_it
    assert not shares.is_done


def test_no_more_may_be_received_than_the_part_has() -> None:
    shares = Shares(0, 16 * MB)
    first, _ = taken(shares), taken(shares)
    receive(shares, first, 7 * MB)
    assert shares.reserve(first, 4 * MB) == MB
    shares.advance(first, MB)
    assert shares.reserve(first, 4 * MB) == 0


def test_who_had_a_part_taken_away_goes_on_when_it_is_given_back() -> None:
    shares = Shares(0, 16 * MB)
    first, second = taken(shares), taken(shares)
    shares.end(second)
    assert part(first) == (0, 16 * MB)
    receive(shares, first, 16 * MB)
    shares.end(first)
    assert shares.is_done


def test_of_a_part_that_is_given_back_only_what_is_missing_is_fetched_again() -> None:
    shares = Shares(0, 16 * MB)
    first, second = taken(shares), taken(shares)
    receive(shares, second, 3 * MB)
    shares.end(second)
    assert part(first) == (0, 8 * MB), "what follows is not where it left off"
    assert part(taken(shares)) == (11 * MB, 16 * MB)
    assert shares.received == 3 * MB


def test_a_part_that_nobody_has_comes_before_half_of_somebody_elses() -> None:
    shares = Shares(0, 16 * MB)
    first = taken(shares)
    receive(shares, first, 1)
    shares.end(first)
    assert not shares.is_done
    assert part(taken(shares)) == (1, 16 * MB)


def test_all_is_there_when_the_last_one_has_ended_and_not_before() -> None:
    shares = Shares(0, 2 * MB)
    first, second = taken(shares), taken(shares)
    receive(shares, first, MB)
    shares.end(first)
    receive(shares, second, MB)
    assert not shares.is_done, "its bytes may not be written yet"
    shares.end(second)
    assert shares.is_done
    assert shares.received == 2 * MB


class Fetchers:
    """Those who fetch one file, one step at a time, with a record of their own of who had what."""

    def __init__(self, start: int, total: int) -> None:
        self.shares = Shares(start, total)
        self.start, self.total = start, total
        self.received: list[tuple[int, int]] = []
        self.active: list[Share] = []
        self.expected: dict[Share, int] = {}  # bytes that were asked for and may still come

    def take(self, _which: int, _amount: int) -> None:
        share = self.shares.take()
        if share is not None:
            self.active.append(share)

    def reserve(self, which: int, amount: int) -> None:
        if self.active:
            share = self.active[which % len(self.active)]
            self.expected[share] = self.shares.reserve(share, amount)

    def advance(self, which: int, amount: int) -> None:
        """Some of the bytes come; perhaps all of them."""
        if self.active:
            share = self.active[which % len(self.active)]
            count = min(amount, self.expected.pop(share, 0))
            if count:
                self.received.append((share.position, share.position + count))
                self.shares.advance(share, count)

    def end(self, which: int, _amount: int) -> None:
        if self.active:
            share = self.active.pop(which % len(self.active))
            self.expected.pop(share, None)
            self.shares.end(share)

    def check(self) -> None:
        """No byte belongs to two, or is fetched again when it is there."""
        parts = sorted([*self.received, *(part(share) for share in self.active)])
        for (_, stop), (start, _) in pairwise(one for one in parts if one[0] < one[1]):
            assert stop <= start
        for share, count in self.expected.items():
            assert share.position + count <= share.stop
        assert self.shares.received == self.start + sum(b - a for a, b in self.received)

    def finish(self) -> None:
        """Fetch what is missing."""
        for _ in range(10_000):
            if self.shares.is_done:
                return
            self.take(0, 0)
            self.reserve(0, self.total)
            self.advance(0, self.total)
            self.end(0, 0)
            self.check()
        pytest.fail("it never ends")


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["take", "reserve", "advance", "end"]),
        st.integers(0, 7),
        st.integers(1, 9 * MB),
    ),
    max_size=60,
)


@given(steps=STEPS, start=st.integers(0, 5 * MB), missing=st.integers(0, 40 * MB))
@example([("take", 0, 1), ("reserve", 0, MB), ("take", 0, 1), ("end", 1, 1)], 0, 40 * MB)
@example([("take", 0, 1), ("take", 0, 1), ("end", 0, 1), ("end", 0, 1)], 1, 40 * MB)
def test_whatever_they_do_every_byte_comes_and_comes_for_one_of_them(
    steps: list[tuple[str, int, int]], start: int, missing: int
) -> None:
    fetchers = Fetchers(start, start + missing)
    for name, which, amount in steps:
        getattr(fetchers, name)(which, amount)
        fetchers.check()
    fetchers.finish()
    assert fetchers.shares.received == start + missing
    at = start
    for begin, stop in sorted(fetchers.received):
        assert begin == at
        at = stop
    assert at == start + missing
