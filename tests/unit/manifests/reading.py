"""Manifests in one line: read this, or be refused for that."""

from io import BytesIO

import pytest

from pulp_download.errors import ManifestError
from pulp_download.manifests import Manifest, ManifestEntry, parse

MD5 = "0123456789abcdef" * 2
SHA1 = "0123456789" * 4
SHA256 = "0123456789abcdef" * 4
SHA512 = "0123456789abcdef" * 8
OTHER = "f" * 64


def read(
    data: str | bytes, *, format: str | None = None, name: str = "list"
) -> list[ManifestEntry]:
    """Return all entries of a manifest."""
    if isinstance(data, str):
        data = data.encode()
    return list(parse(BytesIO(data), name=name, format=format))


def refusal(data: str | bytes, *, format: str | None = None, name: str = "list") -> ManifestError:
    """Return the error that refuses a manifest."""
    with pytest.raises(ManifestError) as caught:
        read(data, format=format, name=name)
    return caught.value


def spool(
    text: str, *, name: str = "SHA256SUMS", format: str | None = None, local: bool = True
) -> Manifest:
    """Return a manifest of that text; the caller closes it."""
    return Manifest.spool([text.encode()], name=name, format=format, local=local)


def lines(*paths: str) -> str:
    """Return the lines of a SHA256SUMS, all with one digest."""
    return "".join(f"{SHA256}  {path}\n" for path in paths)
