"""The format ``checksums``: what coreutils' md5sum, sha256sum, b2sum, cksum -a ... write.

Reference: GNU coreutils manual, "md5sum invocation" and "cksum output modes". Untagged lines
(``HEX  NAME``, ``HEX *NAME``) and BSD ones (``SHA256 (NAME) = HEX``), names escaped after a leading
backslash. Blank lines and ``#`` comments are skipped. A PGP cleartext signature around the list is
taken off and **not verified**. The name stands last in an untagged line: where the text ends
without a newline, the last name may have been cut short, which cannot be noticed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pulp_download.errors import ManifestError
from pulp_download.lines import Lines
from pulp_download.manifests import fields
from pulp_download.manifests.armor import signed_text
from pulp_download.manifests.entry import ManifestEntry

# The first word of a BSD line, in lower case -> hashlib's name.
_TAGS = {
    "md5": "md5",
    "sha1": "sha1",
    "sha224": "sha224",
    "sha256": "sha256",
    "sha384": "sha384",
    "sha512": "sha512",
    "sha3-224": "sha3_224",
    "sha3-256": "sha3_256",
    "sha3-384": "sha3_384",
    "sha3-512": "sha3_512",
    "blake2b": "blake2b",
}

# The end of a manifest's own name: SHA256SUMS, foo.iso.sha256, sha512sum.txt, B2SUMS.asc ...
NAMED = re.compile(
    r"(?:.*[^a-z0-9])?(?P<algorithm>md5|sha(?:1|224|256|384|512)|b2(?=sum)|blake2b)"
    r"(?:[._-]?sums?)?(?:\.txt|\.asc)?",
    re.IGNORECASE,
)
_BY_NAME = {"b2": "blake2b"}

_UNTAGGED = re.compile(r"([^ ]+) [ *](.*)")
_TAGGED = re.compile(r"([A-Za-z0-9/-]+) \((.*)\) = (.*)")
_ESCAPE = re.compile(r"\\(.?)")
_ESCAPED = {"\\": "\\", "n": "\n", "r": "\r"}


def algorithm_named(name: str) -> str | None:
    """Return hashlib's name of the algorithm that a manifest's file name tells, if it does."""
    match = NAMED.fullmatch(name)
    if match is None:
        return None
    algorithm = match["algorithm"].lower()
    return _BY_NAME.get(algorithm, algorithm)


def parse(lines: Lines, name: str) -> Iterator[ManifestEntry]:
    """Yield an entry per line; ``name`` is the manifest's own file name, which tells the algorithm.

    Where the name tells none, the tag of a BSD line or the digest's length does. A line that
    contradicts the name is refused.
    """
    named = algorithm_named(name)
    for number, text in signed_text(lines):
        if text.strip() and not text.startswith("#"):
            yield _entry(text, named, number)


def _entry(text: str, named: str | None, line: int) -> ManifestEntry:
    escaped = text.startswith("\\")
    if escaped:
        text = text[1:]
    algorithm = named
    if untagged := _UNTAGGED.fullmatch(text):  # most are, and nothing is both
        hexadecimal, path = untagged.groups()
    elif tagged := _TAGGED.fullmatch(text):
        tag, path, hexadecimal = tagged.groups()
        algorithm = _tagged(tag, named, line)
    else:
        raise ManifestError("neither 'DIGEST  NAME' nor 'ALGORITHM (NAME) = DIGEST'", line=line)
    digest = fields.digest(algorithm, hexadecimal, line=line)
    if escaped:
        path = _ESCAPE.sub(lambda match: _unescaped(match[1], line), path)
    return ManifestEntry(fields.path(path, line=line), digests=(digest,), line=line)


def _tagged(tag: str, named: str | None, line: int) -> str:
    algorithm = _TAGS.get(tag.lower())
    if algorithm is None:
        raise ManifestError(f"{fields.shown(tag)} digests are not supported", line=line)
    if named is not None and algorithm != named:
        raise ManifestError(f"a {algorithm} digest in a list of {named} digests", line=line)
    return algorithm


def _unescaped(letter: str, line: int) -> str:
    try:
        return _ESCAPED[letter]
    except KeyError:
        raise ManifestError("a backslash that escapes nothing", line=line) from None
