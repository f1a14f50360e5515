"""Which fields of upstream's answer a client gets: all but those in these tables."""

from __future__ import annotations

import re
from collections.abc import Iterable

Fields = tuple[tuple[bytes, bytes], ...]

# For one connection only (RFC 9110 section 7.6.1), as is whatever Connection itself names.
HOP_BY_HOP = {
    "connection": "7.6.1",
    "keep-alive": "7.6.1",
    "proxy-authenticate": "11.7.1",
    "proxy-authentication-info": "11.7.3",
    "proxy-authorization": "11.7.2",
    "proxy-connection": "7.6.1",
    "te": "10.1.4",
    "trailer": "6.6.2",
    "transfer-encoding": "RFC 9112 section 6.1",
    "upgrade": "7.8",
}

# What the streamer says itself: it knows the length and the ranges that it serves.
OWN = {
    "accept-ranges": "14.3",
    "content-length": "8.6",
}

# End-to-end, but between a client and the upstream that the streamer stands in front of.
POLICY = {
    "alt-svc": "RFC 7838: would lead clients around the streamer",
    "authentication-info": "11.6.3: an answer to the streamer's credentials",
    "clear-site-data": "would clear what is another site's",
    "content-location": "8.7: names a place of upstream's",
    "expect-ct": "RFC 9163: a policy of upstream's host",
    "location": "10.2.2: where a file is, is the supplier's business",
    "nel": "a policy of upstream's host",
    "public-key-pins": "RFC 7469: a policy of upstream's host",
    "public-key-pins-report-only": "RFC 7469: a policy of upstream's host",
    "refresh": "leads to upstream's places",
    "report-to": "a policy of upstream's host",
    "reporting-endpoints": "a policy of upstream's host",
    "server": "10.2.4: names the software that answers",
    "set-cookie": "RFC 6265: a session of the streamer's, not of its client's",
    "set-cookie2": "RFC 2965: as Set-Cookie",
    "strict-transport-security": "RFC 6797: a policy of upstream's host",
    "www-authenticate": "11.6.1: a challenge to the streamer",
    "x-lighttpd-send-file": "an order to a server in front",
    "x-reproxy-url": "an order to a server in front",
    "x-sendfile": "an order to a server in front",
}
# Orders to nginx in front: X-Accel-Redirect makes it serve another of its files.
POLICY_PREFIXES = ("x-accel-",)

_LEFT_OUT = frozenset({*HOP_BY_HOP, *OWN, *POLICY})
_LEFT_OUT_BUT_RANGES = _LEFT_OUT - {"accept-ranges"}

# What a 304 repeats of the head that a 200 would have had (RFC 9110 section 15.4.5).
OF_NOT_MODIFIED = frozenset({"cache-control", "date", "etag", "expires", "last-modified", "vary"})

# Names are tokens. Values are visible ASCII, blanks and tabs: line ends would make fields of their
# own, and some clients take C1 controls for line ends (RFC 9110 section 5.5).
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e]*")


def forwarded(fields: Iterable[tuple[str, str]], *, accept_ranges: bool) -> Fields:
    """Return the fields that a client gets, in their order, repeats kept.

    A field that is malformed is left out as a whole, for mending it would change what it says.
    """
    left_out = _LEFT_OUT_BUT_RANGES if accept_ranges else _LEFT_OUT
    pairs = [(name.lower(), name, value) for name, value in fields]
    for lower, _, value in pairs:
        if lower == "connection":
            left_out = left_out | {option.strip().lower() for option in value.split(",")}
    return tuple(
        (name.encode("ascii"), value.strip(" \t").encode("ascii"))
        for lower, name, value in pairs
        if lower not in left_out
        and not lower.startswith(POLICY_PREFIXES)
        and _NAME.fullmatch(name)
        and _VALUE.fullmatch(value)
    )


def of_not_modified(fields: Fields) -> Fields:
    """Return those fields that a 304 has."""
    return tuple(pair for pair in fields if pair[0].decode("ascii").lower() in OF_NOT_MODIFIED)


def without_date(fields: Fields) -> Fields:
    """Return the fields but for Date: servers of ASGI and WSGI add their own to what they get."""
    return tuple(pair for pair in fields if pair[0].lower() != b"date")
