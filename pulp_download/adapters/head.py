"""The head of an HTTP/1.1 answer, as somebody must read it who stores what follows (RFC 9112).

Strict where leniency loses data: a field that hides the length behind it, a line that is none.
"""

from __future__ import annotations

import re

from urllib3 import HTTPHeaderDict

from pulp_download.errors import ProtocolViolation

# Like curl, whose limit is 5000 fields.
_MAX_LINE = 1 << 16
_MAX_FIELDS = 1000
_STATUS_LINE = rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: ([^\r\n\0]*+))?\r?\n"
# Field lines (RFC 9112 section 5). Possessive, for nothing in them can be read in two ways: a third
# of the time. A value is all but CR, LF and NUL; said in ranges, another fifth less.
_FIELDS = rb"(?:[!#$%&'*+.^_`|~0-9A-Za-z-]++:[\x01-\t\x0b\x0c\x0e-\xff]*+\r?\n)*+"
HEAD = re.compile(_STATUS_LINE + b"(" + _FIELDS + rb")\r?\n")
# Compiled when an answer comes that is not matched by HEAD.
_WELL_FORMED = _STATUS_LINE + _FIELDS
_FOLD = rb"\r?\n[ \t]+"


def refused(reason: str) -> ProtocolViolation:
    """Return the error for an answer that its server would only give again."""
    error = ProtocolViolation(reason)
    error.retryable = False
    return error


class Head:
    """Status line and fields of one answer.

    The fields stay one text until somebody wants them all; ``get`` finds what framing asks for.
    """

    __slots__ = ("_headers", "_lower", "_text", "reason", "status", "version")

    def __init__(self, version: int, status: int, reason: str, lines: str):
        self.version = version
        self.status = status
        self.reason = reason
        self._text = f"\n{lines}"
        self._lower = self._text.lower()  # of one length with it, as all of Latin-1 is
        self._headers: HTTPHeaderDict | None = None

    def get(self, name: str) -> str | None:
        """Return a field's value by its lower-case name, repeats joined by commas, or None."""
        key = f"\n{name}:"
        if key not in self._lower:
            return None
        before, _, after = self._lower.partition(key)
        if key in after:
            return self.headers[name]
        return self._text[len(before) + len(key) :].partition("\n")[0].strip(" \t\r")

    @property
    def headers(self) -> HTTPHeaderDict:
        """All fields, repeats kept."""
        if self._headers is None:
            self._headers = HTTPHeaderDict(self.pairs())
        return self._headers

    def pairs(self) -> list[tuple[str, str]]:
        """Return all fields in their order."""
        lines = (line.partition(":") for line in self._text[1:-1].split("\n") if line)
        return [(name, value.strip(" \t\r")) for name, _, value in lines]


def parse_head(raw: bytes) -> Head:
    """Parse one answer's head, empty line included; raise ProtocolViolation for what is none."""
    whole = HEAD.fullmatch(raw)
    if whole is None:
        fields = raw.find(b"\n") + 1
        raw = raw[:fields] + re.sub(_FOLD, b" ", raw[fields:])
        whole = HEAD.fullmatch(raw)
    if whole is not None:
        return head_of(whole)
    good = re.match(_WELL_FORMED, raw)
    if good is None:
        raise ProtocolViolation(f"malformed status line {raw[:60]!r}")
    raise refused(f"malformed field line {raw[good.end() : good.end() + 60]!r}")


def head_of(whole: re.Match[bytes]) -> Head:
    """Return the head that ``HEAD`` matched."""
    version, status, reason, fields = whole.groups()
    text = fields.decode("latin-1")
    if len(text) > _MAX_FIELDS and text.count("\n") > _MAX_FIELDS:
        raise refused(f"more than {_MAX_FIELDS} fields in the head")
    begin, end = whole.span()
    if end - begin > _MAX_LINE:
        status_line = whole.start(4) - begin
        if max(status_line, *map(len, text.split("\n"))) > _MAX_LINE:
            raise refused(f"line of the head is longer than {_MAX_LINE} bytes")
    return Head(int(version), int(status), (reason or b"").decode("latin-1").strip(), text)
