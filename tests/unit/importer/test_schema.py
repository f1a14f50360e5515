"""Databases of other versions, of other programs, and of two processes at once."""

import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect, text

from pulp_download.errors import CatalogError
from pulp_download.importer.catalog import Catalog
from pulp_download.importer.repository import Repository
from pulp_download.importer.schema import MIGRATIONS
from tests.unit.importer.shelves import doing, known, take

ROOT = Path(__file__).parents[3]

FIRST = doing("CREATE TABLE one (a INTEGER)")
SECOND = doing("ALTER TABLE one ADD COLUMN b INTEGER DEFAULT 7")
THIRD = doing("INSERT INTO one (a) VALUES (3)")
BROKEN = doing("INSERT INTO one (nothing) VALUES (3)")


def found(database: str, statement: str) -> list[tuple[object, ...]]:
    """Return what another program finds in a database."""
    engine = create_engine(database)
    try:
        with engine.begin() as connection:
            result = connection.execute(text(statement))
            return [tuple(row) for row in result] if result.returns_rows else []
    finally:
        engine.dispose()


def tables(database: str) -> list[str]:
    engine = create_engine(database)
    try:
        return sorted(inspect(engine).get_table_names())
    finally:
        engine.dispose()


def version(database: str) -> int:
    ((number,),) = found(database, "SELECT version FROM pulp_download_schema")
    assert isinstance(number, int)
    return number


def test_a_new_database_gets_all_tables_and_a_stamp(database: str) -> None:
    Catalog(database).close()
    names = "artifacts pulp_download_schema repositories runs sources"
    assert tables(database) == names.split()
    assert version(database) == len(MIGRATIONS) == 1


def test_what_is_known_is_there_when_it_is_opened_again(database: str) -> None:
    with Catalog(database) as catalog:
        take(Repository(catalog, "/srv"), "a")
    with Catalog(database) as catalog:
        assert known(Repository(catalog, "/srv"), "a").state == "missing"


def test_an_older_one_is_brought_up_to_date_by_the_steps_it_lacks(database: str) -> None:
    Catalog(database, migrations=[FIRST]).close()
    assert version(database) == 1
    found(database, "INSERT INTO one (a) VALUES (1)")
    Catalog(database, migrations=[FIRST, SECOND, THIRD]).close()
    assert version(database) == 3
    assert sorted(found(database, "SELECT a, b FROM one")) == [(1, 7), (3, 7)]
    Catalog(database, migrations=[FIRST, SECOND, THIRD]).close()  # no step is taken twice
    assert sorted(found(database, "SELECT a, b FROM one")) == [(1, 7), (3, 7)]


def test_a_step_that_fails_leaves_the_version_that_was_there(database: str) -> None:
    Catalog(database, migrations=[FIRST]).close()
    with pytest.raises(CatalogError, match=r"the catalog cannot be used: .*nothing"):
        Catalog(database, migrations=[FIRST, SECOND, BROKEN])
    assert version(database) == 1
    assert found(database, "SELECT * FROM one") == []
    Catalog(database, migrations=[FIRST, SECOND]).close()
    assert version(database) == 2


def test_a_first_opening_that_fails_leaves_nothing(database: str) -> None:
    with pytest.raises(CatalogError):
        Catalog(database, migrations=[FIRST, BROKEN])
    assert tables(database) == []


def test_one_of_a_newer_release_is_refused_and_left_as_it_is(database: str) -> None:
    Catalog(database).close()
    found(database, "UPDATE pulp_download_schema SET version = 7")
    before = tables(database)
    with pytest.raises(CatalogError) as caught:
        Catalog(database)
    assert str(caught.value) == "made by a newer release (schema 7; this one knows 1)"
    assert tables(database) == before
    assert version(database) == 7


def test_tables_of_another_program_are_refused_and_left_as_they_are(database: str) -> None:
    found(database, "CREATE TABLE sources (theirs INTEGER)")
    with pytest.raises(CatalogError) as caught:
        Catalog(database)
    assert str(caught.value) == "the database has a table 'sources' that is not of a catalog"
    assert tables(database) == ["sources"]


def test_tables_with_other_names_are_none_of_our_business(database: str) -> None:
    found(database, "CREATE TABLE theirs (a INTEGER)")
    Catalog(database).close()
    assert "theirs" in tables(database)


OPENS = """
import sys
from pulp_download.importer.catalog import Catalog
from pulp_download.importer.repository import Repository
print("ready", flush=True)
sys.stdin.readline()
with Catalog(sys.argv[1]) as catalog:
    Repository(catalog, "/srv/mirror")
"""


def test_one_that_somebody_writes_to_for_the_first_time_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite"
    failures: list[BaseException] = []

    def open_it() -> None:
        try:
            Catalog(f"sqlite:///{path}").close()
        except CatalogError as error:
            failures.append(error)

    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        opening = threading.Thread(target=open_it)
        opening.start()
        opening.join(0.5)  # who does not wait has failed by then
        is_waiting = opening.is_alive()
        other.execute("COMMIT")
    opening.join()
    assert (is_waiting, failures) == (True, [])
    assert version(f"sqlite:///{path}") == 1


def test_several_processes_may_open_a_new_database_at_once(database: str) -> None:
    children = [
        subprocess.Popen(
            [sys.executable, "-c", OPENS, database],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    for child in children:
        _, complaint = child.communicate()
        assert (child.returncode, complaint) == (0, "")
    assert version(database) == 1
    assert found(database, "SELECT destination FROM repositories") == [("/srv/mirror",)]
