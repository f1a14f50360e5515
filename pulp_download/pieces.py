"""Digests of a file's pieces, as metalinks and torrents have them (RFC 5854 section 4.2.9)."""

from __future__ import annotations

from dataclasses import dataclass

from pulp_download.errors import InvalidExpectation
from pulp_download.validations import DigestValidation


@dataclass(frozen=True, slots=True)
class Pieces:
    """The file's pieces of ``length`` bytes each, the last one perhaps shorter, have these digests.

    Digests are hexadecimal and kept in lower case; each is refused as a
    :class:`~pulp_download.validations.DigestValidation`'s would be (InvalidExpectation).
    """

    algorithm: str
    length: int
    hexdigests: tuple[str, ...]

    def __post_init__(self) -> None:
        if isinstance(self.length, bool) or not isinstance(self.length, int) or self.length < 1:
            raise InvalidExpectation(f"a piece has a length of at least 1, not {self.length!r}")
        if not self.hexdigests:
            raise InvalidExpectation("there are no pieces")
        checked = [DigestValidation(self.algorithm, digest) for digest in self.hexdigests]
        object.__setattr__(self, "algorithm", checked[0].algorithm)
        object.__setattr__(self, "hexdigests", tuple(each.hexdigest for each in checked))
