"""What a download is given, checked at once and not in a worker's thread."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from pulp_download.errors import InvalidSettings, InvalidURL
from pulp_download.files import FileWriter
from pulp_download.headers import Headers, checked_pairs
from pulp_download.mirrors.mirror import Mirror, Mirrors, Relative
from pulp_download.urls import URL
from pulp_download.validations import Validation
from pulp_download.writers import Writer

# The fields by which iter_content asks for a part, or for nothing if nothing changed.
_CONDITIONS = frozenset({"range", "if-range", "if-none-match", "if-modified-since"})


def places(source: str | URL | Mirrors, *, has_bases: bool) -> tuple[Mirror, ...]:
    """Return where a file is to be had; relative only where there is something to be below."""
    if isinstance(source, (str, URL)):
        mirrors: tuple[Mirror, ...] = (Mirror(source),)
    elif isinstance(source, Mirrors):
        mirrors = source
    else:
        raise TypeError(f"source is a URL as text, or Mirrors, not a {type(source).__name__}")
    for mirror in mirrors:
        if isinstance(mirror.url, Relative) and not has_bases:
            raise InvalidURL(f"relative, and the remote has no base_urls: {mirror.url.redacted!r}")
    return mirrors


def as_writer(target: str | os.PathLike[str] | Writer) -> Writer:
    """Return a path as a FileWriter, and a writer as it is; raises TypeError for neither."""
    if isinstance(target, (str, Path, os.PathLike)):
        return FileWriter(target)
    if not hasattr(target, "open"):
        raise TypeError(f"writer is a path or a Writer, not a {type(target).__name__}")
    return target


def expectations(validations: Iterable[Validation]) -> tuple[Validation, ...]:
    """Return what must hold, as a tuple of values that can be started."""
    if hasattr(validations, "start"):
        raise TypeError("validations is a list of them, even of one")
    expected = tuple(validations)
    for validation in expected:
        if not hasattr(validation, "start"):
            raise TypeError(f"a {type(validation).__name__} is no Validation")
    return expected


def conditions(headers: Mapping[str, str] | None) -> Headers:
    """Return the conditions of an ``iter_content`` call, or raise for any other field."""
    pairs = checked_pairs(headers)
    for name, _ in pairs:
        if name.lower() not in _CONDITIONS:
            raise InvalidSettings(f"iter_content takes Range and If-* headers, not {name!r}")
    return pairs
