"""What the documents of an RPM repository tell of a file: its place, its size, its digest.

Reference: createrepo_c's documents, as librepo reads them; openSUSE's "Standards: rpm-md". An href
is a plain name relative to the repository's root, the folder above ``repodata/``; it is not
percent-encoded, for clients encode it themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import BinaryIO
from urllib.parse import quote

from pulp_download.elements import Begun, Ended, elements
from pulp_download.errors import InvalidURL, ManifestError
from pulp_download.manifests import fields
from pulp_download.manifests.entry import ManifestEntry
from pulp_download.urls import URL

# Bytes parsed at a time; not measured.
_CHUNK = 64 * 1024

# "sha" is what yum's createrepo called SHA-1.
_ALGORITHMS = {
    "md5": "md5",
    "sha": "sha1",
    "sha1": "sha1",
    "sha224": "sha224",
    "sha256": "sha256",
    "sha384": "sha384",
    "sha512": "sha512",
}

# Where a file may lie that is not below the repository; never on the local disk.
_BASE_SCHEMES = ("http", "https", "ftp", "ftps")

_XML_BASE = "http://www.w3.org/XML/1998/namespace base"


class Described:
    """One file, as far as it has been read; ``what`` names its element in errors."""

    def __init__(self, begun: Begun, what: str):
        self.attributes = begun.attributes
        self.line = begun.line
        self._what = what
        self._size: int | None = None
        self._digest: tuple[str, str] | None = None
        self._path: str | None = None
        self._url: str | None = None

    def take_checksum(self, told: Ended) -> None:
        """Take the file's digest; one that nothing here knows how to compute is refused."""
        if self._digest is not None:
            raise self._second("checksum", told)
        kind = told.attributes.get("type")
        if kind is None:
            raise ManifestError("a checksum that does not say its type", line=told.line)
        algorithm = _ALGORITHMS.get(kind.lower())
        if algorithm is None:
            raise ManifestError(f"{fields.shown(kind)} digests are not supported", line=told.line)
        self._digest = fields.digest(algorithm, told.text.strip(), line=told.line)

    def take_size(self, text: str, told: Ended) -> None:
        """Take the file's length in bytes, which ``text`` tells."""
        if self._size is not None:
            raise self._second("size", told)
        self._size = fields.size(text.strip(), line=told.line)

    def take_location(self, told: Ended) -> None:
        """Take the file's place: below the repository's root, or below an absolute xml:base."""
        if self._path is not None:
            raise self._second("location", told)
        self._path = _path(told)
        if base := told.attributes.get(_XML_BASE):
            # Not RFC 3986: clients append the href, whether or not the base ends in a slash.
            self._url = f"{_base(base, told.line).rstrip('/')}/{quote(self._path)}"

    def entry(
        self, *, needs_checksum: bool, lists: str | None = None, is_metadata: bool = False
    ) -> ManifestEntry:
        """Return what was told; a file without a place, or a digest that it needs, is refused."""
        if self._path is None:
            raise ManifestError(f"a {self._what} without a location", line=self.line)
        if self._digest is None and needs_checksum:
            raise ManifestError(f"a {self._what} without a checksum", line=self.line)
        return ManifestEntry(
            self._path,
            url=self._url,
            size=self._size,
            digests=() if self._digest is None else (self._digest,),
            line=self.line,
            lists=lists,
            is_metadata=is_metadata,
        )

    def _second(self, field: str, told: Ended) -> ManifestError:
        return ManifestError(f"a second {field} of one {self._what}", line=told.line)


def described(
    stream: BinaryIO,
    places: Mapping[str, str],
    telling: Mapping[str, Callable[[Described, Ended], None]],
    *,
    document: str,
    what: str,
) -> Iterator[Described | Ended]:
    """Yield every file of a document as its element ends, and the end of the root after them.

    ``places`` calls the root "root" and a file's element "file"; ``telling`` has for each other
    place what takes it. ``document`` and ``what`` name root and file in errors. One file is held
    at a time.
    """
    file: Described | None = None
    for event in elements(iter(partial(stream.read, _CHUNK), b""), places, what=document):
        if event.place != "location" and _XML_BASE in event.attributes:
            reason = "an xml:base that is not a location's, which is not read"
            raise ManifestError(reason, line=event.line)
        if isinstance(event, Begun):
            if event.place == "file":
                file = Described(event, what)
        elif event.place == "root":
            yield event
        elif file is not None:
            if event.place == "file":
                yield file
            else:
                telling[event.place](file, event)


def _path(told: Ended) -> str:
    href = told.attributes.get("href")
    if href is None:
        raise ManifestError("a location without an href", line=told.line)
    if ".." in href.split("/"):
        raise ManifestError(
            f"unsafe path {fields.shown(href)}: it leaves its folder by '..', as in repositories"
            " whose packages lie beside them; only what lies below a repository is taken",
            line=told.line,
        )
    return fields.path(href, line=told.line)


def _base(text: str, line: int) -> str:
    """Return an xml:base as it stands; no error shows it, for it may hold a password."""

    def refused(reason: str) -> ManifestError:
        return ManifestError(f"the xml:base of a location: {reason}", line=line)

    try:
        scheme = URL.parse(text).scheme
    except InvalidURL as error:
        # What follows the reason quotes the URL.
        raise refused(error.reason.partition(": ")[0]) from None
    if scheme not in _BASE_SCHEMES:
        raise refused(f"its scheme is none of {', '.join(_BASE_SCHEMES)}")
    if "?" in text or "#" in text:
        raise refused("it has a query or a fragment")
    return text
