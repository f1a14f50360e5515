"""Header fields as a caller gives them: pairs, checked for form."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from pulp_download.errors import InvalidSettings

Headers = tuple[tuple[str, str], ...]

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"(?![ \t])[\t\x20-\x7e\x80-\xff]*(?<![ \t])")

# Framing, ranges and coding are the library's own: a wrong one turns a good file into a bad one.
_OWNED_HEADERS = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "range",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)


def header_pairs(headers: Any) -> Headers:
    """Return headers as pairs, from a mapping, pairs, or pulpcore's list of mappings.

    Raises InvalidSettings for names and values that RFC 9110 section 5 does not allow, and for the
    framing, range and coding headers, which belong to the library.
    """
    pairs = checked_pairs(headers)
    for name, _ in pairs:
        if name.lower() in _OWNED_HEADERS:
            raise InvalidSettings(f"header {name!r} is set by the library")
    return pairs


def checked_pairs(headers: Any) -> Headers:
    """Return headers as pairs, whatever they say, checked for form."""
    pairs = []
    for name, value in _pairs(headers):
        if not isinstance(name, str) or not _HEADER_NAME.fullmatch(name):
            # A whole line may have been meant; what stands behind the colon is not shown.
            raise InvalidSettings(f"malformed header name {str(name).partition(':')[0][:60]!r}")
        if not isinstance(value, str) or not _HEADER_VALUE.fullmatch(value):
            raise InvalidSettings(f"malformed value of header {name!r}")
        pairs.append((name, value))
    return tuple(pairs)


def _pairs(headers: Any) -> Iterable[tuple[Any, Any]]:
    if headers is None:
        return
    if isinstance(headers, Mapping):
        yield from headers.items()
        return
    for item in headers:
        if isinstance(item, Mapping):
            yield from item.items()
        elif isinstance(item, (tuple, list)) and len(item) == 2:
            yield item[0], item[1]
        else:
            raise InvalidSettings("headers are a mapping, pairs, or a list of mappings")
