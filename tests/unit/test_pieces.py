"""Digests of pieces, as values."""

from __future__ import annotations

import pytest

from pulp_download.errors import InvalidExpectation, PieceMismatch, SizeMismatch
from pulp_download.pieces import PieceCheck, Pieces, Repairable
from pulp_download.validations import (
    DigestValidation,
    SizeValidation,
    judges_content,
    repairable,
)

BODY = b"0123456789"
MD5 = {
    b"0123": "eb62f6b9306db575c2d596b1279627a4",
    b"4567": "6562c5c1f33db6e05a082a88cddab5ea",
    b"89": "7647966b7343c29048673252e490f736",
}
PIECES = Pieces("md5", 4, tuple(MD5.values()))


def judged(check: PieceCheck, body: bytes, size: int) -> PieceCheck:
    for start in range(0, len(body), size):
        check.update(memoryview(body)[start : start + size])
    check.finish()
    return check


def test_digests_of_pieces_are_kept_in_one_spelling() -> None:
    pieces = Pieces("SHA-1", 10, ("AB" * 20,))
    assert (pieces.algorithm, pieces.hexdigests) == ("sha1", ("ab" * 20,))


@pytest.mark.parametrize(
    ("algorithm", "length", "digests"),
    [
        ("sha1", 0, ("ab" * 20,)),
        ("sha1", True, ("ab" * 20,)),
        ("sha1", 10, ()),
        ("sha1", 10, ("ab" * 20, "ab" * 19)),
        ("nosuch", 10, ("ab" * 20,)),
    ],
)
def test_what_cannot_be_pieces_is_refused(
    algorithm: str, length: int, digests: tuple[str, ...]
) -> None:
    with pytest.raises(InvalidExpectation):
        Pieces(algorithm, length, digests)


each_size = pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 8, 9, 100])


@each_size
def test_pieces_are_judged_however_their_bytes_come(size: int) -> None:
    check = judged(PIECES.start(), BODY, size)
    assert (check.seen, check.bad) == (3, [])
    check.finish()
    assert check.seen == 3


@each_size
def test_the_first_wrong_piece_raises_as_soon_as_it_is_known(size: int) -> None:
    check = PIECES.start()
    with pytest.raises(PieceMismatch) as caught:
        judged(check, b"0123x567x9", size)
    assert caught.value.args == (1, 4, 4)
    assert check.seen == 2


@each_size
def test_a_patient_check_tells_all_wrong_pieces_at_the_end(size: int) -> None:
    check = Repairable(PIECES).start()
    with pytest.raises(PieceMismatch) as caught:
        judged(check, b"0123x567x9", size)
    assert caught.value.args == (1, 4, 4)
    assert check.bad == [1, 2]


@pytest.mark.parametrize(
    ("body", "expected", "actual"),
    [
        (b"", 9, 0),
        (b"0123", 9, 4),
        (b"01234567", 9, 8),
        (BODY + b"xxx", 12, 13),
        (BODY + b"xxxxxxx", 12, 16),
    ],
)
def test_another_number_of_pieces_is_another_size(body: bytes, expected: int, actual: int) -> None:
    with pytest.raises(SizeMismatch) as caught:
        judged(Repairable(PIECES).start(), body, 100)
    assert (caught.value.expected, caught.value.actual) == (expected, actual)


def test_the_last_piece_is_as_long_as_the_file_has_it() -> None:
    with pytest.raises(PieceMismatch) as caught:
        judged(PIECES.start(), BODY[:-1], 100)
    assert caught.value.args == (2, 8, 1)


def test_pieces_judge_the_content() -> None:
    assert judges_content([PIECES])
    assert judges_content(repairable([PIECES]))


def test_the_first_pieces_of_several_are_those_that_can_be_repaired() -> None:
    size, other = SizeValidation(10), Pieces("md5", 5, ("0" * 32,) * 2)
    assert repairable([size, PIECES, other]) == (Repairable(PIECES), size, other)
    digest = DigestValidation("md5", "0" * 32)
    assert repairable([size, digest]) == [size, digest]
