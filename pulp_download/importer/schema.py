"""The tables of a catalog, and how older ones become these.

::

    repositories --< sources --< artifacts      what is listed, by whom, and what is there
                        |
                        `------< runs           what synchronisations came to

A repository is a destination; several may share one database. The schema's version is in the
database; what an older release made is brought up to date when it is opened, by
:data:`MIGRATIONS`, one step a version, all in one transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    func,
    insert,
    inspect,
    select,
    update,
)

from pulp_download.errors import CatalogError

METADATA = MetaData()

# SQLite numbers rows by itself only if the column's type is exactly INTEGER, of 64 bits there.
_KEY = BigInteger().with_variant(Integer, "sqlite")

# Epoch seconds.
_TIME = Double

MISSING, PRESENT, FAILED = "missing", "present", "failed"
STATES = (PRESENT, MISSING, FAILED)

repositories = Table(
    "repositories",
    METADATA,
    Column("id", _KEY, primary_key=True),
    Column("destination", Text, nullable=False, unique=True),
)

sources = Table(
    "sources",
    METADATA,
    Column("id", _KEY, primary_key=True),
    Column("repository_id", _KEY, ForeignKey("repositories.id"), nullable=False),
    # where its manifest is, without userinfo, and what its relative names are below
    Column("url", Text, nullable=False),
    Column("base", Text, nullable=False),
    UniqueConstraint("repository_id", "url"),
)

artifacts = Table(
    "artifacts",
    METADATA,
    Column("id", _KEY, primary_key=True),
    Column("repository_id", _KEY, ForeignKey("repositories.id"), nullable=False),
    Column("source_id", _KEY, ForeignKey("sources.id"), nullable=False),
    Column("path", Text, nullable=False),
    # as the manifest has them: bytes, "algorithm:hex" one a line, the rest as JSON
    Column("size", BigInteger),
    Column("digests", Text, nullable=False, default=""),
    Column("places", Text),
    Column("is_metadata", Boolean, nullable=False, default=False),
    Column("state", String(8), nullable=False, default=MISSING),
    # what was there when the file was last known to be right
    Column("found_size", BigInteger),
    Column("mtime_ns", BigInteger),
    Column("inode", BigInteger),
    # what upstream said of it
    Column("etag", Text),
    Column("last_modified", Text),
    Column("error_type", Text),
    Column("error", Text),
    Column("listed_at", _TIME, nullable=False),
    Column("tried_at", _TIME),
    UniqueConstraint("repository_id", "path"),
    # for pages in the order of keys, of which none sorts the rest
    Index("ix_artifacts_source_id_id", "source_id", "id"),
)

runs = Table(
    "runs",
    METADATA,
    Column("id", _KEY, primary_key=True),
    Column("source_id", _KEY, ForeignKey("sources.id"), nullable=False, index=True),
    Column("started", _TIME, nullable=False),
    Column("finished", _TIME),
    Column("downloaded", BigInteger, nullable=False, default=0),
    Column("present", BigInteger, nullable=False, default=0),
    Column("failed", BigInteger, nullable=False, default=0),
    Column("deleted", BigInteger, nullable=False, default=0),
    Column("bytes", BigInteger, nullable=False, default=0),
)

# Apart from the others: how it looks is the same in all versions, for ever.
_STAMP = Table("pulp_download_schema", MetaData(), Column("version", Integer, nullable=False))

# A step brings a schema of the version that is its place in the list to the next one.
MIGRATIONS: Sequence[Callable[[Connection], None]] = (METADATA.create_all,)

# Any number that no other program locks; "pulp" in ASCII.
_ADVISORY_LOCK = 0x70756C70


def migrate(connection: Connection, migrations: Sequence[Callable[[Connection], None]]) -> None:
    """Bring the database to the last version, within the caller's transaction.

    Raises CatalogError for a newer version, and for tables that no release has stamped.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_ADVISORY_LOCK)))
    there = inspect(connection)
    if not there.has_table(_STAMP.name):
        known = sorted(name for name in METADATA.tables if there.has_table(name))
        if known:
            raise CatalogError(f"the database has a table {known[0]!r} that is not of a catalog")
        _STAMP.create(connection)
        connection.execute(insert(_STAMP).values(version=0))
    version = connection.execute(select(_STAMP.c.version)).scalar_one()
    if version > len(migrations):
        raise CatalogError(
            f"made by a newer release (schema {version}; this one knows {len(migrations)})"
        )
    for step in migrations[version:]:
        step(connection)
    if version < len(migrations):
        connection.execute(update(_STAMP).values(version=len(migrations)))
