"""A limit in bytes a second, by a clock of the test's own."""

from __future__ import annotations

import pytest

from pulp_download.speed import SpeedLimit


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.need("I9")
@pytest.mark.parametrize("takers", [1, 7])
@pytest.mark.parametrize("rate", [2000, 1_000_000])
def test_five_seconds_of_a_limit_are_exact_within_five_per_cent(takers: int, rate: int) -> None:
    clock = Clock()
    limit = SpeedLimit(rate, clock=clock)
    ready = [clock.now] * takers
    taken = 0
    while (now := min(ready)) < 1005.0:
        clock.now = now
        ready[ready.index(now)] = now + limit.take(limit.piece)
        taken += limit.piece
    assert taken == pytest.approx(5 * rate, rel=0.05, abs=takers * limit.piece)


def test_what_was_not_used_is_not_saved_for_long() -> None:
    clock = Clock()
    limit = SpeedLimit(1000, clock=clock)
    clock.now += 3600.0
    assert limit.take(1000) == pytest.approx(0.9)


def test_pieces_are_small_enough_for_short_pauses() -> None:
    assert SpeedLimit(1_000_000).piece == 50_000
    assert SpeedLimit(1).piece == 1024
