"""The fields of a manifest's line, checked for form; each refusal names the line."""

from __future__ import annotations

import re

from pulp_download.errors import InvalidInput, ManifestError
from pulp_download.paths import safe_path
from pulp_download.printable import printable

# hashlib's name of every algorithm that a manifest may use -> hexadecimal digits of its digest.
HEX_LENGTHS = {
    "md5": 32,
    "sha1": 40,
    "sha224": 56,
    "sha256": 64,
    "sha384": 96,
    "sha512": 128,
    "sha3_224": 56,
    "sha3_256": 64,
    "sha3_384": 96,
    "sha3_512": 128,
    "blake2b": 128,
}

# What a digest of this length is where nothing else tells.
_BY_LENGTH = {
    HEX_LENGTHS[name]: name for name in ("md5", "sha1", "sha224", "sha256", "sha384", "sha512")
}

# Characters of a field that an error shows; enough to find it in the line.
_SHOWN = 80

# The largest file that off_t and an SQL BIGINT can tell the size of: 8 EiB - 1.
_MAX_SIZE = 2**63 - 1

_HEX = re.compile(r"[0-9A-Fa-f]+")
_DECIMAL = re.compile(r"[0-9]{1,19}")


def shown(text: str) -> str:
    """Return a field as an error may show it: quoted, escaped, and not too long."""
    more = "..." if len(text) > _SHOWN else ""
    return f"'{printable(text[:_SHOWN])}{more}'"


def digest(algorithm: str | None, text: str, *, line: int) -> tuple[str, str]:
    """Return (algorithm, lower-case hexadecimal); without an algorithm the length tells it."""
    if not _HEX.fullmatch(text):
        raise ManifestError(f"digest {shown(text)} is not hexadecimal", line=line)
    algorithm = algorithm or _BY_LENGTH.get(len(text))
    if algorithm is None:
        raise ManifestError(f"no known digest has {len(text)} hexadecimal digits", line=line)
    if len(text) != HEX_LENGTHS[algorithm]:
        raise ManifestError(
            f"a {algorithm} digest has {HEX_LENGTHS[algorithm]} hexadecimal digits, not"
            f" {len(text)}",
            line=line,
        )
    return algorithm, text.lower()


def size(text: str, *, line: int) -> int:
    """Return a number of bytes: ASCII digits alone, no sign, no space, no underscore."""
    if not _DECIMAL.fullmatch(text) or int(text) > _MAX_SIZE:
        raise ManifestError(f"size {shown(text)} is not a number of bytes", line=line)
    return int(text)


def path(text: str, *, line: int) -> str:
    """Return a relative path that is safe to write below a destination."""
    try:
        return safe_path(text)
    except InvalidInput as error:
        raise ManifestError(error.reason, line=line) from None
