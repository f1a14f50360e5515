"""The format ``rpm``: an RPM repository's ``repomd.xml``, which lists its metadata.

Reference: createrepo_c's ``repomd.xml`` as librepo reads it, and openSUSE's "Standards: rpm-md".
Every ``data`` is a file of metadata with the checksum and the size that it has as it is stored; the
one of type ``primary`` lists the packages (:mod:`pulp_download.manifests.rpm_primary`). Paths are
relative to the repository's root, the folder above ``repodata/``. Read over: revision, tags,
timestamps, what a file is when decompressed, the headers of zchunk, extensions. A document that was
cut is always noticed. **Its signature**, ``repomd.xml.asc``, **is not verified**.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from pulp_download.elements import Ended, below
from pulp_download.errors import ManifestError
from pulp_download.manifests.entry import ManifestEntry
from pulp_download.manifests.rpm_fields import Described, described

_PLACES = below(
    "http://linux.duke.edu/metadata/repo",
    {
        "repomd": "root",
        "repomd/data": "file",
        "repomd/data/checksum": "checksum",
        "repomd/data/location": "location",
        "repomd/data/size": "size",
    },
)

_TELLING = {
    "checksum": Described.take_checksum,
    "location": Described.take_location,
    "size": lambda data, told: data.take_size(told.text, told),
}


def parse(stream: BinaryIO, name: str) -> Iterator[ManifestEntry]:
    """Yield an entry per file of metadata, in the document's order.

    Exactly one is the primary, and that one has a checksum.
    """
    has_primary = False
    for data in described(stream, _PLACES, _TELLING, document="repomd.xml", what="data"):
        if isinstance(data, Ended):
            if not has_primary:
                raise ManifestError("no data of the type 'primary'", line=data.line)
            continue
        kind = data.attributes.get("type")
        if kind is None:
            raise ManifestError("a data that does not say its type", line=data.line)
        is_primary = kind == "primary"
        if is_primary and has_primary:
            raise ManifestError("a second data of the type 'primary'", line=data.line)
        has_primary = has_primary or is_primary
        lists = "rpm-primary" if is_primary else None
        yield data.entry(needs_checksum=is_primary, lists=lists, is_metadata=True)
