"""In which order mirrors are asked: functions in a table.

A policy gets what is known about each place and returns the places in its order. It only orders:
who is full or sleeps is passed over afterwards, and who is last is still asked when nobody else can
be.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import NamedTuple

from pulp_download.mirrors.mirror import Mirror


class Standing(NamedTuple):
    """A mirror, and what is known about its host.

    ``expected_speed`` is bytes a second for one more transfer, ``active`` transfers are under way,
    ``is_rested``: it failed so often of late that it is better left alone. ``position`` is its
    place in the order that the caller gave.
    """

    mirror: Mirror
    position: int
    expected_speed: float
    active: int
    is_rested: bool


Policy = Callable[[Sequence[Standing]], Sequence[Standing]]


def in_order(standings: Sequence[Standing]) -> Sequence[Standing]:
    """As the caller gave them."""
    return standings


def by_priority(standings: Sequence[Standing]) -> Sequence[Standing]:
    """By their priorities, those of one priority in the caller's order (RFC 5854)."""
    return sorted(standings, key=lambda each: each.mirror.priority)


def spread(standings: Sequence[Standing]) -> Sequence[Standing]:
    """The one with the least to do first; of several, any."""
    return sorted(standings, key=lambda each: (each.is_rested, each.active, random.random()))


def best_first(standings: Sequence[Standing]) -> Sequence[Standing]:
    """Where the next transfer will be fastest, as far as is known.

    What is known fades, until a host counts as one that nobody has tried, and is: that is the
    little traffic which shows how the others do now.
    """
    return sorted(
        standings,
        key=lambda each: (
            each.is_rested,
            -_about(each.expected_speed),
            each.active,
            each.mirror.priority,
            each.position,
        ),
    )


def _about(speed: float) -> float:
    """Return a speed in two digits: less of a difference is chance."""
    return float(f"{speed:.2g}")


# By the name that settings use.
POLICIES: dict[str, Policy] = {
    "best": best_first,
    "order": in_order,
    "priority": by_priority,
    "spread": spread,
}
