"""Pieces of a file that were wrong, and what comes in their place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from pulp_download.errors import PieceMismatch, ValidationError
from pulp_download.pieces import PieceCheck, Pieces
from pulp_download.ranges import Span, joined
from pulp_download.validations import Checks, Chunk


class Repair:
    """What is missing of a file of ``total`` bytes whose other pieces are there and right."""

    def __init__(self, pieces: Pieces, bad: Iterable[int], total: int):
        self.total = total
        self._pieces = pieces
        self._missing = {index: pieces.span(index, total) for index in bad}
        self._position = 0
        self._hash: Any = None

    @property
    def is_done(self) -> bool:
        """Every piece is right."""
        return not self._missing

    @property
    def present(self) -> int:
        """Bytes of pieces that are right."""
        return self.total - sum((span.stop or 0) - span.start for span in self._missing.values())

    def spans(self) -> list[Span]:
        """Return what is missing, neighbours as one."""
        return list(joined(self._missing.values()))

    def error(self, *, since: int = 0) -> PieceMismatch | None:
        """Return the error of the first missing piece that begins at ``since`` or behind it."""
        behind = [index for index, span in self._missing.items() if span.start >= since]
        return self._pieces.error(min(behind), self.total) if behind else None

    def begin(self, position: int) -> None:
        """Expect the bytes from ``position`` on, which is where a piece begins."""
        self._position = position

    def take(self, chunk: Chunk) -> Iterator[tuple[int, memoryview]]:
        """Take the next bytes; yield those that are missing, each with its offset.

        A piece is judged, and missing no more if it is right, when its last bytes have been taken
        from here.
        """
        rest = memoryview(chunk)
        while rest and self._position < self.total:
            index = self._position // self._pieces.length
            start, stop = self._pieces.span(index, self.total)
            assert stop is not None
            part = rest[: stop - self._position]
            if index in self._missing:
                if self._position == start:
                    self._hash = self._pieces.new_hash()
                self._hash.update(part)
                yield self._position, part
            self._position += len(part)
            rest = rest[len(part) :]
            is_whole = self._position == stop and index in self._missing
            if is_whole and self._hash.hexdigest() == self._pieces.hexdigests[index]:
                del self._missing[index]


def repair_of(checks: Checks) -> Repair | None:
    """Return what is to be mended of a file that was seen to its end, or None."""
    check = checks.find(PieceCheck)
    if check is None:
        return None
    try:
        check.finish()
    except PieceMismatch:
        return Repair(check.pieces, check.bad, checks.received)
    except ValidationError:
        return None
    return None
