"""Transactions of a catalog, and databases that cannot be one."""

import os
import threading
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text

from pulp_download.errors import CatalogError
from pulp_download.importer.catalog import Catalog
from pulp_download.importer.repository import Repository
from pulp_download.importer.schema import repositories
from tests.servers.postgresql import PostgreSQL
from tests.servers.program import free_port
from tests.unit.children import become_nobody, in_child
from tests.unit.importer.shelves import entry, known, listed, paths, present, rows, take

SECRET = "sEcret"


def refusal(url: str) -> str:
    """Return why a database cannot be opened, after a look for secrets."""
    with pytest.raises(CatalogError) as caught:
        Catalog(url)
    for told in (str(caught.value), repr(caught.value), caught.value.message):
        assert SECRET not in told
    return caught.value.message


def test_what_is_written_is_undone_by_an_exception(catalog: Catalog) -> None:
    with pytest.raises(ZeroDivisionError), catalog.writing() as connection:
        connection.execute(repositories.insert().values(destination="/srv"))
        raise ZeroDivisionError
    assert rows(catalog, select(repositories)) == []


@pytest.mark.need("S1")
def test_a_reader_is_not_held_up_by_a_writer(catalog: Catalog, repository: Repository) -> None:
    """As a streamer asks for a download while a run takes a list of a million files."""
    take(repository, "a")
    with catalog.writing() as connection:
        connection.execute(text("DELETE FROM artifacts"))
        assert known(repository, "a").path == "a"
        assert paths(repository.artifacts(known(repository, "a").source_key)) == ["a"]
    assert repository.artifact("a") is None


def test_a_reader_sees_one_moment(catalog: Catalog, repository: Repository) -> None:
    take(repository, "a")
    count = text("SELECT count(*) FROM artifacts")
    with catalog.reading() as connection:
        assert connection.execute(count).scalar() == 1
        take(repository, "a", "b")
        assert connection.execute(count).scalar() == 1
    with catalog.reading() as connection:
        assert connection.execute(count).scalar() == 2


def test_what_was_read_in_one_moment_may_be_written_in_the_next(catalog: Catalog) -> None:
    """Connections are used again, and keep nothing of how they were used before."""
    for _ in range(3):
        rows(catalog, select(repositories))
        with catalog.writing() as connection:
            connection.execute(text("UPDATE repositories SET destination = destination"))


def test_a_rehearsal_is_undone(catalog: Catalog, repository: Repository) -> None:
    take(repository, "a", "b")
    repository.record([present(known(repository, "a"))])
    before = listed(repository)
    with catalog.rehearsing():
        assert take(repository, entry("a", "f" * 64), "c") == (1, 1, 1)
        assert paths(listed(repository)) == ["a", "c"]
        assert repository.standing().files == {"present": 0, "missing": 2, "failed": 0}
        assert Repository(catalog, "/srv/new").standing().last_run is None
        repository.begin_run(before[0].source_key)
    assert listed(repository) == before
    assert repository.standing().last_run is None
    assert rows(catalog, select(repositories.c.destination)) == [("/srv/mirror",)]
    assert take(repository, "a", "b", "c") == (1, 0, 0)


def test_a_rehearsal_that_breaks_is_undone(catalog: Catalog, repository: Repository) -> None:
    take(repository, "a")
    with pytest.raises(ZeroDivisionError), catalog.rehearsing():
        take(repository)
        raise ZeroDivisionError
    assert paths(listed(repository)) == ["a"]


def test_a_passing_catalog_is_like_any_other_and_leaves_nothing(tmp_path: Path) -> None:
    with Catalog.passing() as catalog, catalog.rehearsing():
        repository = Repository(catalog, ".")
        assert take(repository, "a") == (1, 0, 0)
        assert paths(listed(repository)) == ["a"]
    with Catalog.passing() as catalog:
        assert rows(catalog, select(repositories)) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///", "sqlite:///:memory:"])
def test_a_database_without_a_file_is_one_for_all_threads(url: str) -> None:
    with Catalog(url) as catalog:
        repository = Repository(catalog, ".")
        take(repository, "a")
        found: list[Any] = []
        other = threading.Thread(target=lambda: found.append(repository.artifact("a")))
        other.start()
        other.join()
        assert paths(found) == ["a"]


def test_a_closed_one_may_be_closed_again(catalog: Catalog) -> None:
    catalog.close()
    catalog.close()


@pytest.mark.parametrize("name", ["what?", "a#b", "50%41", "file:x", "a b", "\u00e9", ":memory:"])
def test_a_file_may_have_any_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Catalog.in_file(name).close()
    assert os.listdir(tmp_path) == [name]
    folder = tmp_path / f"in {name}"
    folder.mkdir()
    Catalog.in_file(folder / "catalog.sqlite").close()
    assert os.listdir(folder) == ["catalog.sqlite"]


def test_a_file_is_written_ahead(tmp_path: Path) -> None:
    with Catalog.in_file(tmp_path / "c") as catalog, catalog.reading() as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
        assert connection.execute(text("PRAGMA foreign_keys")).scalar() == 1


# Databases that cannot be a catalog.


@pytest.mark.parametrize(
    "url",
    [
        "",
        "catalog.sqlite",
        f"postgresql+psycopg://me:{SECRET}@host:port/db",
        f"postgresql+psycopg://me:pass@{SECRET}@host/db",
        f"postgresql+psycopg://me:{SECRET}@[::1/db",
        f"://me:{SECRET}@host",
    ],
)
@pytest.mark.fault(224)
def test_what_is_no_url_is_refused(url: str) -> None:
    assert refusal(url) == "not a database URL, such as postgresql+psycopg://host/name"


@pytest.mark.parametrize("name", ["mysql", "oracle+oracledb", "nosuch", "http"])
@pytest.mark.fault(224)
def test_other_databases_are_refused(name: str) -> None:
    assert refusal(f"{name}://me:{SECRET}@host/db") == (
        f"a catalog is in SQLite or PostgreSQL, not in {name.partition('+')[0]}"
    )


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        (f"postgresql+nosuch://me:{SECRET}@host/db", "sqlalchemy.dialects:postgresql.nosuch"),
        ("sqlite+nosuch:///file", "sqlalchemy.dialects:sqlite.nosuch"),
        (f"postgresql+asyncpg://me:{SECRET}@host/db", "asyncpg"),
    ],
)
def test_a_driver_that_is_not_there_is_named(url: str, reason: str) -> None:
    message = refusal(url)
    assert message.startswith("no driver for this database URL (")
    assert reason in message


def test_options_that_mean_nothing_are_refused(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/c?timeout=soon"
    assert refusal(url) == "not usable options in this database URL"
    message = refusal(f"postgresql+psycopg://me:{SECRET}@127.0.0.1/db?nosuch=1")
    assert message == 'the catalog cannot be used: invalid connection option "nosuch"'


@pytest.mark.fault(132)
@pytest.mark.parametrize("at", [0, 16, 50, 99, 100, 4096, 5000])
def test_a_file_that_is_broken_is_refused(tmp_path: Path, at: int) -> None:
    path = tmp_path / "c"
    with Catalog.in_file(path) as catalog:
        take(Repository(catalog, "."), "a")
    path.write_bytes(path.read_bytes()[:at] + b"\xa5" * 9000)
    before = path.read_bytes()
    reason = "(file is not a database|database disk image is malformed|unsupported file format)"
    with pytest.raises(CatalogError, match=f"^the catalog cannot be used: {reason}"):
        listed(Repository(Catalog.in_file(path), "."))
    assert path.read_bytes() == before


def test_a_folder_in_its_place_is_refused(tmp_path: Path) -> None:
    reason = "the catalog cannot be used: unable to open database file"
    assert refusal(f"sqlite:///{tmp_path}") == reason


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert refusal(f"sqlite:///{tmp_path}/x/c") == f"no such folder: {tmp_path}/x"


@pytest.mark.fault(113)
def test_a_file_that_may_not_be_written_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "c"
    Catalog.in_file(path).close()
    path.chmod(0o444)

    def opened() -> str:
        become_nobody()
        return refusal(f"sqlite:///{path}")

    for folder in (tmp_path, *tmp_path.parents[:3]):
        folder.chmod(0o755)
    reason = "the catalog cannot be used: attempt to write a readonly database"
    assert in_child(opened) == reason


@pytest.mark.fault(224)
def test_a_server_that_is_not_there_is_a_clear_error() -> None:
    message = refusal(f"postgresql+psycopg://me:{SECRET}@127.0.0.1:{free_port()}/db")
    assert message.startswith("the catalog cannot be used: ")
    assert message.endswith("Connection refused")


@pytest.mark.fault(224)
def test_a_wrong_password_is_never_shown(postgresql: PostgreSQL) -> None:
    message = refusal(postgresql.url(password=SECRET))
    assert message.endswith('password authentication failed for user "keeper"')


def test_a_database_that_is_not_there_is_named(postgresql: PostgreSQL) -> None:
    assert refusal(postgresql.url("nowhere")).endswith('database "nowhere" does not exist')


def test_a_server_that_goes_is_an_error_and_one_that_is_back_is_used(
    postgresql: PostgreSQL,
) -> None:
    with postgresql.database() as url, Catalog(url) as catalog:
        repository = Repository(catalog, ".")
        take(repository, "a")
        with (
            pytest.raises(CatalogError, match=r"^the catalog cannot be used: "),
            catalog.writing() as connection,
        ):
            connection.execute(text("DELETE FROM artifacts"))
            pid = connection.execute(text("SELECT pg_backend_pid()")).scalar()
            postgresql.execute("SELECT pg_terminate_backend(%s, 10000)", pid)
            connection.execute(text("SELECT 1"))
        assert paths(listed(repository)) == ["a"]


@pytest.mark.fault(135)
def test_a_forked_process_has_connections_of_its_own(postgresql: PostgreSQL) -> None:
    query = text("SELECT pg_backend_pid()")

    def backend() -> int:
        with catalog.reading() as connection:
            return int(connection.execute(query).scalar_one())

    with postgresql.database() as url, Catalog(url) as catalog:
        own = backend()
        assert in_child(backend) != own
        assert in_child(backend) != own
        assert backend() == own


@pytest.mark.fault(135)
def test_a_forked_process_may_write_what_its_parent_reads(
    catalog: Catalog, repository: Repository
) -> None:
    take(repository, "a", "b")

    def in_the_fork() -> list[str]:
        repository.record([present(known(repository, "a"))])
        return paths(listed(repository))

    with catalog.reading():
        assert known(repository, "a").state == "missing"
        assert in_child(in_the_fork) == ["a", "b"]
    assert known(repository, "a").state == "present"
    assert take(repository, "a") == (0, 0, 1)
