"""Catalogs for tests, and short ways to fill them and to say what is in them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Select

from pulp_download.importer.artifact import Artifact, Found
from pulp_download.importer.catalog import Catalog
from pulp_download.importer.listing import Changes
from pulp_download.importer.repository import ListedBy, Outcome, Repository
from pulp_download.manifests import ManifestEntry

SHA256 = "0123456789abcdef" * 4
OTHER = "f" * 64
HERE = ListedBy("https://upstream.test/SHA256SUMS", "https://upstream.test/")
THERE = ListedBy("https://other.test/SHA256SUMS", "https://other.test/pub/")


def entry(path: str, digest: str = SHA256, **more: Any) -> ManifestEntry:
    """Return what a manifest says of a file, with a digest."""
    return ManifestEntry(path, digests=(("sha256", digest),), **more)


def everything(_: str) -> bool:
    """Want every path."""
    return True


def take(
    repository: Repository, *listed: str | ManifestEntry, by: ListedBy = HERE, **more: Any
) -> Changes:
    """Have a source list these files and no others."""
    entries = [entry(each) if isinstance(each, str) else each for each in listed]
    wants = more.get("wants", everything)
    return repository.take(repository.source(by), entries, wants=wants)


def listed(repository: Repository, by: ListedBy = HERE) -> list[Artifact]:
    """Return all that a source lists."""
    return list(repository.artifacts(repository.source(by)))


def paths(artifacts: Iterable[Artifact]) -> list[str]:
    """Return their paths, in order."""
    return sorted(artifact.path for artifact in artifacts)


def known(repository: Repository, path: str) -> Artifact:
    """Return a file that is listed."""
    artifact = repository.artifact(path)
    assert artifact is not None
    return artifact


def present(artifact: Artifact, **more: Any) -> Outcome:
    """Return that an artifact is there."""
    return Outcome(artifact.key, Found(size=3, mtime_ns=5, inode=7), **more)


def rows(catalog: Catalog, query: Select[Any]) -> list[tuple[Any, ...]]:
    """Return what a query finds."""
    with catalog.reading() as connection:
        return [tuple(row) for row in connection.execute(query)]


def doing(statement: str) -> Any:
    """Return a migration of one statement."""

    def step(connection: Connection) -> None:
        connection.exec_driver_sql(statement)

    return step
