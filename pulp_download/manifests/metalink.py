"""The format ``metalink``: files with their sizes, digests, pieces and all their places.

Reference: RFC 5854 (``.meta4``), and Metalink 3.0 (``.metalink``); see
:mod:`pulp_download.mirrors.metalink`. A relative URL is one below the manifest's own folder. A
metalink that was cut is always noticed.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import BinaryIO

from pulp_download.manifests.entry import ManifestEntry
from pulp_download.mirrors import metalink

# Bytes parsed at a time; not measured.
_CHUNK = 64 * 1024


def parse(stream: BinaryIO, name: str) -> Iterator[ManifestEntry]:
    """Yield an entry per file, holding one file at a time."""
    for file in metalink.parse(iter(partial(stream.read, _CHUNK), b"")):
        yield ManifestEntry(
            file.name,
            size=file.size,
            digests=file.digests,
            line=file.line,
            mirrors=file.mirrors,
            pieces=file.pieces,
        )
