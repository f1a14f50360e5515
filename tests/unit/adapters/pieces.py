"""A socket's reading end that delivers what the test says, piece by piece."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise

from hypothesis import strategies as st


class Pieces:
    """Each read returns (the next part of) one piece; then the end, or ``ending`` is raised."""

    def __init__(self, pieces: Iterable[bytes], ending: Exception | None = None) -> None:
        self._pieces = [piece for piece in pieces if piece]
        self._ending = ending
        self.reads = 0

    def recv_into(self, buffer: memoryview, /) -> int:
        assert len(buffer) > 0, "a read into no room looks like the end"
        self.reads += 1
        if not self._pieces:
            if self._ending is not None:
                raise self._ending
            return 0
        piece = self._pieces[0][: len(buffer)]
        self._pieces[0] = self._pieces[0][len(piece) :]
        if not self._pieces[0]:
            del self._pieces[0]
        buffer[: len(piece)] = piece
        return len(piece)


def split_anywhere(data: bytes) -> Iterator[list[bytes]]:
    """Yield the data in one piece, in two cut at every place, and byte by byte."""
    yield [data]
    for cut in range(1, len(data)):
        yield [data[:cut], data[cut:]]
    yield [data[at : at + 1] for at in range(len(data))]


def cut_at(data: bytes, places: list[int]) -> list[bytes]:
    """Return the data cut at these places."""
    edges = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[begin:end] for begin, end in pairwise(edges)]


places = st.lists(st.integers(min_value=0, max_value=1 << 20), max_size=12)
