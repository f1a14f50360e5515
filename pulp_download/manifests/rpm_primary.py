"""The format ``rpm-primary``: an RPM repository's ``primary.xml``, which lists its packages.

Reference: createrepo_c's ``primary.xml`` as librepo and libsolv read it, and openSUSE's "Standards:
rpm-md". Paths are relative to the repository's root, the folder above ``repodata/``. A package
needs a place and the checksum that is its ``pkgid``; what else is told of it is read over. It is
always noticed when a document was cut, or has not as many packages as it says.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO

from pulp_download.elements import Ended, below
from pulp_download.errors import ManifestError
from pulp_download.manifests import fields
from pulp_download.manifests.entry import ManifestEntry
from pulp_download.manifests.rpm_fields import Described, described

_PLACES = below(
    "http://linux.duke.edu/metadata/common",
    {
        "metadata": "root",
        "metadata/package": "file",
        "metadata/package/checksum": "checksum",
        "metadata/package/location": "location",
        "metadata/package/size": "size",
    },
)

_NUMBER = re.compile(r"[0-9]{1,19}")


def parse(stream: BinaryIO, name: str) -> Iterator[ManifestEntry]:
    """Yield an entry per package, in the document's order.

    A package of another type than ``rpm`` is refused: left out, it would be missed by nobody.
    """
    count = 0
    for package in described(stream, _PLACES, _TELLING, document="primary.xml", what="package"):
        if isinstance(package, Ended):
            _check_count(package, count)
            continue
        kind = package.attributes.get("type")
        if kind != "rpm":
            told = "without a type" if kind is None else f"of the type {fields.shown(kind)}"
            raise ManifestError(f"a package {told}, not 'rpm'", line=package.line)
        count += 1
        yield package.entry(needs_checksum=True)


def _take_checksum(package: Described, told: Ended) -> None:
    """Take the checksum that identifies the package; another one is not that of the file."""
    if told.attributes.get("pkgid") == "YES":
        package.take_checksum(told)


def _take_size(package: Described, told: Ended) -> None:
    if (size := told.attributes.get("package")) is not None:
        package.take_size(size, told)


_TELLING = {
    "checksum": _take_checksum,
    "location": Described.take_location,
    "size": _take_size,
}


def _check_count(root: Ended, count: int) -> None:
    told = root.attributes.get("packages")
    if told is None:
        return
    if not _NUMBER.fullmatch(told):
        raise ManifestError(f"packages={fields.shown(told)} is no number", line=root.line)
    if int(told) != count:
        raise ManifestError(f"says {int(told)} packages, has {count}", line=root.line)
