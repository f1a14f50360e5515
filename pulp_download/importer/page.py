"""A page of a Python package index, whose files lie beside it (PEP 503)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape
from urllib.parse import quote

from pulp_download.importer.artifact import Artifact

# What clients compute of a link's fragment; of several the strongest is told.
_FRAGMENTS = ("sha512", "sha384", "sha256", "sha224", "sha1", "md5")


def page_of(artifacts: Iterable[Artifact]) -> Iterator[bytes]:
    """Yield the page that links these files, by their names and digests.

    What an upstream's page says beside that (versions of Python, yanked files) is not in it.
    """
    yield b"<!DOCTYPE html>\n<html><body>\n"
    for artifact in artifacts:
        if artifact.entry.is_metadata:
            continue
        digests = dict(artifact.entry.digests)
        told = next((f"#{name}={digests[name]}" for name in _FRAGMENTS if name in digests), "")
        link = escape(f"./{quote(artifact.path)}{told}")
        yield f'<a href="{link}">{escape(artifact.path)}</a><br>\n'.encode()
    yield b"</body></html>\n"
