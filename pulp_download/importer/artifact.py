"""One artifact as the catalog has it, and how it becomes a row and an entry again."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row

from pulp_download.manifests import ManifestEntry
from pulp_download.mirrors.mirror import Mirror
from pulp_download.pieces import Pieces


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


def artifact_of(row: Row[Any]) -> Artifact:
    """Return what a row of :data:`~pulp_download.importer.schema.artifacts` says."""
    mirrors, pieces, url = _read_places(row.places)
    digests = [line.partition(":") for line in row.digests.splitlines()]
    entry = ManifestEntry(
        row.path,
        url=url,
        size=row.size,
        digests=tuple((name, value) for name, _, value in digests),
        mirrors=mirrors,
        pieces=pieces,
        is_metadata=row.is_metadata,
    )
    found = None
    if row.mtime_ns is not None:
        found = Found(row.found_size, row.mtime_ns, row.inode % (1 << 64))
    return Artifact(row.id, row.source_id, entry, row.state, found, row.etag, row.last_modified)


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
    if entry.mirrors:
        places["mirrors"] = [_written(mirror.without_credentials()) for mirror in entry.mirrors]
    if entry.pieces is not None:
        pieces = entry.pieces
        places["pieces"] = [pieces.algorithm, pieces.length, *pieces.hexdigests]
    return json.dumps(places) if places else None


def _written(mirror: Mirror) -> list[Any]:
    return [str(mirror), mirror.priority, mirror.location, mirror.is_learnt]


def _read_places(text: str | None) -> tuple[tuple[Mirror, ...], Pieces | None, str | None]:
    if text is None:
        return (), None, None
    places = json.loads(text)
    mirrors = tuple(
        Mirror(url, priority=priority, location=location, is_learnt=is_learnt)
        for url, priority, location, is_learnt in places.get("mirrors", ())
    )
    pieces = None
    if "pieces" in places:
        algorithm, length, *digests = places["pieces"]
        pieces = Pieces(algorithm, length, tuple(digests))
    return mirrors, pieces, places.get("url")
