"""The importer's database: what is listed, and what of it is there."""

from __future__ import annotations

import os
import sqlite3
import time
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
# Seconds between two looks at whether it is over, where SQLite does not wait by itself.
_LOOK = 0.01

# Connections to a SQLite file that are kept, for a streamer's threads; to open one costs more than
# to look a file up.
_POOL = 20

# What makes a transaction one that reads, of one moment: SQLite's do that by themselves.
_READING: dict[str, dict[str, Any]] = {
    "sqlite": {"pulp_reads": True},
    "postgresql": {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True},
}


class Catalog:
    """A database of artifacts, made or brought up to date when it is opened.

    ``url`` is SQLAlchemy's: ``sqlite:///file``, ``postgresql+psycopg://user@host/name``. A SQLite
    file is written ahead (WAL), so that it is read while a run writes, and always opens after a
    kill. Thread-safe; after a fork the child has connections of its own. Whoever makes it closes
    it. Raises CatalogError; no error shows a password.
    """

    def __init__(
        self,
        url: str | DatabaseURL,
        *,
        migrations: Sequence[Callable[[Connection], None]] = MIGRATIONS,
    ):
        self._made = _engine(url)
        self._owner = os.getpid()
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
        # absolute, for ":memory:" and "file:..." mean something else to SQLite
        return cls(DatabaseURL.create("sqlite", database=os.path.abspath(path)))

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
                yield connection.execution_options(**_READING[connection.dialect.name])

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

    @property
    def _engine(self) -> Engine:
        if self._owner != os.getpid():
            # forked: two who speak on one connection get each other's answers
            self._made.dispose(close=False)
            self._owner = os.getpid()
        return self._made

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def is_made(url: str) -> bool:
    """Tell whether a database is there, as far as can be told without opening it.

    Raises CatalogError for what is no database URL.
    """
    parsed = _parsed(url)
    is_file = parsed.get_backend_name() == "sqlite" and parsed.database is not None
    return not is_file or Path(str(parsed.database)).exists()


def _engine(url: str | DatabaseURL) -> Engine:
    parsed = _parsed(url)
    backend = parsed.get_backend_name()
    if backend not in ("sqlite", "postgresql"):
        raise CatalogError(f"a catalog is in SQLite or PostgreSQL, not in {printable(backend)}")
    try:
        if backend == "postgresql":
            return create_engine(parsed, pool_pre_ping=True)
        return _sqlite(parsed)
    except (NoSuchModuleError, ImportError) as error:
        raise CatalogError(f"no driver for this database URL ({printable(str(error))})") from None
    except (ArgumentError, ValueError):
        raise CatalogError("not usable options in this database URL") from None


def _parsed(url: str | DatabaseURL) -> DatabaseURL:
    try:
        parsed = make_url(url)
        # An @ in a password that should be %40 would make a host of its rest, for all to see.
        if "@" not in (parsed.host or ""):
            return parsed
    except (ArgumentError, ValueError):  # the second for ports
        pass
    raise CatalogError("not a database URL, such as postgresql+psycopg://host/name")


def _sqlite(url: DatabaseURL) -> Engine:
    """Return an engine whose transactions are SQLAlchemy's own, not guessed by the driver."""
    if url.database in (None, "", ":memory:"):
        engine = create_engine(
            url,
            creator=lambda: sqlite3.connect("", isolation_level=None, check_same_thread=False),
            poolclass=StaticPool,
        )
    else:
        parent = Path(url.database or "").parent
        if not parent.is_dir():
            raise CatalogError(f"no such folder: {printable(str(parent))}")
        options = {"isolation_level": None, "timeout": _BUSY_SECONDS}
        engine = create_engine(url, connect_args=options, pool_size=_POOL)

    @event.listens_for(engine, "connect")
    def _connected(connection: sqlite3.Connection, _: object) -> None:
        _write_ahead(connection)
        for pragma in ("synchronous = NORMAL", "foreign_keys = ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begun(connection: Connection) -> None:
        # A reader that comes to write while others wrote would be refused at once: say so before.
        reads = connection.get_execution_options().get("pulp_reads", False)
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")

    return engine


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Switch the write-ahead log on.

    For that SQLite does not wait for somebody who writes at this moment, or who is switching it on.
    """
    deadline = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(_LOOK)


@contextmanager
def _translated() -> Iterator[None]:
    """Tell what the database says, without the statement and its values."""
    try:
        yield
    except SQLAlchemyError as error:
        told: Any = getattr(error, "orig", None) or error
        reason = printable(str(told).strip().splitlines()[0] if str(told) else type(told).__name__)
        raise CatalogError(f"the catalog cannot be used: {reason}") from None
