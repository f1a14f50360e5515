"""Metalinks: files with their sizes, digests and all the places where they can be had.

References: RFC 5854 (Metalink 4), and the Metalink 3.0 specification, as Fedora's mirrors serve it.
What is read over: signatures, torrents and other ``metaurl``, ``origin``, ``dynamic``,
descriptions, extensions of other namespaces. The places that a metalink names are trusted with
nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from pulp_download.elements import Begun, Ended, below, elements
from pulp_download.errors import InvalidExpectation, InvalidInput, InvalidURL, ManifestError
from pulp_download.mirrors.mirror import LOWEST_PRIORITY, Mirror, Relative
from pulp_download.paths import safe_path
from pulp_download.pieces import Pieces
from pulp_download.urls import SCHEMES, URL
from pulp_download.validations import DigestValidation, SizeValidation, digest_size

# Mirrors of one file that are kept, the best by priority; Fedora's lists have about 200.
MAX_MIRRORS = 1000

# Piece hashes of one file; a terabyte in pieces of one mebibyte has as many.
_MAX_PIECES = 1_000_000

_PLACES = {
    **below(
        "urn:ietf:params:xml:ns:metalink",
        {
            "metalink": "metalink",
            "metalink/file": "file",
            "metalink/file/size": "size",
            "metalink/file/hash": "hash",
            "metalink/file/pieces": "pieces",
            "metalink/file/pieces/hash": "piece",
            "metalink/file/url": "url",
        },
    ),
    **below(
        "http://www.metalinker.org/",
        {
            "metalink": "metalink",
            "metalink/files": "files",
            "metalink/files/file": "file",
            "metalink/files/file/size": "size",
            "metalink/files/file/verification": "verification",
            "metalink/files/file/verification/hash": "hash",
            "metalink/files/file/verification/pieces": "pieces",
            "metalink/files/file/verification/pieces/hash": "piece",
            "metalink/files/file/resources": "resources",
            "metalink/files/file/resources/url": "preferred url",
        },
    ),
}

_XML_BASE = "http://www.w3.org/XML/1998/namespace base"

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_NUMBER = re.compile(r"[0-9]{1,19}")
_COUNTRY = re.compile(r"[A-Za-z]{2}")


@dataclass(frozen=True, slots=True)
class MetalinkFile:
    """One file of a metalink.

    ``name`` is a relative path that has passed :func:`~pulp_download.paths.safe_path`. ``mirrors``,
    of which there is at least one, are learnt, absolute or relative to the metalink's own folder,
    and sorted by priority. ``digests`` are pairs of hashlib's name for the algorithm and lower-case
    hexadecimal. ``line`` is where the file's element begins.
    """

    name: str
    mirrors: tuple[Mirror, ...]
    size: int | None = None
    digests: tuple[tuple[str, str], ...] = ()
    pieces: Pieces | None = None
    line: int = 0


def parse(chunks: Iterable[bytes]) -> Iterator[MetalinkFile]:
    """Yield the files of a metalink, of either version, as its bytes come; holds one at a time.

    Raises ManifestError, after the files before it, for what is wrong further down: an unsafe name,
    a file that cannot be had, a value that cannot be meant, a document that was cut or is no
    metalink. Two files of one name are not noticed.
    """
    file: _File | None = None
    is_empty, is_based = True, False
    for event in elements(chunks, _PLACES, what="metalink"):
        is_based = is_based or _XML_BASE in event.attributes
        if event.place == "file":
            if isinstance(event, Begun):
                file = _File(event)
            elif file is not None:
                yield file.whole()
                file, is_empty = None, False
        elif file is not None and isinstance(event, Ended) and event.place in _TELLING:
            file.is_based = is_based
            _TELLING[event.place](file, event)
    if is_empty:
        raise ManifestError("a metalink without a file")


class _File:
    """One file, as far as it has been read; ``is_based`` where an xml:base may hold for it."""

    def __init__(self, begun: Begun):
        self.is_based = False
        self._line = begun.line
        self._name = _name(begun)
        self._size: int | None = None
        self._digests: dict[str, str] = {}
        self._hashes: list[str] = []
        self._pieces: Pieces | None = None
        self._mirrors: dict[URL | Relative, Mirror] = {}

    def take_size(self, told: Ended) -> None:
        """Take the file's length in bytes."""
        text = told.text.strip()
        if self._size is not None:
            raise ManifestError("a second size of one file", line=told.line)
        if not _NUMBER.fullmatch(text):
            raise ManifestError("a size that is no number of bytes", line=told.line)
        try:
            self._size = SizeValidation(int(text)).size
        except InvalidExpectation as error:
            raise ManifestError(error.reason, line=told.line) from None

    def take_hash(self, told: Ended) -> None:
        """Take a digest of the whole file, unless nothing here knows how to compute it."""
        algorithm = _algorithm(told)
        if algorithm is None:
            return
        try:
            expected = DigestValidation(algorithm, told.text.strip())
        except InvalidExpectation as error:
            raise ManifestError(error.reason, line=told.line) from None
        known = self._digests.setdefault(expected.algorithm, expected.hexdigest)
        if known != expected.hexdigest:
            raise ManifestError(f"two {expected.algorithm} digests of one file", line=told.line)

    def take_piece(self, told: Ended) -> None:
        """Take the digest of the next piece; Metalink 3 numbers them."""
        if told.attributes.get("piece", str(len(self._hashes))) != str(len(self._hashes)):
            raise ManifestError("pieces that are not in order", line=told.line)
        if len(self._hashes) == _MAX_PIECES:
            raise ManifestError(f"more than {_MAX_PIECES} pieces", line=told.line)
        self._hashes.append(told.text.strip())

    def take_pieces(self, told: Ended) -> None:
        """Take the end of a list of pieces; of several lists the one with the longest digests."""
        hashes, self._hashes = tuple(self._hashes), []
        algorithm = _algorithm(told)
        if algorithm is None or not hashes:
            return
        length = _number(told, "length")
        if length is None:
            raise ManifestError("pieces without a length", line=told.line)
        try:
            pieces = Pieces(algorithm, length, hashes)
        except InvalidExpectation as error:
            raise ManifestError(error.reason, line=told.line) from None
        best = self._pieces
        if best is None or digest_size(pieces.algorithm) > digest_size(best.algorithm):
            self._pieces = pieces

    def take_url(self, told: Ended) -> None:
        """Take a place with the priority that Metalink 4 gives it, from 1 to 999,999."""
        priority = _number(told, "priority")
        self._take_place(told, LOWEST_PRIORITY if priority is None else priority)

    def take_preferred_url(self, told: Ended) -> None:
        """Take a place with Metalink 3's preference: 100 is asked first, 0 last."""
        preference = _number(told, "preference")
        if preference is not None and preference > 100:
            raise ManifestError("a preference of more than 100", line=told.line)
        self._take_place(told, LOWEST_PRIORITY if preference is None else 101 - preference)

    def _take_place(self, told: Ended, priority: int) -> None:
        text = told.text.strip()
        scheme = _SCHEME.match(text)
        # In Metalink 3 the URL of a torrent is an http one of another type.
        kind = told.attributes.get("type", "http").lower()
        if kind not in SCHEMES or (scheme and scheme[1].lower() not in SCHEMES):
            return
        if self.is_based and not scheme:
            raise ManifestError("a URL relative to an xml:base, which is not read", line=told.line)
        country = told.attributes.get("location", "")
        location = country if _COUNTRY.fullmatch(country) else None
        try:
            mirror = Mirror(text, priority=priority, location=location, is_learnt=True)
        except InvalidURL as error:
            # What follows the reason quotes the URL.
            raise ManifestError(error.reason.partition(": ")[0], line=told.line) from None
        except InvalidInput as error:
            raise ManifestError(error.reason, line=told.line) from None
        self._mirrors.setdefault(mirror.url, mirror)
        if len(self._mirrors) >= 2 * MAX_MIRRORS:
            self._mirrors = {each.url: each for each in self._best()}

    def _best(self) -> list[Mirror]:
        by_priority = sorted(self._mirrors.values(), key=lambda mirror: mirror.priority)
        return by_priority[:MAX_MIRRORS]

    def whole(self) -> MetalinkFile:
        """Return what was told of the file, or refuse what does not fit together."""
        if not self._mirrors:
            raise ManifestError(f"{self._name!r} has no URL that can be fetched", line=self._line)
        pieces, size = self._pieces, self._size
        if pieces is not None and size is not None:
            count = -(-size // pieces.length)
            if len(pieces.hexdigests) != count:
                raise ManifestError(
                    f"{self._name!r} of {size} bytes has {count} pieces of {pieces.length},"
                    f" not {len(pieces.hexdigests)}",
                    line=self._line,
                )
        digests = tuple(self._digests.items())
        return MetalinkFile(self._name, tuple(self._best()), size, digests, pieces, self._line)


_TELLING: Mapping[str, Callable[[_File, Ended], None]] = {
    "size": _File.take_size,
    "hash": _File.take_hash,
    "piece": _File.take_piece,
    "pieces": _File.take_pieces,
    "url": _File.take_url,
    "preferred url": _File.take_preferred_url,
}


def _name(begun: Begun) -> str:
    try:
        return safe_path(begun.attributes.get("name", ""))
    except InvalidInput as error:
        raise ManifestError(error.reason, line=begun.line) from None


def _algorithm(told: Ended) -> str | None:
    """Return the algorithm of a digest, or None where there is none of that name here."""
    algorithm = told.attributes.get("type")
    if algorithm is None:
        raise ManifestError("a digest that does not say its type", line=told.line)
    try:
        digest_size(algorithm)
    except InvalidExpectation:
        return None
    return algorithm


def _number(told: Ended, attribute: str) -> int | None:
    text = told.attributes.get(attribute)
    if text is None:
        return None
    if not _NUMBER.fullmatch(text.strip()):
        raise ManifestError(f"a {attribute} that is no number", line=told.line)
    return int(text)
