"""Mirrors that an answer's ``Link`` fields name (RFC 8288, as RFC 6249 uses it)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pulp_download.errors import InvalidInput
from pulp_download.mirrors.mirror import LOWEST_PRIORITY, Mirror
from pulp_download.urls import URL

# Mirrors of one answer that are kept, the best by priority; servers send a handful.
MAX_MIRRORS = 100

_METALINK = "application/metalink4+xml"

# What a link may lead to: the local files are no answer's business.
_SCHEMES = frozenset({"http", "https", "ftp", "ftps"})

# RFC 8288 section 3 and RFC 9110 section 5.6; possessive, so that no input makes them go back.
_TARGET = re.compile(r"[\s,]*+<([^<>]*+)>")
_PARAMETER = re.compile(
    r"\s*+;\s*+(?:(?P<name>[!#$%&'*+.^_`|~0-9A-Za-z-]++)\s*+"
    r'(?:=\s*+(?:"(?P<quoted>(?:[^"\\]|\\.)*+)"|(?P<token>[^\s",;<>]++)))?+)?+'
)
_END = re.compile(r"\s*+(?:,|\Z)")
# Up to the next comma that is in no quotes, or to the end.
_REST = re.compile(r'(?:[^",]|"(?:[^"\\]|\\.)*+(?:"|\\?\Z))*+,?', re.DOTALL)
_ESCAPE = re.compile(r"\\(.)")
_PRIORITY = re.compile(r"[0-9]{1,6}")
_COUNTRY = re.compile(r"[A-Za-z]{2}")


class Links(NamedTuple):
    """What an answer's links say: other places of the file, and the URL of its metalink."""

    mirrors: tuple[Mirror, ...] = ()
    metalink: URL | None = None


class _Link(NamedTuple):
    target: str
    parameters: dict[str, str]


def links(values: Iterable[str], url: URL) -> Links:
    """Return what the ``Link`` fields of an answer from ``url`` say.

    ``rel=duplicate`` is a learnt mirror, with ``pri`` and ``geo``; they are sorted by priority, and
    ``url`` itself is none. ``rel=describedby`` with Metalink's type is the metalink; the first
    counts. Never raises: what is malformed, for another context, or leads to no server is skipped.
    """
    mirrors: dict[URL, Mirror] = {}
    metalink: URL | None = None
    for value in values:
        for link in _parsed(value):
            target = _resolved(link, url)
            if target is None:
                continue
            relations = link.parameters.get("rel", "").lower().split()
            kind = link.parameters.get("type", "").partition(";")[0].strip().lower()
            if "duplicate" in relations and target != url:
                mirrors.setdefault(target, _mirror(target, link.parameters))
            if "describedby" in relations and kind == _METALINK and metalink is None:
                metalink = target
    best = sorted(mirrors.values(), key=lambda mirror: mirror.priority)
    return Links(tuple(best[:MAX_MIRRORS]), metalink)


def _parsed(value: str) -> Iterator[_Link]:
    """Yield the well-formed links of one field's value."""
    at = 0
    while at < len(value):
        if start := _TARGET.match(value, at):
            at = start.end()
            parameters: dict[str, str] = {}
            while found := _PARAMETER.match(value, at):
                at = found.end()
                if found["name"] is not None:
                    # Of a repeated parameter the first counts (RFC 8288 section 3.3).
                    parameters.setdefault(found["name"].lower(), _text(found))
            if end := _END.match(value, at):
                at = end.end()
                yield _Link(start[1], parameters)
                continue
        rest = _REST.match(value, at)
        assert rest is not None, "it matches the empty text"
        at = max(rest.end(), at + 1)


def _text(parameter: re.Match[str]) -> str:
    if parameter["quoted"] is not None:
        return _ESCAPE.sub(r"\1", parameter["quoted"])
    return parameter["token"] or ""


def _resolved(link: _Link, url: URL) -> URL | None:
    """Return where a link leads, if it is a link from this file to a server."""
    if "anchor" in link.parameters:
        return None
    try:
        target = url.join(link.target.strip())
    except InvalidInput:
        return None
    return target if target.scheme in _SCHEMES else None


def _mirror(target: URL, parameters: dict[str, str]) -> Mirror:
    text, country = parameters.get("pri", ""), parameters.get("geo", "")
    priority = int(text) if _PRIORITY.fullmatch(text) else 0
    return Mirror(
        target,
        priority=priority or LOWEST_PRIORITY,
        location=country if _COUNTRY.fullmatch(country) else None,
        is_learnt=True,
    )
