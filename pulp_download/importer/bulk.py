"""Many rows of one statement."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from operator import itemgetter
from typing import Any, TypeVar

from sqlalchemy import Connection, Insert, Update
from sqlalchemy.sql.compiler import SQLCompiler

# Rows of one statement; a thousand take as long a row as ten thousand (measured on SQLite).
BULK = 1000

Item = TypeVar("Item")


def in_bulk(items: Iterable[Item]) -> Iterator[list[Item]]:
    """Yield the items in lists of BULK, the last one shorter."""
    rest = iter(items)
    while bulk := list(islice(rest, BULK)):
        yield bulk


def execute_many(
    connection: Connection, statement: Insert | Update, rows: Sequence[Mapping[str, Any]]
) -> None:
    """Execute a statement for each of one or more rows, which have the same keys.

    The driver gets their values as they are: SQLAlchemy's own look at each of them takes longer
    than the database. They must be of types that need none: numbers, text, truth values, None.
    """
    compiled = statement.compile(dialect=connection.dialect, column_keys=list(rows[0]))
    assert isinstance(compiled, SQLCompiler)
    values: Any = rows
    if compiled.positiontup is not None:
        values = list(map(itemgetter(*compiled.positiontup), rows))
    connection.exec_driver_sql(str(compiled), values)
