"""Mirrors in order."""

from __future__ import annotations

from pulp_download.mirrors.mirror import Mirror
from pulp_download.mirrors.policies import POLICIES, Standing


def standing(
    host: str, position: int, *, speed: float = 1.0, active: int = 0, rested: bool = False
) -> Standing:
    priority = {"a": 3, "b": 1, "c": 2}[host]
    return Standing(
        Mirror(f"http://{host}/", priority=priority), position, speed, active, is_rested=rested
    )


def order(policy: str, *standings: Standing) -> str:
    return "".join(each.mirror.absolute.origin.host for each in POLICIES[policy](standings))


EQUAL = (standing("a", 0), standing("b", 1), standing("c", 2))


def test_in_order_is_the_callers_order() -> None:
    assert order("order", *EQUAL) == "abc"


def test_by_priority_the_lowest_number_is_first() -> None:
    assert order("priority", *EQUAL) == "bca"


def test_spread_takes_the_one_with_the_least_to_do_and_a_rested_one_last() -> None:
    busy = (standing("a", 0, active=1), standing("b", 1, rested=True), standing("c", 2, active=3))
    assert order("spread", *busy) == "acb"
    firsts = {order("spread", *EQUAL)[0] for _ in range(200)}
    assert firsts == {"a", "b", "c"}, "of several, any"


def test_best_is_where_the_next_transfer_will_be_fastest() -> None:
    assert (
        order("best", standing("a", 0), standing("b", 1, speed=2), standing("c", 2, speed=3))
        == "cba"
    )


def test_best_asks_a_rested_host_last_however_fast_it_is() -> None:
    assert order("best", standing("a", 0, speed=9, rested=True), standing("b", 1)) == "ba"


def test_where_nothing_is_known_best_spreads_and_then_goes_by_priority() -> None:
    assert order("best", *EQUAL) == "bca"
    assert order("best", EQUAL[0], standing("b", 1, active=1), EQUAL[2]) == "cab"
