"""Digests of pieces, as values."""

from __future__ import annotations

import pytest

from pulp_download.errors import InvalidExpectation
from pulp_download.pieces import Pieces


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
