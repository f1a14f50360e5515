"""Bytes as numbered lines of strict UTF-8, in flat memory."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import count
from typing import BinaryIO

from pulp_download.errors import ManifestError

# A line's number, from 1, and its text without the line's end.
Lines = Iterable[tuple[int, str]]

_BOM = b"\xef\xbb\xbf"

# All of C0 but the tab, and DEL; C1 is left to what the text is used for.
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


def numbered_lines(stream: BinaryIO, *, limit: int) -> Iterator[tuple[int, str]]:
    """Yield each line with its number; LF and CRLF end a line, a BOM may stand at the start.

    Holds one line at a time. Raises ManifestError for a line of more than ``limit`` bytes, for
    what is not UTF-8, and for control characters. A last line without an end is a line.
    """
    for number in count(1):
        raw = stream.readline(limit + len(b"\r\n") + len(_BOM))
        if not raw:
            return
        if number == 1:
            raw = raw.removeprefix(_BOM)
        yield number, _decoded(raw.removesuffix(b"\n").removesuffix(b"\r"), number, limit)


def _decoded(raw: bytes, number: int, limit: int) -> str:
    if len(raw) > limit:
        raise ManifestError(f"longer than {limit} bytes", line=number)
    if found := _CONTROL.search(raw):
        raise ManifestError(f"control character 0x{found.group()[0]:02x}", line=number)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise ManifestError("not UTF-8", line=number) from None
