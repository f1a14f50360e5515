"""What is new, what has changed and what is gone when a source is listed again."""

from collections.abc import Iterator

import pytest
from sqlalchemy import select

from pulp_download.errors import CatalogError, ManifestError
from pulp_download.importer.bulk import BULK, in_bulk
from pulp_download.importer.catalog import Catalog
from pulp_download.importer.listing import Changes
from pulp_download.importer.repository import Repository
from pulp_download.importer.schema import artifacts
from pulp_download.manifests import ManifestEntry
from pulp_download.mirrors.mirror import Mirror
from tests.unit.importer.shelves import (
    HERE,
    OTHER,
    THERE,
    entry,
    everything,
    known,
    listed,
    paths,
    present,
    rows,
    take,
)


def test_it_is_told_what_is_new_changed_and_gone(repository: Repository) -> None:
    assert take(repository, "a", "b", "c") == Changes(new=3, changed=0, gone=0)
    assert take(repository, "a", entry("b", OTHER), "d") == Changes(new=1, changed=1, gone=1)
    assert take(repository, "a", entry("b", OTHER), "d") == Changes(new=0, changed=0, gone=0)
    assert paths(listed(repository)) == ["a", "b", "d"]
    assert repository.artifact("c") is None
    assert known(repository, "b").entry.digests == (("sha256", OTHER),)


def test_an_empty_list_forgets_all(repository: Repository) -> None:
    take(repository, "a", "b")
    assert take(repository) == Changes(new=0, changed=0, gone=2)
    assert listed(repository) == []


def test_what_has_not_changed_keeps_all_that_is_known_of_it(repository: Repository) -> None:
    take(repository, "a")
    repository.record([present(known(repository, "a"), etag='"x"', last_modified="today")])
    before = known(repository, "a")
    assert (before.state, before.etag, before.last_modified) == ("present", '"x"', "today")
    take(repository, "a", "b")
    assert known(repository, "a") == before


@pytest.mark.parametrize(
    "changed",
    [
        entry("a", OTHER, size=3),
        entry("a", size=4),
        entry("a"),
        ManifestEntry("a", size=3),
        ManifestEntry("a", size=3, digests=(("md5", "0" * 32),)),
    ],
)
def test_another_size_or_digest_is_another_file_of_which_nothing_is_known(
    repository: Repository, changed: ManifestEntry
) -> None:
    take(repository, entry("a", size=3))
    before = known(repository, "a")
    repository.record([present(before, etag='"x"', last_modified="today")])
    assert take(repository, changed) == Changes(new=0, changed=1, gone=0)
    after = known(repository, "a")
    assert (after.key, after.entry) == (before.key, changed)
    assert (after.state, after.found, after.etag, after.last_modified) == (
        "missing",
        None,
        None,
        None,
    )


def test_a_failure_of_what_has_changed_is_forgotten(
    catalog: Catalog, repository: Repository
) -> None:
    take(repository, "a")
    key = known(repository, "a").key
    repository.record([present(known(repository, "a"))._replace(found=None, error="no")])
    assert repository.standing().files == {"present": 0, "missing": 0, "failed": 1}
    take(repository, entry("a", OTHER))
    assert repository.standing().files == {"present": 0, "missing": 1, "failed": 0}
    query = select(artifacts.c.id, artifacts.c.error_type, artifacts.c.error)
    assert rows(catalog, query) == [(key, None, None)]


def test_other_places_of_the_same_file_do_not_make_it_missing(repository: Repository) -> None:
    take(repository, "a")
    repository.record([present(known(repository, "a"))])
    moved = entry("a", mirrors=(Mirror("https://m.test/a", priority=2),), is_metadata=True)
    assert take(repository, moved) == Changes(new=0, changed=0, gone=0)
    assert known(repository, "a").state == "present"
    assert known(repository, "a").entry == moved


def test_a_narrower_selection_forgets_nothing(repository: Repository) -> None:
    take(repository, "a/1", "a/2", "b/1")
    narrowed = take(repository, "a/1", wants=lambda path: path.startswith("a/"))
    assert narrowed == Changes(new=0, changed=0, gone=1)
    assert paths(listed(repository)) == ["a/1", "b/1"]


def test_a_source_forgets_only_what_it_has_listed_itself(repository: Repository) -> None:
    take(repository, "a", "b", by=HERE)
    assert take(repository, "c", by=THERE) == Changes(new=1, changed=0, gone=0)
    assert take(repository, "a", by=HERE) == Changes(new=0, changed=0, gone=1)
    assert paths(listed(repository, HERE)) == ["a"]
    assert paths(listed(repository, THERE)) == ["c"]
    assert repository.listed(["a", "b", "c", "d"]) == {"a", "c"}


def test_what_two_sources_list_stays_listed_until_both_list_it_no_more(
    repository: Repository,
) -> None:
    take(repository, "a", by=HERE)
    repository.record([present(known(repository, "a"))])
    assert take(repository, "a", by=THERE) == Changes(new=1, changed=0, gone=0)
    assert known(repository, "a").state == "present"
    assert known(repository, "a").source_key == repository.source(HERE)
    assert repository.standing().files == {"present": 1, "missing": 0, "failed": 0}
    assert take(repository, by=HERE) == Changes(new=0, changed=0, gone=1)
    assert repository.listed(["a"]) == {"a"}
    assert known(repository, "a").source_key == repository.source(THERE)
    assert take(repository, by=THERE) == Changes(new=0, changed=0, gone=1)
    assert repository.listed(["a"]) == set()


def test_two_destinations_in_one_database_know_nothing_of_each_other(catalog: Catalog) -> None:
    one, other = Repository(catalog, "/srv/one"), Repository(catalog, "/srv/other")
    take(one, "a", "b")
    assert take(other, entry("a", OTHER)) == Changes(new=1, changed=0, gone=0)
    one.record([present(known(one, "a"))])
    assert known(other, "a").state == "missing"
    assert take(other) == Changes(new=0, changed=0, gone=1)
    assert paths(listed(one)) == ["a", "b"]
    assert other.listed(["a"]) == set()
    assert one.standing().files == {"present": 1, "missing": 1, "failed": 0}
    assert other.standing().files == {"present": 0, "missing": 0, "failed": 0}


@pytest.mark.parametrize("error", [ManifestError("bad", line=3), KeyboardInterrupt(), OSError()])
@pytest.mark.parametrize("before_it", [0, 1, BULK + 1])
def test_a_list_that_breaks_leaves_the_catalog_as_it_was(
    repository: Repository, error: BaseException, before_it: int
) -> None:
    def broken() -> Iterator[ManifestEntry]:
        yield entry("a", OTHER)
        yield from (entry(f"new/{number}") for number in range(before_it))
        raise error

    take(repository, "a", "b")
    before = listed(repository)
    with pytest.raises(type(error)) as caught:
        repository.take(repository.source(HERE), broken(), wants=everything)
    assert caught.value is error
    assert listed(repository) == before
    assert take(repository, "a", "b", "c") == Changes(new=1, changed=0, gone=0)


def test_a_path_that_is_listed_twice_leaves_the_catalog_as_it_was(repository: Repository) -> None:
    """As by a caller's own entries; no manifest is let through with one."""
    take(repository, "a")
    with pytest.raises(CatalogError, match=r"(?i)the catalog cannot be used: .*unique"):
        take(repository, "b", "c", "b")
    assert paths(listed(repository)) == ["a"]


@pytest.mark.parametrize("count", [BULK - 1, BULK, BULK + 1, 2 * BULK])
def test_lists_of_any_length_are_taken_whole(repository: Repository, count: int) -> None:
    names = [f"{number:05}" for number in range(count)]
    assert take(repository, *names) == Changes(new=count, changed=0, gone=0)
    assert paths(listed(repository)) == names
    others = [entry(name, OTHER) for name in names]
    assert take(repository, *others) == Changes(new=0, changed=count, gone=0)
    assert take(repository, names[-1]) == Changes(new=0, changed=1, gone=count - 1)
    assert paths(listed(repository)) == names[-1:]


def test_items_are_gathered_no_faster_than_they_are_asked_for() -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for item in range(1, BULK * 3):
            taken.append(item)
            yield item

    bulks = in_bulk(items())
    assert next(bulks) == list(range(1, BULK + 1))
    assert len(taken) == BULK
    assert [len(bulk) for bulk in bulks] == [BULK, BULK - 1]
    assert list(in_bulk([])) == []
