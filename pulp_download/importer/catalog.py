"""The importer's database: what is listed, and what of it is there."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from sqlalchemy import URL as DatabaseURL
from sqlalchemy import Connection, Engine, StaticPool, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from pulp_download.errors import CatalogError
from pulp_download.importer.schema import MIGRATIONS, migrate
from pulp_download.printable import printable

# Seconds that a writer waits for another one's transaction; the longest takes in a whole manifest.
_BUSY_SECONDS = 60


class Catalog:
    """A database of artifacts, made or brought up to date when it is opened.

    ``url`` is SQLAlchemy's: ``sqlite:///file``, ``postgresql+psycopg://user@host/name``. A SQLite
    file is written ahead (WAL), so that it is read while a run writes, and always opens after a
    kill. Thread-safe; whoever makes it closes it. Raises CatalogError; no error shows a password.
    """

    def __init__(
        self, url: str, *, migrations: Sequence[Callable[[Connection], None]] = MIGRATIONS
    ):
        self._engine = _engine(url)
        self._rehearsal: Connection | None = None
        try:
            with self.writing() as connection:
                migrate(connection, migrations)
        except BaseException:
            self.close()
            raise

    @classmethod
    def in_file(cls, path: str | os.PathLike[str]) -> Self:
        """Open the catalog in a SQLite file, made if it is not there."""
        return cls(DatabaseURL.create("sqlite", database=os.fspath(path)).render_as_string())

    @classmethod
    def passing(cls) -> Self:
        """Open one that vanishes when it is closed, in memory as far as it is small."""
        return cls("sqlite://")

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Enter a transaction that writes; committed at the end, undone by an exception."""
        with _translated():
            if self._rehearsal is not None:
                yield self._rehearsal
                return
            with self._engine.begin() as connection:
                yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Enter a transaction that only reads, of one moment's state, and disturbs nobody."""
        with _translated():
            if self._rehearsal is not None:
                yield self._rehearsal
                return
            with self._engine.connect() as connection:
                yield connection.execution_options(pulp_reads=True)

    @contextmanager
    def rehearsing(self) -> Iterator[None]:
        """Have all that is written in this block undone at its end. For one thread alone."""
        with _translated(), self._engine.connect() as connection:
            transaction = connection.begin()
            self._rehearsal = connection
            try:
                yield
            finally:
                self._rehearsal = None
                transaction.rollback()

    def close(self) -> None:
        """Close the connections; a second call does nothing."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def is_made(url: str) -> bool:
    """Tell whether a database is there, as far as can be told without opening it."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        return True  # as whoever opens it is told
    is_file = parsed.get_backend_name() == "sqlite" and parsed.database is not None
    return not is_file or Path(str(parsed.database)).exists()


def _engine(url: str) -> Engine:
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() not in ("sqlite", "postgresql"):
            raise CatalogError(
                f"a catalog is in SQLite or PostgreSQL, not in {parsed.get_backend_name()}"
            )
        if parsed.get_backend_name() == "postgresql":
            return create_engine(parsed, pool_pre_ping=True)
        return _sqlite(parsed)
    except ArgumentError:
        raise CatalogError("not a database URL, such as postgresql+psycopg://host/name") from None
    except (NoSuchModuleError, ImportError) as error:
        raise CatalogError(f"no driver for this database URL ({printable(str(error))})") from None


def _sqlite(url: DatabaseURL) -> Engine:
    """Return an engine whose transactions are SQLAlchemy's own, not guessed by the driver."""
    if url.database is None:
        engine = create_engine(
            url,
            creator=lambda: sqlite3.connect("", isolation_level=None, check_same_thread=False),
            poolclass=StaticPool,
        )
    else:
        parent = Path(url.database).parent
        if not parent.is_dir():
            raise CatalogError(f"no such folder: {printable(str(parent))}")
        options = {"isolation_level": None, "timeout": _BUSY_SECONDS}
        engine = create_engine(url, connect_args=options)

    @event.listens_for(engine, "connect")
    def _connected(connection: sqlite3.Connection, _: object) -> None:
        for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "foreign_keys = ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begun(connection: Connection) -> None:
        # A reader that comes to write while others wrote would be refused at once: say so before.
        reads = connection.get_execution_options().get("pulp_reads", False)
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")

    return engine


@contextmanager
def _translated() -> Iterator[None]:
    """Tell what the database says, without the statement and its values."""
    try:
        yield
    except SQLAlchemyError as error:
        told: Any = getattr(error, "orig", None) or error
        reason = printable(str(told).strip().splitlines()[0] if str(told) else type(told).__name__)
        raise CatalogError(f"the catalog cannot be used: {reason}") from None
