"""The format ``pulp-manifest``: Pulp's PULP_MANIFEST, lines of ``PATH,SHA256,SIZE``.

Reference: pulp_file's manifest. Spaces around a field are dropped; blank lines and lines that begin
with ``#`` are skipped. A path with a comma is quoted as in CSV (RFC 4180), on one line. The size
stands last: where the text ends without a newline it may have been cut short; the file would then
fail its size.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator

from pulp_download.errors import ManifestError
from pulp_download.lines import Lines
from pulp_download.manifests import fields
from pulp_download.manifests.entry import ManifestEntry


def parse(lines: Lines, name: str) -> Iterator[ManifestEntry]:
    """Yield an entry per line of exactly three fields."""
    for number, text in lines:
        if text.strip() and not text.startswith("#"):
            yield _entry(text, number)


def _entry(text: str, line: int) -> ManifestEntry:
    row = [field.strip() for field in _fields(text, line)]
    if len(row) != 3:
        raise ManifestError(f"{len(row)} fields instead of PATH,SHA256,SIZE", line=line)
    path, sha256, size = row
    return ManifestEntry(
        fields.path(path, line=line),
        size=fields.size(size, line=line),
        digests=(fields.digest("sha256", sha256, line=line),),
        line=line,
    )


def _fields(text: str, line: int) -> list[str]:
    if '"' not in text:
        return text.split(",")
    try:
        return next(csv.reader([text], strict=True, skipinitialspace=True))
    except csv.Error:
        raise ManifestError("malformed quotes", line=line) from None
