"""Which state of a file an answer delivers, and how it is known again (RFC 9110 section 8.8)."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import NamedTuple

from pulp_download.retries import parse_http_date

# A strong entity tag; "W/" before it makes it weak. What is not ASCII is not worth sending back.
_STRONG = re.compile(r'"[\x21\x23-\x7e]{0,1000}"')

# Seconds that a file must have been left alone before its date can tell two states of it apart. One
# would do if Date and Last-Modified came from one clock (RFC 9110 section 8.8.2.2); we cannot know,
# so it is the difference that RFC 7232 asked for.
_AT_REST = 60.0

_DATE_LENGTH = len("Sun, 06 Nov 1994 08:49:37 GMT")

Header = Callable[[str], str | None]


class Edition(NamedTuple):
    """What an answer's head says of its file.

    ``validator`` is good for If-Range, or None; ``etag`` the strong entity tag, or None; ``total``
    the file's length, or None. ``refuses_ranges``: the server said that it knows none, which is
    believed; that it knows them, nobody believes before the answer.
    """

    validator: str | None
    etag: str | None
    coding: str | None
    total: int | None
    refuses_ranges: bool = False

    def is_contradicted_by(self, header: Header) -> bool:
        """Tell whether an answer of the same source names another state of the file."""
        etag = strong_etag(header("etag"))
        if self.etag is not None and etag is not None:
            return etag != self.etag
        modified = header("last-modified")
        is_by_date = self.validator is not None and self.validator != self.etag
        return is_by_date and modified is not None and modified != self.validator


def edition_of(header: Header, total: int | None) -> Edition:
    """Return what an answer's fields say; ``header`` finds one by its lower-case name."""
    etag = strong_etag(header("etag"))
    return Edition(
        etag or _strong_date(header("last-modified"), header("date")),
        etag,
        content_coding(header),
        total,
        refuses_ranges=(header("accept-ranges") or "").lower() == "none",
    )


def strong_etag(value: str | None) -> str | None:
    """Return an entity tag that equal bytes alone share, or None."""
    return value if value is not None and _STRONG.fullmatch(value) else None


def content_coding(header: Header) -> str | None:
    """Return the coding in lower case, or None for the file as it is."""
    coding = (header("content-encoding") or "").strip().lower()
    return coding if coding not in ("", "identity") else None


def _strong_date(modified: str | None, date: str | None) -> str | None:
    """Return a Last-Modified that no other state of the file can have, or None."""
    if modified is None or len(modified) != _DATE_LENGTH:
        return None
    moment = parse_http_date(modified)
    now = parse_http_date(date) if date is not None else None
    if moment is None or (time.time() if now is None else now) - moment < _AT_REST:
        return None
    return modified
