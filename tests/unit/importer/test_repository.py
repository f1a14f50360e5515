"""Pages, results and standing of a destination."""

import threading

import pytest
from sqlalchemy import event, insert

from pulp_download.importer.artifact import Found
from pulp_download.importer.bulk import BULK
from pulp_download.importer.catalog import Catalog
from pulp_download.importer.repository import ListedBy, Outcome, Repository
from pulp_download.importer.schema import repositories, sources
from tests.servers.postgresql import PostgreSQL
from tests.unit.importer.shelves import HERE, THERE, entry, known, listed, paths, present, take

LARGEST = 2**63 - 1


def test_a_source_is_known_by_its_url_and_its_base_is_the_last_one(repository: Repository) -> None:
    key = repository.source(HERE)
    moved = ListedBy(HERE.url, "https://elsewhere.test/")
    assert repository.source(moved) == key
    assert repository.source(THERE) != key
    assert repository.listed_by(key) == moved


def test_a_destination_is_known_by_its_name(catalog: Catalog) -> None:
    take(Repository(catalog, "/srv/a"), "x")
    assert known(Repository(catalog, "/srv/a"), "x").path == "x"
    assert Repository(catalog, "/srv/b").artifact("x") is None


@pytest.mark.need("I4")
def test_artifacts_are_read_a_page_at_a_time_as_they_are_asked_for(
    catalog: Catalog, repository: Repository
) -> None:
    take(repository, *(f"{number:05}" for number in range(2 * BULK + 1)))
    source = repository.source(HERE)
    pages = []

    def executed(_: object, __: object, statement: str, *___: object) -> None:
        if statement.startswith("SELECT"):
            pages.append(statement)

    event.listen(catalog._engine, "before_cursor_execute", executed)
    artifacts = repository.artifacts(source)
    assert len(pages) == 0
    assert next(artifacts).path == "00000"
    assert len(pages) == 1
    names = [next(artifacts).path for _ in range(BULK)]
    assert (names[-1], len(pages)) == ("01000", 2)
    assert len(list(artifacts)) == BULK
    assert len(pages) == 4  # the third has one row, and the fourth none


@pytest.mark.need("I5")
def test_a_reading_is_complete_while_what_it_reads_is_written_down(repository: Repository) -> None:
    count = 2 * BULK + 7
    take(repository, *(f"{number:05}" for number in range(count)))
    seen = []
    outcomes = []
    for artifact in repository.artifacts(repository.source(HERE)):
        seen.append(artifact.path)
        outcomes.append(present(artifact))
        if len(outcomes) == 300:
            repository.record(outcomes)
            outcomes.clear()
    repository.record(outcomes)
    assert seen == [f"{number:05}" for number in range(count)]
    assert repository.standing().files == {"present": count, "missing": 0, "failed": 0}


def test_a_reading_goes_on_behind_what_is_forgotten_meanwhile(repository: Repository) -> None:
    names = [f"{number:05}" for number in range(BULK + 3)]
    take(repository, *names)
    artifacts = repository.artifacts(repository.source(HERE))
    next(artifacts)
    repository.forget(names[0])
    repository.forget(names[BULK])
    assert [artifact.path for artifact in artifacts] == [
        *names[1:BULK],
        names[BULK + 1],
        names[BULK + 2],
    ]


def test_metadata_and_the_rest_are_read_apart(repository: Repository) -> None:
    take(repository, "a", entry("Release", is_metadata=True), "b")
    source = repository.source(HERE)
    assert paths(repository.artifacts(source, metadata=True)) == ["Release"]
    assert paths(repository.artifacts(source, metadata=False)) == ["a", "b"]
    assert paths(repository.artifacts(source)) == ["Release", "a", "b"]


def test_a_result_is_linked_to_its_row(repository: Repository) -> None:
    take(repository, "a", "b", "c")
    found = Found(size=LARGEST, mtime_ns=-1, inode=2**64 - 1)
    repository.record(
        [
            Outcome(known(repository, "a").key, found, '"tag"', "Mon, 01 Jan 2024 00:00:00 GMT"),
            Outcome(known(repository, "b").key, None, error_type="NotFound", error="404: gone"),
        ]
    )
    a, b, c = (known(repository, path) for path in "abc")
    assert (a.state, a.found) == ("present", found)
    assert (a.etag, a.last_modified) == ('"tag"', "Mon, 01 Jan 2024 00:00:00 GMT")
    assert (b.state, b.found) == ("failed", None)
    assert (c.state, c.found) == ("missing", None)
    ((path, kind, error),) = repository.standing().failures
    assert (path, kind, error) == ("b", "NotFound", "404: gone")


@pytest.mark.parametrize("size", [0, LARGEST])
@pytest.mark.parametrize("mtime_ns", [-(2**63), -1, LARGEST])
@pytest.mark.parametrize("inode", [0, LARGEST, 2**63, 2**64 - 1])
def test_what_is_found_comes_back_to_the_last_bit(
    repository: Repository, size: int, mtime_ns: int, inode: int
) -> None:
    found = Found(size, mtime_ns, inode)
    take(repository, "f")
    repository.record([Outcome(known(repository, "f").key, found)])
    assert paths(each for each in listed(repository) if each.found == found) == ["f"]


@pytest.mark.parametrize("text", ['W/"\\"', "\x7f\t'", "\u2028 \U0001f4a9 é", "null", "[1]", ""])
def test_texts_come_back_as_they_were(repository: Repository, text: str) -> None:
    name = f"{text}/f"
    take(repository, name)
    repository.record([present(known(repository, name), etag=text, last_modified=text)])
    (back,) = listed(repository)
    assert (back.path, back.etag, back.last_modified) == (name, text, text)
    assert back.entry.is_metadata is False


def test_a_success_takes_the_last_failure_away(repository: Repository) -> None:
    take(repository, "a")
    key = known(repository, "a").key
    repository.record([Outcome(key, None, error_type="NotFound", error="404")])
    assert len(repository.standing().failures) == 1
    repository.record([present(known(repository, "a"))])
    assert repository.standing().failures == []
    assert known(repository, "a").state == "present"


def test_a_result_for_what_is_no_longer_listed_is_dropped(repository: Repository) -> None:
    take(repository, "a", "b")
    outcomes = [present(each) for each in listed(repository)]
    take(repository, "b")
    repository.record(outcomes)
    assert repository.artifact("a") is None
    assert known(repository, "b").state == "present"


def test_nothing_to_write_down_asks_nothing_of_the_database(
    catalog: Catalog, repository: Repository
) -> None:
    catalog.close()
    asked = []
    event.listen(catalog._engine, "begin", asked.append)
    repository.record([])
    assert asked == []


def test_the_standing_of_a_new_destination_is_all_nought(repository: Repository) -> None:
    standing = repository.standing()
    assert standing.files == {"present": 0, "missing": 0, "failed": 0}
    assert standing.bytes == {"present": 0, "missing": 0, "failed": 0}
    assert standing.last_run is None
    assert standing.failures == []


def test_the_standing_counts_files_and_bytes_by_state(repository: Repository) -> None:
    take(repository, entry("a", size=3), entry("b", size=5), entry("c", size=7), entry("d"))
    repository.record(
        [
            present(known(repository, "a")),
            Outcome(known(repository, "b").key, None, error_type="NotFound", error="404"),
        ]
    )
    standing = repository.standing()
    assert standing.files == {"present": 1, "missing": 2, "failed": 1}
    assert standing.bytes == {"present": 3, "missing": 7, "failed": 5}


def test_the_bytes_of_any_files_can_be_summed(repository: Repository) -> None:
    """A manifest may claim what it likes, and no ``status`` is to fail by it."""
    take(repository, *(entry(name, size=LARGEST) for name in "abc"))
    assert repository.standing().bytes["missing"] == 3 * LARGEST


def test_the_last_failures_come_first(repository: Repository) -> None:
    take(repository, *(f"{number:03}" for number in range(120)))
    for artifact in listed(repository):
        repository.record([Outcome(artifact.key, None, error_type="NotFound", error="404")])
    shown = [row.path for row in repository.standing().failures]
    assert shown == [f"{number:03}" for number in range(119, 19, -1)]


def test_the_last_run_is_told(repository: Repository) -> None:
    source = repository.source(HERE)
    first = repository.begin_run(source)
    repository.finish_run(first, {"downloaded": 1, "failed": 2})
    second = repository.begin_run(repository.source(THERE))
    last = repository.standing().last_run
    assert last is not None
    assert (last.id, last.finished, last.url) == (second, None, THERE.url)
    counts = {"downloaded": 3, "present": 4, "failed": 5, "deleted": 6, "bytes": LARGEST}
    repository.finish_run(second, counts)
    last = repository.standing().last_run
    assert last is not None
    assert last.finished >= last.started
    assert {name: getattr(last, name) for name in counts} == counts


def test_threads_may_write_and_read_at_once(repository: Repository) -> None:
    names = [f"{number:03}" for number in range(80)]
    take(repository, *names)
    failed: list[BaseException] = []
    together = threading.Barrier(8)

    def work(mine: list[str]) -> None:
        try:
            together.wait(30)
            for name in mine:
                repository.record([present(known(repository, name))])
                assert repository.listed([name]) == {name}
                assert known(repository, name).state == "present"
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(names[start::8],)) for start in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert repository.standing().files["present"] == 80


@pytest.mark.parametrize("what", ["destination", "source"])
def test_two_may_come_to_one_destination_or_source_at_once(
    postgresql: PostgreSQL, what: str
) -> None:
    """Neither sees the other's row before both have asked for it; one must wait, and take it."""
    with postgresql.database() as url, Catalog(url) as catalog:
        repository = Repository(catalog, "/srv/here")
        failed: list[BaseException] = []
        keys: list[int] = []

        def come() -> None:
            try:
                if what == "destination":
                    Repository(catalog, "/srv/new")
                else:
                    keys.append(repository.source(HERE))
            except BaseException as error:
                failed.append(error)

        other = threading.Thread(target=come)
        with catalog.writing() as connection:
            if what == "destination":
                row = insert(repositories).values(destination="/srv/new")
            else:
                values = {"repository_id": repository._key, "url": HERE.url, "base": "x"}
                row = insert(sources).values(values)
            key = connection.execute(row).inserted_primary_key
            other.start()
            wait_for_a_waiter(postgresql, other)
        other.join()
        assert failed == []
        assert keys == ([key[0]] if what == "source" and key else [])


def wait_for_a_waiter(server: PostgreSQL, waiter: threading.Thread) -> None:
    while waiter.is_alive():
        if server.execute("SELECT 1 FROM pg_locks WHERE NOT granted"):
            return
