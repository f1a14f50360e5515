"""RPM repositories, made of a few packages."""

from __future__ import annotations

import gzip
import lzma
from collections.abc import Callable, Mapping

import zstandard

from tests.functional.cli.shelf import sha256

REPOMD = "repodata/repomd.xml"

COMPRESSED: dict[str, Callable[[bytes], bytes]] = {
    "gz": lambda data: gzip.compress(data, mtime=0),
    "xz": lzma.compress,
    "zst": zstandard.compress,
}


def primary_xml(packages: Mapping[str, bytes]) -> bytes:
    """The primary.xml of these packages, by their paths."""
    rows = "".join(
        f'<package type="rpm"><checksum type="sha256" pkgid="YES">{sha256(body)}</checksum>'
        f'<size package="{len(body)}"/><location href="{path}"/></package>\n'
        for path, body in packages.items()
    )
    return (
        f'<metadata xmlns="http://linux.duke.edu/metadata/common" packages="{len(packages)}">\n'
        f"{rows}</metadata>\n"
    ).encode()


def repomd_xml(metadata: Mapping[str, tuple[str, bytes]]) -> bytes:
    """The repomd.xml of metadata files: path and content by type."""
    rows = "".join(
        f'<data type="{kind}"><checksum type="sha256">{sha256(body)}</checksum>'
        f'<location href="{path}"/><size>{len(body)}</size></data>\n'
        for kind, (path, body) in metadata.items()
    )
    return f'<repomd xmlns="http://linux.duke.edu/metadata/repo">\n{rows}</repomd>\n'.encode()


def rpm_repository(packages: Mapping[str, bytes], compression: str = "gz") -> dict[str, bytes]:
    """All files of a repository, with metadata under names that begin with their digests."""
    metadata = {}
    for kind, text in (("primary", primary_xml(packages)), ("filelists", b"<filelists/>")):
        body = COMPRESSED[compression](text)
        metadata[kind] = (f"repodata/{sha256(body)[:8]}-{kind}.xml.{compression}", body)
    return {**packages, **dict(metadata.values()), REPOMD: repomd_xml(metadata)}
