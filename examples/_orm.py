"""A stand-in for the ORM of a web framework: a table of artifacts, over ``sqlite3``.

Three methods of a Django query set, and no more: ``filter(column=value)``, ``iterator()``, which
reads from a cursor as it goes, and ``update(column=value)``, which writes at once.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple


class Artifact(NamedTuple):
    """A row: one file of an upstream, and what is known of the copy."""

    pk: int
    url: str
    path: str
    size: int
    sha256: str
    state: str = "missing"
    file: str | None = None
    error: str | None = None


@dataclass(frozen=True)
class QuerySet:
    """Rows of the table; nothing is read before it is iterated."""

    database: sqlite3.Connection
    conditions: tuple[tuple[str, Any], ...] = ()

    def filter(self, **conditions: Any) -> QuerySet:
        return replace(self, conditions=(*self.conditions, *conditions.items()))

    def iterator(self) -> Iterator[Artifact]:
        where, values = self._where()
        cursor = self.database.execute(f"SELECT * FROM artifact {where} ORDER BY pk", values)
        return (Artifact(*row) for row in cursor)

    def update(self, **values: Any) -> int:
        where, names = self._where()
        columns = ", ".join(f"{name} = ?" for name in values)
        statement = f"UPDATE artifact SET {columns} {where}"
        return self.database.execute(statement, (*values.values(), *names)).rowcount

    def _where(self) -> tuple[str, tuple[Any, ...]]:
        tests = " AND ".join(f"{name} = ?" for name, _ in self.conditions)
        return f"WHERE {tests}" if tests else "", tuple(value for _, value in self.conditions)


def artifacts_in(file: Path) -> QuerySet:
    """Open a database with an empty table, each update a transaction of its own."""
    database = sqlite3.connect(file, isolation_level=None)
    columns = "pk INTEGER PRIMARY KEY, url, path, size, sha256, state, file, error"
    database.execute(f"CREATE TABLE artifact ({columns})")
    return QuerySet(database)


def add(artifacts: QuerySet, *rows: Artifact) -> None:
    places = ", ".join("?" for _ in Artifact._fields)
    artifacts.database.executemany(f"INSERT INTO artifact VALUES ({places})", rows)
