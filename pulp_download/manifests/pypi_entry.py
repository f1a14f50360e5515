"""What both forms of an index's page (see :mod:`.pypi`) say of a file, as an entry."""

from __future__ import annotations

import re
from collections.abc import Iterable

from pulp_download.errors import InvalidInput, InvalidURL, ManifestError
from pulp_download.manifests import fields
from pulp_download.manifests.entry import ManifestEntry
from pulp_download.manifests.reference import Reference
from pulp_download.paths import safe_path

_VERSION = re.compile(r"([0-9]{1,9})\.[0-9]{1,9}")
_MAJOR = "1"

# Strongest first; of equal lengths the order of the table counts.
_BY_STRENGTH = sorted(fields.HEX_LENGTHS, key=lambda name: -fields.HEX_LENGTHS[name])


def listed(
    filename: str,
    href: str,
    *,
    hashes: Iterable[tuple[str, str]],
    size: int | None = None,
    line: int,
    base: str | None = None,
) -> ManifestEntry:
    """Return the entry of one file, or refuse it (ManifestError); no error shows its URL.

    ``hashes`` are pairs of hashlib's name and hexadecimal; what nothing here computes is left out.
    """
    try:
        path = safe_path(filename, single=True)
        reference = Reference(href.partition("#")[0], base)
    except InvalidURL as error:
        # What follows the reason quotes the URL.
        raise ManifestError(error.reason.partition(": ")[0], line=line) from None
    except InvalidInput as error:
        raise ManifestError(error.reason, line=line) from None
    return ManifestEntry(
        path,
        size=None if size is None else fields.size(str(size), line=line),
        digests=_digests(hashes, line),
        line=line,
        reference=reference,
    )


def check_version(text: str, line: int) -> None:
    """Refuse an index of another major version: it may mean something else (PEP 629)."""
    version = _VERSION.fullmatch(text.strip())
    if version is None:
        raise ManifestError(f"{fields.shown(text)} is no version of an index", line=line)
    if version[1] != _MAJOR:
        raise ManifestError(
            f"an index of version {fields.shown(text)}; only {_MAJOR}.x is read", line=line
        )


def _digests(hashes: Iterable[tuple[str, str]], line: int) -> tuple[tuple[str, str], ...]:
    told: dict[str, str] = {}
    for name, hexadecimal in hashes:
        if name in fields.HEX_LENGTHS:
            algorithm, value = fields.digest(name, hexadecimal, line=line)
            if told.setdefault(algorithm, value) != value:
                raise ManifestError(f"two {algorithm} digests of one file", line=line)
    return tuple((name, told[name]) for name in _BY_STRENGTH if name in told)
