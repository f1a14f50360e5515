"""One destination's part of a catalog."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    Table,
    bindparam,
    case,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from pulp_download.importer.artifact import COLUMNS, Artifact, Found, artifact_of, found_values
from pulp_download.importer.bulk import BULK, fetch_many, update_many
from pulp_download.importer.catalog import Catalog
from pulp_download.importer.listing import Changes, take_listing
from pulp_download.importer.schema import (
    FAILED,
    PRESENT,
    STATES,
    artifacts,
    repositories,
    runs,
    sources,
)
from pulp_download.manifests import ManifestEntry

# Files whose failures a status shows, the last ones first; the catalog has them all.
_SHOWN_FAILURES = 100

# Sizes are summed in halves: SQLite's sums have 64 bits, and so has a size that a manifest claims.
_HALF = 1 << 32


class ListedBy(NamedTuple):
    """Where a source's manifest is, and what its relative names are below."""

    url: str
    base: str


class Outcome(NamedTuple):
    """What came of one artifact: what is there now, or the class and text of an error."""

    key: int
    found: Found | None
    etag: str | None = None
    last_modified: str | None = None
    error_type: str | None = None
    error: str | None = None

    def values(self) -> dict[str, Any]:
        """Return the columns, and ``key`` for the row's primary key."""
        found = self.found
        return {
            "key": self.key,
            "state": FAILED if found is None else PRESENT,
            **found_values(found),
            "etag": self.etag,
            "last_modified": self.last_modified,
            "error_type": self.error_type,
            "error": self.error,
            "tried_at": time.time(),
        }


@dataclass(frozen=True)
class Standing:
    """What the catalog knows of a destination: files and bytes by state, the last run, failures.

    ``failures`` are rows of ``path``, ``error_type`` and ``error``; ``last_run`` is a row of
    :data:`~pulp_download.importer.schema.runs`, or None.
    """

    files: dict[str, int]
    bytes: dict[str, int]
    last_run: Row[Any] | None
    failures: Sequence[Any]


class Repository:
    """What a catalog knows of one destination; each call is a transaction of its own.

    ``destination`` is its name in the catalog. Thread-safe. Raises CatalogError.
    """

    def __init__(self, catalog: Catalog, destination: str):
        self._catalog = catalog
        with catalog.writing() as connection:
            self._key = _row_key(connection, repositories, {"destination": destination})
        # Made once: a streamer asks it for each request, and to make it takes longer than to ask.
        self._by_path = (
            select(*COLUMNS)
            .where(*self._own(artifacts.c.path == bindparam("path")))
            .order_by(artifacts.c.state != PRESENT, artifacts.c.source_id)
            .limit(1)
        )

    def source(self, listed_by: ListedBy) -> int:
        """Return the key of a source, whose base is as it was last told."""
        names = {"repository_id": self._key, "url": listed_by.url}
        base = {"base": listed_by.base}
        with self._catalog.writing() as connection:
            key = _row_key(connection, sources, names, base)
            connection.execute(update(sources).where(sources.c.id == key).values(base))
        return key

    def listed_by(self, source: int) -> ListedBy:
        """Return what is known of a source."""
        query = select(sources.c.url, sources.c.base).where(sources.c.id == source)
        with self._catalog.reading() as connection:
            return ListedBy(*connection.execute(query).one())

    def take(
        self, source: int, entries: Iterable[ManifestEntry], *, wants: Callable[[str], bool]
    ) -> Changes:
        """Make the catalog list what ``entries`` do; see :func:`take_listing`.

        All or nothing: what the entries raise leaves the catalog as it was.
        """
        with self._catalog.writing() as connection:
            return take_listing(connection, entries, source=source, wants=wants)

    def artifacts(self, source: int, *, metadata: bool | None = None) -> Iterator[Artifact]:
        """Yield what a source lists, in the order of paths, a page in memory at a time.

        ``metadata`` asks for the files that describe others, or for those that do not, alone.
        """
        conditions = [artifacts.c.source_id == source]
        if metadata is not None:
            conditions.append(artifacts.c.is_metadata == metadata)
        last = ""
        while True:
            with self._catalog.reading() as connection:
                page = (
                    select(*COLUMNS)
                    .where(*conditions, artifacts.c.path > last)
                    .order_by(artifacts.c.path)
                    .limit(BULK)
                )
                rows = fetch_many(connection, page)
            if not rows:
                return
            for row in rows:
                artifact = artifact_of(row)
                yield artifact
            last = artifact.path

    def artifact(self, path: str) -> Artifact | None:
        """Return what is listed under this path; of several sources', one that is present."""
        with self._catalog.reading() as connection:
            row = connection.execute(self._by_path, {"path": path}).one_or_none()
        return None if row is None else artifact_of(row)

    def listed(self, paths: Sequence[str]) -> set[str]:
        """Return which of these paths are listed, by any source of the destination."""
        with self._catalog.reading() as connection:
            query = select(artifacts.c.path).where(*self._own(artifacts.c.path.in_(paths)))
            return set(connection.execute(query).scalars())

    def record(self, outcomes: Sequence[Outcome]) -> None:
        """Write down what came of some artifacts."""
        if not outcomes:
            return
        values = [outcome.values() for outcome in outcomes]
        with self._catalog.writing() as connection:
            update_many(connection, artifacts, values)

    def forget(self, path: str) -> None:
        """Take an artifact out of the catalog."""
        with self._catalog.writing() as connection:
            connection.execute(delete(artifacts).where(*self._own(artifacts.c.path == path)))

    def begin_run(self, source: int) -> int:
        """Write down that a synchronisation begins; return its key."""
        with self._catalog.writing() as connection:
            values = {"source_id": source, "started": time.time()}
            return _inserted(connection, runs, values)

    def finish_run(self, run: int, counts: dict[str, int]) -> None:
        """Write down what a synchronisation came to."""
        with self._catalog.writing() as connection:
            connection.execute(
                update(runs).where(runs.c.id == run).values(finished=time.time(), **counts)
            )

    def standing(self) -> Standing:
        """Return what is known of the destination."""
        with self._catalog.reading() as connection:
            by_state = connection.execute(self._by_state()).all()
            failures = connection.execute(self._failures()).all()
            last = connection.execute(
                select(runs, sources.c.url)
                .join(sources, sources.c.id == runs.c.source_id)
                .where(sources.c.repository_id == self._key)
                .order_by(runs.c.id.desc())
                .limit(1)
            ).one_or_none()
        counted = {
            STATES[at]: (files, int(high) * _HALF + int(low)) for at, files, high, low in by_state
        }
        files = {state: counted.get(state, (0, 0))[0] for state in STATES}
        sizes = {state: counted.get(state, (0, 0))[1] for state in STATES}
        return Standing(files, sizes, last, failures)

    def _by_state(self) -> Select[Any]:
        """Return the query of files and bytes by state, as its place among STATES.

        A file of several sources counts once, as the best of what is known of it.
        """
        rank = case({state: at for at, state in enumerate(STATES)}, value=artifacts.c.state)
        size = func.max(func.coalesce(artifacts.c.found_size, artifacts.c.size, 0))
        files = (
            select(func.min(rank).label("rank"), size.label("size"))
            .where(*self._own())
            .group_by(artifacts.c.path)
            .subquery()
        )
        sums = func.sum(files.c.size // _HALF), func.sum(files.c.size % _HALF)
        return select(files.c.rank, func.count(), *sums).group_by(files.c.rank)

    def _failures(self) -> Select[Any]:
        """Return the query of failures, of files that no other source has brought since."""
        healed = select(artifacts.c.path).where(*self._own(artifacts.c.state == PRESENT))
        return (
            select(artifacts.c.path, artifacts.c.error_type, artifacts.c.error)
            .where(*self._own(artifacts.c.state == FAILED, artifacts.c.path.not_in(healed)))
            .order_by(artifacts.c.tried_at.desc(), artifacts.c.id.desc())
            .limit(_SHOWN_FAILURES)
        )

    def _own(self, *conditions: ColumnElement[bool]) -> tuple[ColumnElement[bool], ...]:
        own = select(sources.c.id).where(sources.c.repository_id == self._key)
        return (artifacts.c.source_id.in_(own), *conditions)


def _row_key(
    connection: Connection,
    table: Table,
    names: dict[str, Any],
    more: dict[str, Any] | None = None,
) -> int:
    """Return the key of the row with these names, made if it is not there."""
    conditions = [table.c[column] == value for column, value in names.items()]
    query = select(table.c.id).where(*conditions)
    key = connection.execute(query).scalar_one_or_none()
    if key is None:
        try:
            with connection.begin_nested():
                return _inserted(connection, table, {**names, **(more or {})})
        except IntegrityError:  # somebody else has made it since
            key = connection.execute(query).scalar_one()
    return int(key)


def _inserted(connection: Connection, table: Table, values: dict[str, Any]) -> int:
    (key,) = connection.execute(insert(table).values(values)).inserted_primary_key or (0,)
    return int(key)
