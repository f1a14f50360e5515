"""Wrong pieces, and the bytes that come in their place."""

from __future__ import annotations

import pytest

from pulp_download.pieces import Repairable
from pulp_download.ranges import Span
from pulp_download.repair import Repair, repair_of
from pulp_download.validations import Checks, SizeValidation, Validation
from tests.unit.test_pieces import BODY, PIECES


def taken(repair: Repair, position: int, body: bytes, size: int) -> bytes:
    """Give it bytes from a position on; return the file with those in place that it wanted."""
    file = bytearray(b"." * 10)
    repair.begin(position)
    for start in range(0, len(body), size):
        for offset, part in repair.take(body[start : start + size]):
            file[offset : offset + len(part)] = part
    return bytes(file)


def test_what_is_missing_is_asked_for_with_neighbours_as_one() -> None:
    assert Repair(PIECES, [1, 2], 10).spans() == [Span(4, 10)]
    assert Repair(PIECES, [2, 0], 10).spans() == [Span(0, 4), Span(8, 10)]


@pytest.mark.parametrize("size", [1, 2, 3, 4, 7, 100])
def test_of_the_whole_file_only_what_is_missing_is_taken(size: int) -> None:
    repair = Repair(PIECES, [0, 2], 10)
    assert taken(repair, 0, BODY + b"surplus", size) == b"0123....89"
    assert (repair.is_done, repair.present, repair.spans()) == (True, 10, [])


@pytest.mark.parametrize("size", [1, 2, 3, 4, 7, 100])
def test_a_part_is_taken_where_it_belongs(size: int) -> None:
    repair = Repair(PIECES, [1, 2], 10)
    assert taken(repair, 4, BODY[4:], size) == b"....456789"
    assert repair.is_done


def test_what_is_wrong_again_or_not_whole_stays_missing() -> None:
    repair = Repair(PIECES, [0, 1, 2], 10)
    taken(repair, 0, b"012x45678", 2)
    assert repair.spans() == [Span(0, 4), Span(8, 10)]
    taken(repair, 8, b"89", 2)
    assert (repair.spans(), repair.present) == ([Span(0, 4)], 6)


def test_the_rest_of_a_piece_that_began_elsewhere_does_not_make_it_right() -> None:
    repair = Repair(PIECES, [1], 10)
    taken(repair, 4, b"45", 2)
    taken(repair, 0, b"0123456x", 2)
    assert not repair.is_done


def test_the_first_missing_piece_is_told() -> None:
    repair = Repair(PIECES, [2, 1], 10)
    errors = [repair.error(since=since) for since in (0, 4, 5, 8, 9)]
    told = [error and error.args for error in errors]
    assert told == [(1, 4, 4), (1, 4, 4), (2, 8, 2), (2, 8, 2), None]


@pytest.mark.parametrize(
    ("body", "spans"),
    [(b"0123x567x9", [Span(4, 10)]), (BODY, None), (b"x123", None), (b"x" * 13, None)],
)
def test_what_was_seen_to_its_end_can_be_repaired(body: bytes, spans: list[Span] | None) -> None:
    checks = Checks([Repairable(PIECES), SizeValidation(20)])
    checks.update(body)
    repair = repair_of(checks)
    assert (repair.spans() if repair else None) == spans


def test_without_pieces_there_is_nothing_to_repair() -> None:
    validations: list[Validation] = [SizeValidation(10)]
    assert repair_of(Checks(validations)) is None
