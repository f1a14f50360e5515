"""Range and If-Modified-Since for a protocol that has REST and MDTM (RFC 9110, sections 13, 14)."""

from __future__ import annotations

import datetime
import email.utils
import re
from collections.abc import Mapping
from typing import NamedTuple

from pulp_download.retries import parse_http_date

_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")
# RFC 3659 section 2.3: UTC, a fraction of a second allowed.
_TIME = re.compile(r"([0-9]{14})(?:\.[0-9]+)?")


class Facts(NamedTuple):
    """What a server tells of a file: bytes, and epoch seconds of its last change; None if not."""

    size: int | None
    modified: float | None

    @property
    def last_modified(self) -> str | None:
        """The last change as an HTTP date."""
        return None if self.modified is None else email.utils.formatdate(self.modified, usegmt=True)


class Part(NamedTuple):
    """Bytes ``first`` to ``last``, both included, of a file whose size is known."""

    first: int
    last: int


def size_of(text: str) -> int | None:
    """Read what SIZE said; None where it is no number of bytes."""
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def moment_of(text: str) -> float | None:
    """Read what MDTM said; None where it is no moment."""
    match = _TIME.fullmatch(text.strip())
    if match is None:
        return None
    digits = match[1]
    day = (int(digits[:4]), int(digits[4:6]), int(digits[6:8]))
    time = (int(digits[8:10]), int(digits[10:12]), int(digits[12:]))
    try:
        return datetime.datetime(*day, *time, tzinfo=datetime.UTC).timestamp()
    except ValueError:
        return None


def is_unchanged(headers: Mapping[str, str], facts: Facts) -> bool:
    """Tell whether the answer is 304 (RFC 9110 section 13.1.3)."""
    since = parse_http_date(headers.get("If-Modified-Since", ""))
    return since is not None and facts.modified is not None and facts.modified <= since


def wanted_part(headers: Mapping[str, str], facts: Facts) -> Part | None:
    """Return the part that is asked for, or None for the whole file.

    Ranges may be left unheeded (RFC 9110 section 14.2): several at once are, those of a file whose
    size nobody tells, and those whose If-Range names another state of the file. ``last`` is below
    ``first`` where the file has no such bytes.
    """
    match = _RANGE.fullmatch(headers.get("Range", "").replace(" ", ""))
    if match is None or facts.size is None or match[1] == match[2] == "":
        return None
    condition = headers.get("If-Range")
    if condition is not None and condition != facts.last_modified:
        return None
    if not match[1]:  # the last so many
        return Part(max(0, facts.size - int(match[2])), facts.size - 1)
    first, last = int(match[1]), facts.size - 1
    if match[2]:
        if int(match[2]) < first:
            return None
        last = min(last, int(match[2]))
    return Part(first, last)
