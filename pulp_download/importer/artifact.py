"""One artifact as the catalog has it, and how it becomes a row and an entry again."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pulp_download.importer.schema import artifacts
from pulp_download.manifests import ManifestEntry
from pulp_download.manifests.reference import Reference
from pulp_download.mirrors.mirror import Mirror
from pulp_download.pieces import Pieces

# What :func:`artifact_of` reads, in its order.
COLUMNS = tuple(
    artifacts.c[name]
    for name in (
        "id source_id path size digests places is_metadata state"
        " found_size mtime_ns inode etag last_modified"
    ).split()
)


@dataclass(frozen=True, slots=True)
class Artifact:
    """A listed file: what the manifest says of it, and what is known of the one that is there.

    ``key`` is its row's primary key. ``found`` is what was there when it was last known to be
    right, and None before that; ``state`` is one of ``present``, ``missing`` and ``failed``;
    ``etag`` and ``last_modified`` are the fields of the answer that brought it.
    """

    key: int
    source_key: int
    entry: ManifestEntry
    state: str
    found: Found | None
    etag: str | None
    last_modified: str | None

    @property
    def path(self) -> str:
        return self.entry.path

    def __str__(self) -> str:
        return self.entry.path


@dataclass(frozen=True, slots=True)
class Found:
    """By what a file is known again without reading it: bytes, nanoseconds, inode.

    Databases' numbers have 64 bits, and upstream dates files as it likes: nanoseconds are counted
    modulo 2**64, so that a date behind the year 2262 is one before 1970, and the same each time.
    """

    size: int
    mtime_ns: int
    inode: int

    @classmethod
    def of(cls, facts: os.stat_result) -> Found:
        mtime_ns = (facts.st_mtime_ns + (1 << 63)) % (1 << 64) - (1 << 63)
        return cls(facts.st_size, mtime_ns, facts.st_ino)


def artifact_of(row: Sequence[Any]) -> Artifact:
    """Return what a row of :data:`COLUMNS` says."""
    key, source, path, size, digests, places, is_metadata, state, *rest = row
    found_size, mtime_ns, inode, etag, last_modified = rest
    entry = ManifestEntry(
        path,
        size=size,
        digests=tuple(_pair(line) for line in digests.splitlines()),
        is_metadata=bool(is_metadata),
        **(_read_places(places) if places else {}),
    )
    found = None if mtime_ns is None else Found(found_size, mtime_ns, inode % (1 << 64))
    return Artifact(key, source, entry, state, found, etag, last_modified)


def _pair(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name, value


def values_of(entry: ManifestEntry) -> dict[str, Any]:
    """Return the columns that say what a manifest says of a file."""
    return {
        "path": entry.path,
        "size": entry.size,
        "digests": "\n".join(sorted(f"{name}:{value}" for name, value in entry.digests)),
        "places": _written_places(entry),
        "is_metadata": entry.is_metadata,
    }


def found_values(found: Found | None) -> dict[str, Any]:
    """Return the columns that say what is there."""
    if found is None:
        return {"found_size": None, "mtime_ns": None, "inode": None}
    # inodes are unsigned; databases have no such numbers
    inode = found.inode - (1 << 64) if found.inode >= 1 << 63 else found.inode
    return {"found_size": found.size, "mtime_ns": found.mtime_ns, "inode": inode}


def _written_places(entry: ManifestEntry) -> str | None:
    """Return as JSON where a file is to be had, if not under its path below the base.

    Without userinfo: a catalog holds no secret.
    """
    places: dict[str, Any] = {}
    if entry.url is not None:
        places["url"] = str(Mirror(entry.url).without_credentials())
    if entry.reference is not None:
        places["reference"] = [entry.reference.text, entry.reference.base]
    if entry.mirrors:
        places["mirrors"] = [_written(mirror.without_credentials()) for mirror in entry.mirrors]
    if entry.pieces is not None:
        pieces = entry.pieces
        places["pieces"] = [pieces.algorithm, pieces.length, *pieces.hexdigests]
    return json.dumps(places) if places else None


def _written(mirror: Mirror) -> list[Any]:
    return [str(mirror), mirror.priority, mirror.location, mirror.is_learnt]


def _read_places(text: str) -> dict[str, Any]:
    """Return the fields of an entry that :func:`_written_places` has written."""
    places = json.loads(text)
    if "reference" in places:
        places["reference"] = Reference(*places["reference"])
    if "mirrors" in places:
        places["mirrors"] = tuple(
            Mirror(url, priority=priority, location=location, is_learnt=is_learnt)
            for url, priority, location, is_learnt in places["mirrors"]
        )
    if "pieces" in places:
        algorithm, length, *digests = places["pieces"]
        places["pieces"] = Pieces(algorithm, length, tuple(digests))
    fields: dict[str, Any] = places
    return fields
