"""Parts of a file: as they are asked for and as they are answered (RFC 9110 section 14)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

# Eighteen digits are an exabyte; more is nonsense and must not reach int().
_PART = re.compile(r"bytes +([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\*)", re.IGNORECASE)
_UNSATISFIED = re.compile(r"bytes +\*/([0-9]{1,18})", re.IGNORECASE)

# The statuses that only a request for a part is answered with: here it is, and there is none.
PARTIAL = frozenset({206, 416})


class Span(NamedTuple):
    """Bytes from ``start`` up to but without ``stop``; None is the file's end, wherever it is."""

    start: int
    stop: int | None = None

    @property
    def asked(self) -> str:
        """The value of a Range field that asks for it."""
        return f"bytes={self.start}-{'' if self.stop is None else self.stop - 1}"

    def is_answered_by(self, status: int, content_range: str | None, total: int) -> bool:
        """Tell whether an answer is these bytes and no others, of a file of ``total`` bytes."""
        part = part_of(content_range)
        return (
            status == 206 and part is not None and part[:2] == self and part.total in (None, total)
        )


class Part(NamedTuple):
    """What a 206 says that it delivers; ``total`` is the file's length, or None if not told."""

    start: int
    stop: int
    total: int | None


def part_of(content_range: str | None) -> Part | None:
    """Read a Content-Range; None where it is absent, no single part, or nonsense."""
    match = _PART.fullmatch(content_range or "")
    if match is None:
        return None
    total = None if match[3] == "*" else int(match[3])
    part = Part(int(match[1]), int(match[2]) + 1, total)
    is_sound = part.start < part.stop and (total is None or part.stop <= total)
    return part if is_sound else None


def unsatisfied_total(content_range: str | None) -> int | None:
    """Return the length that a 416 tells, or None."""
    match = _UNSATISFIED.fullmatch(content_range or "")
    return int(match[1]) if match is not None else None


def joined(spans: Iterable[Span]) -> Iterator[Span]:
    """Yield spans in order of their starts, neighbours as one; each has its stop."""
    current: Span | None = None
    for span in sorted(spans):
        if current is not None and current.stop == span.start:
            current = Span(current.start, span.stop)
            continue
        if current is not None:
            yield current
        current = span
    if current is not None:
        yield current
