"""Many rows of one statement.

SQLite's driver gives up the interpreter's lock for each row that it reads or writes, and has it
back when a batch that is under way lets go of it: a row took 75 microseconds so, more than a third
of a small file (measured). So rows that are read or updated beside a batch go through as one JSON
text, in one step.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from operator import itemgetter
from typing import Any, TypeVar

from sqlalchemy import Connection, Insert, Select, Table, Update, bindparam, func, select, update
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


def fetch_many(connection: Connection, page: Select[Any]) -> Sequence[Sequence[Any]]:
    """Return the rows of a query that has a limit, in its order.

    Values are as the database has them: SQLite's truth values are numbers.
    """
    if connection.dialect.name != "sqlite":
        return connection.execute(page).all()
    rows = select(func.json_group_array(func.json_array(*page.subquery().columns)))
    found: list[list[Any]] = json.loads(connection.execute(rows).scalar_one())
    return found


def update_many(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Set columns of rows, whose ``id`` is their ``key``; see :func:`execute_many`."""
    names = [name for name in rows[0] if name != "key"]
    if connection.dialect.name != "sqlite":
        values: dict[str, Any] = {name: bindparam(name) for name in names}
        one = update(table).where(table.c.id == bindparam("key")).values(values)
        execute_many(connection, one, rows)
        return
    in_order = itemgetter("key", *names)
    text = json.dumps([in_order(row) for row in rows], ensure_ascii=False)
    row = func.json_each(text).table_valued("value").c.value
    given = {name: func.json_extract(row, f"$[{at}]") for at, name in enumerate(names, 1)}
    key = func.json_extract(row, "$[0]")
    connection.execute(update(table).where(table.c.id == key).values(given))
