"""The format ``jsonl``: one JSON object per line, as ``pulp-download --failures`` writes it.

``{"path": "a/b", "url": "https://host/a/b", "size": 12, "digests": {"sha256": "..."}}``; all but
``path`` may be absent or null, other members are refused: a misspelt ``digest`` would silently
verify nothing. ``mirrors`` lists all places of a file that has several, in order, as ``{"url": ...,
"priority": 1, "location": "de", "learnt": true}``, of which only ``url`` must be there. A line that
was cut short is no JSON, so truncation inside a line is noticed, at a line's end it is not.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from pulp_download.errors import InvalidExpectation, InvalidInput, InvalidURL, ManifestError
from pulp_download.lines import Lines
from pulp_download.manifests import fields
from pulp_download.manifests.entry import ManifestEntry
from pulp_download.mirrors.mirror import LOWEST_PRIORITY, Mirror
from pulp_download.urls import SCHEMES, URL
from pulp_download.validations import DigestValidation

_MEMBERS = frozenset({"path", "url", "size", "digests", "mirrors"})
_MIRROR_MEMBERS = frozenset({"url", "priority", "location", "learnt"})

# Mirrors of one file; a list of ours has no more.
_MAX_MIRRORS = 1000


def parse(lines: Lines, name: str) -> Iterator[ManifestEntry]:
    """Yield an entry per line; no error shows a URL, for it may hold a password."""
    for number, text in lines:
        if text.strip():
            yield _entry(_object(text, number), number)


def _entry(members: dict[str, Any], line: int) -> ManifestEntry:
    _check_known(members, _MEMBERS, line)
    path = members.get("path")
    if not isinstance(path, str):
        raise ManifestError("path is missing, or no text", line=line)
    return ManifestEntry(
        fields.path(path, line=line),
        url=_url(members.get("url"), line),
        size=_size(members.get("size"), line),
        digests=_digests(members.get("digests"), line),
        line=line,
        mirrors=_mirrors(members.get("mirrors"), line),
    )


def _check_known(members: dict[str, Any], known: frozenset[str], line: int) -> None:
    unknown = sorted(set(members) - known)
    if unknown:
        raise ManifestError(f"unknown member {fields.shown(unknown[0])}", line=line)


def _object(text: str, line: int) -> dict[str, Any]:
    try:
        value = json.loads(text, object_pairs_hook=_distinct, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise ManifestError("not a JSON object", line=line) from None
    if not isinstance(value, dict):
        raise ManifestError("not a JSON object", line=line)
    return value


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("repeated member")
    return members


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _digests(value: object, line: int) -> tuple[tuple[str, str], ...]:
    if value is None:
        return ()
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise ManifestError("digests are no object of texts", line=line)
    digests = dict(_digest(name, text, line) for name, text in value.items())
    if len(digests) < len(value):
        raise ManifestError("one algorithm in two spellings", line=line)
    return tuple(digests.items())


def _digest(algorithm: str, value: str, line: int) -> tuple[str, str]:
    try:
        expected = DigestValidation(algorithm, value)
    except InvalidExpectation as error:
        raise ManifestError(error.reason, line=line) from None
    return expected.algorithm, expected.hexdigest


def _size(value: object, line: int) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise ManifestError("size is no whole number", line=line)
    return fields.size(str(value), line=line)


def _url(value: object, line: int) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise ManifestError("url is no text", line=line)
    try:
        url = URL.parse(value)
    except InvalidURL as error:
        raise ManifestError(error.reason.partition(": ")[0], line=line) from None
    if url.scheme not in SCHEMES:
        raise ManifestError(f"the URL's scheme is none of {', '.join(SCHEMES)}", line=line)
    return value


def _mirrors(value: object, line: int) -> tuple[Mirror, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise ManifestError("mirrors are no list of objects", line=line)
    if len(value) > _MAX_MIRRORS:
        raise ManifestError(f"more than {_MAX_MIRRORS} mirrors", line=line)
    return tuple(_mirror(each, line) for each in value)


def _mirror(members: dict[str, Any], line: int) -> Mirror:
    _check_known(members, _MIRROR_MEMBERS, line)
    url, location = _url(members.get("url"), line), members.get("location")
    is_learnt = members.get("learnt", False)
    if url is None:
        raise ManifestError("a mirror without a url", line=line)
    if not (location is None or isinstance(location, str)) or not isinstance(is_learnt, bool):
        raise ManifestError(
            "a mirror's location is no text, or learnt not true or false", line=line
        )
    try:
        priority = members.get("priority", LOWEST_PRIORITY)
        return Mirror(url, priority=priority, location=location, is_learnt=is_learnt)
    except InvalidInput as error:
        raise ManifestError(error.reason, line=line) from None
