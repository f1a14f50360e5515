"""What a client asks for: a path out of its request target (RFC 9112 section 3.2)."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from pulp_download.errors import InvalidInput
from pulp_download.paths import safe_path
from pulp_download.printable import printable

# Bytes of a request target; as much as a file system's longest path.
LONGEST_TARGET = 4096

_ABSOLUTE = re.compile(rb"[Hh][Tt][Tt][Pp][Ss]?://[^/?#]*")
_PERCENT = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_UNSAFE = re.compile(rb"[^\x21-\x7e]")


@dataclass(frozen=True, slots=True)
class Asked:
    """A request for a file, GET or HEAD. ``path`` is as a Supplier gets it.

    The conditions are as they were sent, ``if_none_match`` the values of every such field.
    """

    method: str
    path: str
    if_none_match: Sequence[str] = ()
    if_modified_since: str | None = None
    range: str | None = None
    if_range: str | None = None


class BadTarget(Exception):
    """A request target that names no file; ``status`` says so to the client."""

    def __init__(self, status: int, reason: str):
        super().__init__(status, reason)
        self.status = status
        self.reason = reason


def asked_of(
    method: str,
    target: bytes,
    values: Callable[[str], Sequence[str]],
    *,
    version: str,
    below: int = 0,
) -> Asked:
    """Return what a request asks for; raises BadTarget.

    ``values`` gives the values of a field by its lower-case name, ``version`` is that of HTTP, such
    as "1.1".
    """

    def single(name: str) -> str | None:
        found = values(name)
        return found[0] if len(found) == 1 else None

    if version == "1.1" and len(values("host")) != 1:
        raise BadTarget(400, "exactly one Host is wanted")  # RFC 9112 section 3.2
    return Asked(
        method,
        path_of(target, below=below),
        if_none_match=values("if-none-match"),
        if_modified_since=single("if-modified-since"),
        range=single("range"),
        if_range=single("if-range"),
    )


def path_of(target: bytes, *, below: int = 0) -> str:
    """Return the relative path that a request target names, decoded once; raises BadTarget.

    The path is only a key to what is listed, and is refused unless it is its own plainest form:
    what two readers could take for two files is nobody's. An absolute form counts for its path, so
    that no authority of the client's choice leads anywhere; a query is no part of it. ``below`` is
    the number of leading segments that led here.
    """
    if len(target) > LONGEST_TARGET:
        raise BadTarget(414, "the target is too long")
    if absolute := _ABSOLUTE.match(target):
        target = target[absolute.end() :] or b"/"
    raw = target.partition(b"?")[0]
    if not raw.startswith(b"/") or b"#" in raw or _UNSAFE.search(raw) or _PERCENT.search(raw):
        raise BadTarget(400, "the target is malformed")
    segments = raw.split(b"/")[1 + below :]
    is_folder = segments[-1:] == [b""]
    parts = [_decoded(segment) for segment in segments[: len(segments) - is_folder]]
    if not parts:
        return ""
    path = "/".join(parts)
    try:
        if path.startswith("./") or any("/" in part for part in parts):
            raise InvalidInput("not its plainest form")
        return safe_path(path) + "/" * is_folder
    except InvalidInput:
        raise BadTarget(400, "the path is not one that could be listed") from None


def shown(target: bytes) -> str:
    """Return a target for logs: printable, without authority and query, and not endless."""
    path = _ABSOLUTE.sub(b"", target, count=1).partition(b"?")[0]
    return printable(path[:LONGEST_TARGET].decode("latin-1"))


def _decoded(segment: bytes) -> str:
    try:
        return unquote_to_bytes(segment).decode("utf-8")
    except UnicodeDecodeError:
        raise BadTarget(400, "the path is not UTF-8") from None
