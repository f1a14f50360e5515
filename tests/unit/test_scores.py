"""What is learnt about a host, by a clock of the test's own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulp_download.scores import Score, best_capacity


class Transfer:
    """A transfer under way."""

    def __init__(self) -> None:
        self.delivered = 0


def scored(*transfers: tuple[int, float]) -> Score:
    """A host that has carried these one after the other: bytes, and seconds."""
    score, now = Score(), 100.0
    for size, seconds in transfers:
        transfer = Transfer()
        score.begin(transfer, now)
        now += seconds
        transfer.delivered = size
        score.end(transfer, now)
    return score


def test_the_speed_is_the_bytes_over_the_time_in_which_something_was_asked() -> None:
    score = scored((1000, 1.0), (3000, 1.0))
    assert score.capacity(102.0) == pytest.approx(2000, rel=0.02)


def test_what_is_on_its_way_counts_before_it_ends() -> None:
    score, transfer = Score(), Transfer()
    score.begin(transfer, 100.0)
    transfer.delivered = 5000
    assert score.capacity(105.0) == pytest.approx(1000)


def test_a_second_try_that_counts_from_zero_again_counts() -> None:
    score, transfer = Score(), Transfer()
    score.begin(transfer, 100.0)
    transfer.delivered = 4000
    score.capacity(101.0)
    transfer.delivered = 1000
    assert score.capacity(102.0) == pytest.approx(2500, rel=0.02)


def test_a_host_that_hangs_is_slow_before_it_has_failed() -> None:
    score = Score()
    score.begin(Transfer(), 100.0)
    assert score.expected_speed(100.0, 1000.0) == 500, "as good as the best, shared by two"
    assert score.expected_speed(102.0, 1000.0) < 110


def test_two_that_are_asked_at_once_do_not_count_their_time_twice() -> None:
    score, one, other = Score(), Transfer(), Transfer()
    score.begin(one, 100.0)
    score.begin(other, 100.0)
    one.delivered = other.delivered = 1000
    assert score.capacity(101.0) == pytest.approx(2000)


def test_an_unknown_host_is_believed_to_be_as_good_as_the_best_known() -> None:
    known = scored((8000, 4.0))
    assert best_capacity([known, Score()], 104.0) == pytest.approx(2000)
    assert Score().expected_speed(104.0, 2000.0) == 2000
    assert best_capacity([Score()], 104.0) == 1.0


def test_one_more_transfer_gets_a_share_of_what_the_host_carries() -> None:
    score = scored((100_000, 100.0))
    alone = score.expected_speed(200.0, 0.0)
    for _ in range(3):
        score.begin(Transfer(), 200.0)
    assert score.expected_speed(200.0, 0.0) == pytest.approx(alone / 4, rel=0.05)


def test_what_is_known_fades_until_the_host_is_unknown_again() -> None:
    score = scored((10, 10.0))
    assert score.expected_speed(110.0, 1000.0) < 60
    assert score.expected_speed(110.0 + 900, 1000.0) > 990


def test_each_failure_halves_what_is_expected_and_a_success_forgives_all() -> None:
    score = Score()
    score.failed(100.0)
    assert score.expected_speed(100.0, 1000.0) == 500
    score.succeeded()
    assert score.expected_speed(100.0, 1000.0) == 1000


def test_a_host_that_fails_four_times_in_a_row_is_rested_and_longer_each_time() -> None:
    score = Score()
    for _ in range(3):
        score.failed(100.0)
        assert not score.is_rested(100.0)
    score.failed(100.0)
    assert score.is_rested(114.9)
    assert not score.is_rested(115.1)
    score.failed(100.0)
    assert score.is_rested(129.9)
    for _ in range(50):
        score.failed(100.0)
    assert not score.is_rested(100.0 + 600.1), "never for longer than ten minutes"


def test_what_is_remembered_is_recalled_and_has_faded_by_half_in_a_day() -> None:
    facts = scored((60_000, 30.0)).remembered(130.0)
    fresh, old = Score(), Score()
    fresh.recall(facts, 0.0, 500.0)
    old.recall(facts, 86_400.0, 500.0)
    assert fresh.capacity(500.0) == pytest.approx(2000, rel=0.01)
    assert old.capacity(500.0) == pytest.approx(2000, rel=0.01)
    assert old.remembered(500.0)["busy"] == pytest.approx(facts["busy"] / 2, rel=0.01)
    assert Score().remembered(500.0) == {}


def test_failures_that_are_recalled_do_not_begin_with_a_rest() -> None:
    score = Score()
    score.recall({"bytes": 0, "busy": 1, "load": 1, "failures": 99}, 0.0, 500.0)
    assert not score.is_rested(500.0)
    score.failed(500.0)
    assert score.is_rested(500.1)


@given(
    st.dictionaries(
        st.sampled_from(["bytes", "busy", "load", "failures"]),
        st.one_of(st.none(), st.text(), st.booleans(), st.integers(), st.floats()),
    ),
    st.floats(0, 1e9),
)
def test_nonsense_is_not_recalled(facts: dict[str, float], age: float) -> None:
    score = Score()
    score.recall(facts, age, 500.0)
    assert score.expected_speed(500.0, 1000.0) >= 0


def test_what_is_overlooked_leaves_nothing_however_often() -> None:
    score, now = Score(), 100.0
    for _ in range(100):
        transfer = Transfer()
        score.begin(transfer, now)
        now += 0.01
        score.end(transfer, now)
        score.overlook(0.01, now)
        now += 0.04
    assert score.capacity(now) is None, "idle time between them was none of waiting"
    assert score.expected_speed(now, 1000.0) == pytest.approx(1000.0)
