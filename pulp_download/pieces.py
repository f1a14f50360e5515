"""Digests of a file's pieces, as metalinks and torrents have them (RFC 5854 section 4.2.9)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from pulp_download.errors import InvalidExpectation, PieceMismatch, SizeMismatch
from pulp_download.ranges import Span
from pulp_download.validations import Chunk, DigestValidation, constructor


@dataclass(frozen=True, slots=True)
class Pieces:
    """The file's pieces of ``length`` bytes each, the last one perhaps shorter, have these digests.

    A validation that judges each piece as it passes. A download that is run has the pieces that
    were wrong fetched again, from another mirror if there is one, and nothing else.

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

    def start(self) -> PieceCheck:
        return PieceCheck(self, is_patient=False)

    def patient(self) -> Repairable:
        """Return what goes on behind a wrong piece; see ``repairable`` of the validations."""
        return Repairable(self)

    def span(self, index: int, total: int) -> Span:
        """Return where a piece lies in a file of ``total`` bytes."""
        return Span(index * self.length, min((index + 1) * self.length, total))

    def new_hash(self) -> Any:
        return constructor(self.algorithm)(usedforsecurity=False)

    def error(self, index: int, total: int) -> PieceMismatch:
        """Return what is to be said of a wrong piece of a file of ``total`` bytes."""
        span = self.span(index, total)
        assert span.stop is not None
        return PieceMismatch(index, span.start, span.stop - span.start)


class Repairable(NamedTuple):
    """Pieces whose check goes on behind a wrong one, for somebody who can have it mended."""

    pieces: Pieces

    def start(self) -> PieceCheck:
        return PieceCheck(self.pieces, is_patient=True)


class PieceCheck:
    """Judges pieces in their order. A patient one remembers those that are wrong until the end."""

    __slots__ = ("_hash", "_is_patient", "_left", "_received", "bad", "pieces", "seen")

    def __init__(self, pieces: Pieces, *, is_patient: bool):
        self.pieces = pieces
        self.bad: list[int] = []  # numbers of pieces, from 0
        self.seen = 0  # pieces of which all bytes have passed
        self._is_patient = is_patient
        self._hash = pieces.new_hash()
        self._left = pieces.length
        self._received = 0

    def update(self, chunk: Chunk) -> None:
        rest = memoryview(chunk)
        while rest:
            part = rest[: self._left]
            self._hash.update(part)
            self._received += len(part)
            self._left -= len(part)
            rest = rest[len(part) :]
            if not self._left:
                self._end_piece()

    def finish(self) -> None:
        """Take the end of the body; may be called again."""
        pieces = self.pieces
        if self._left < pieces.length:
            self._end_piece()
        if self.seen < len(pieces.hexdigests):
            raise SizeMismatch((len(pieces.hexdigests) - 1) * pieces.length + 1, self._received)
        if self.bad:
            raise pieces.error(self.bad[0], self._received)

    def _end_piece(self) -> None:
        pieces, index = self.pieces, self.seen
        if index >= len(pieces.hexdigests):
            raise SizeMismatch(len(pieces.hexdigests) * pieces.length, self._received)
        is_right = self._hash.hexdigest() == pieces.hexdigests[index]
        self.seen += 1
        self._hash = pieces.new_hash()
        self._left = pieces.length
        if not is_right:
            self.bad.append(index)
            if not self._is_patient:
                raise pieces.error(index, self._received)
