"""What a manifest lists, taken into the catalog: what is new, what has changed, what is gone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Index,
    MetaData,
    Table,
    Text,
    delete,
    exists,
    insert,
    literal,
    or_,
    select,
    text,
    update,
)

from pulp_download.importer.artifact import found_values, values_of
from pulp_download.importer.bulk import BULK, execute_many, in_bulk
from pulp_download.importer.schema import MISSING, artifacts
from pulp_download.manifests import ManifestEntry


class Changes(NamedTuple):
    """What a listing changed in the catalog, in files."""

    new: int
    changed: int
    gone: int


def take_listing(
    connection: Connection,
    entries: Iterable[ManifestEntry],
    *,
    source: int,
    wants: Callable[[str], bool],
) -> Changes:
    """Make the catalog list what ``entries`` do of this source, within the caller's transaction.

    The entries go through a temporary table, so memory is flat in their number. A file whose size
    or digest has changed is ``missing`` until it has been looked at. What the source listed and
    lists no more is forgotten, if it is ``wanted``: a narrower selection forgets nothing.
    """
    listed = _temporary_table()
    listed.create(connection)
    rows = (values_of(entry) for entry in entries)
    for bulk in in_bulk(rows):
        execute_many(connection, insert(listed), bulk)
    Index("ix_listed_path", listed.c.path).create(connection)
    if connection.dialect.name == "postgresql":
        connection.execute(text("ANALYZE listed"))
    changed = _update_changed(connection, listed, source)
    new = _insert_new(connection, listed, source)
    gone = _forget_gone(connection, listed, source, wants)
    listed.drop(connection)
    return Changes(new, changed, gone)


def _temporary_table() -> Table:
    return Table(
        "listed",
        MetaData(),
        Column("path", Text, nullable=False),
        Column("size", BigInteger),
        Column("digests", Text, nullable=False),
        Column("places", Text),
        Column("is_metadata", Boolean, nullable=False),
        prefixes=["TEMPORARY"],
    )


def _update_changed(connection: Connection, listed: Table, source: int) -> int:
    is_same_file = (artifacts.c.source_id == source) & (artifacts.c.path == listed.c.path)
    is_other_content = or_(
        artifacts.c.size.is_distinct_from(listed.c.size),
        artifacts.c.digests != listed.c.digests,
    )
    unknown = {**found_values(None), "etag": None, "last_modified": None}
    changed = connection.execute(
        update(artifacts)
        .where(is_same_file, is_other_content)
        .values(
            size=listed.c.size,
            digests=listed.c.digests,
            state=MISSING,
            error_type=None,
            error=None,
            listed_at=time.time(),
            **unknown,
        )
    ).rowcount
    described: tuple[ColumnElement[bool], ...] = (
        artifacts.c.places.is_distinct_from(listed.c.places),
        artifacts.c.is_metadata != listed.c.is_metadata,
    )
    connection.execute(
        update(artifacts)
        .where(is_same_file, or_(*described))
        .values(places=listed.c.places, is_metadata=listed.c.is_metadata)
    )
    return changed


def _insert_new(connection: Connection, listed: Table, source: int) -> int:
    known = exists().where(artifacts.c.source_id == source, artifacts.c.path == listed.c.path)
    common: dict[str, Any] = {
        "source_id": source,
        "state": MISSING,
        "listed_at": time.time(),
    }
    names = [column.name for column in listed.columns]
    rows = select(*listed.columns, *(literal(value) for value in common.values())).where(~known)
    statement = insert(artifacts).from_select([*names, *common], rows)
    # Of an INSERT nobody asks how many rows it had, so SQLAlchemy keeps that only on demand.
    return connection.execute(statement.execution_options(preserve_rowcount=True)).rowcount


def _forget_gone(
    connection: Connection, listed: Table, source: int, wants: Callable[[str], bool]
) -> int:
    is_listed = exists().where(listed.c.path == artifacts.c.path)
    last, gone = "", 0
    while True:
        rows = connection.execute(
            select(artifacts.c.id, artifacts.c.path)
            .where(artifacts.c.source_id == source, artifacts.c.path > last, ~is_listed)
            .order_by(artifacts.c.path)
            .limit(BULK)
        ).all()
        if not rows:
            return gone
        last = rows[-1].path
        keys = [row.id for row in rows if wants(row.path)]
        connection.execute(delete(artifacts).where(artifacts.c.id.in_(keys)))
        gone += len(keys)
