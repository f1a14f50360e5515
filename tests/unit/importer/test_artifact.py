"""What a manifest says of a file and what is there, through the database and back."""

import itertools
import os
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from pulp_download import InvalidInput
from pulp_download.importer.artifact import Found, values_of
from pulp_download.importer.catalog import Catalog
from pulp_download.importer.repository import Outcome, Repository
from pulp_download.importer.schema import artifacts, sources
from pulp_download.manifests import ManifestEntry
from pulp_download.mirrors.mirror import Mirror
from pulp_download.paths import safe_path
from pulp_download.pieces import Pieces
from tests.unit.importer.shelves import OTHER, SHA256, entry, known, listed, rows, take

LARGEST = 2**63 - 1  # bytes that a manifest may say a file has

LENGTHS = {"md5": 32, "sha1": 40, "sha256": 64, "sha512": 128}

numbers = itertools.count()


def is_safe(path: str) -> bool:
    try:
        return safe_path(path) == path
    except InvalidInput:
        return False


def hexdigits(length: int) -> st.SearchStrategy[str]:
    return st.text("0123456789abcdef", min_size=length, max_size=length)


digests = st.fixed_dictionaries(
    {}, optional={name: hexdigits(length) for name, length in LENGTHS.items()}
).map(lambda found: tuple(sorted(found.items())))

urls = st.builds(
    "{}://{}.test/{}".format,
    st.sampled_from(["http", "https", "ftp"]),
    st.sampled_from(["a", "b.c", "xn--bcher-kva"]),
    st.text("abz019-._~%20/?&=+;,", max_size=20).map(lambda text: text.replace("%", "%25")),
)

mirrors = st.builds(
    Mirror,
    urls | st.sampled_from(["a b", "pool/50%25.deb", "caf\u00e9", "x?y=z"]),
    priority=st.integers(1, 999_999),
    location=st.none() | st.sampled_from(["de", "nz"]),
    is_learnt=st.booleans(),
)

pieces = st.builds(
    Pieces,
    st.just("sha1"),
    st.integers(1, LARGEST),
    st.lists(hexdigits(40), min_size=1, max_size=3).map(tuple),
)

paths = st.text(min_size=1, max_size=80).filter(is_safe) | st.sampled_from(
    [
        "a b",
        " ",
        "50%.rpm",
        "%s",
        ":name",
        "?",
        "'; DROP TABLE artifacts; --",
        '"quoted"',
        "a:b",
        "\u00e9\u0301/\U0001f4e6",
        "e\u0301",
        "\u202egpj.exe",
        "x" * 255,
        "/".join(["y" * 200] * 10),
    ]
)

entries = st.builds(
    ManifestEntry,
    paths,
    url=st.none() | urls,
    size=st.none() | st.sampled_from([0, 1, 2**31, 2**32, LARGEST]) | st.integers(0, LARGEST),
    digests=digests,
    mirrors=st.lists(mirrors, max_size=3).map(tuple),
    pieces=st.none() | pieces,
    is_metadata=st.booleans(),
)

anything = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@anything
@given(listing=st.lists(entries, max_size=12, unique_by=lambda each: each.path))
def test_what_a_manifest_says_comes_back_as_it_went_in(
    catalog: Catalog, listing: list[ManifestEntry]
) -> None:
    repository = Repository(catalog, f"/srv/{next(numbers)}")
    assert take(repository, *listing) == (len(listing), 0, 0)
    found = {artifact.path: artifact.entry for artifact in listed(repository)}
    assert found == {each.path: each for each in listing}
    assert all(known(repository, each.path).entry == each for each in listing)
    # what comes back is no change when it is listed again
    assert take(repository, *listing) == (0, 0, 0)


@anything
@given(
    size=st.integers(0, LARGEST),
    mtime_ns=st.integers(-(2**63), 2**63 - 1),
    inode=st.integers(0, 2**64 - 1) | st.sampled_from([2**63 - 1, 2**63, 2**64 - 1]),
)
def test_what_was_found_comes_back_as_it_went_in(
    catalog: Catalog, size: int, mtime_ns: int, inode: int
) -> None:
    repository = Repository(catalog, "/srv/found")
    take(repository, "a")
    found = Found(size, mtime_ns, inode)
    repository.record([Outcome(known(repository, "a").key, found)])
    assert known(repository, "a").found == found


@pytest.mark.parametrize("inode", [1, 2**63 - 1, 2**63, 2**64 - 1])
@pytest.mark.parametrize("seconds", [-(2**31) - 1, 0, 2**31, 13_569_465_600, 2**34 - 1])
def test_a_file_of_any_date_and_inode_is_known_again(
    repository: Repository, seconds: int, inode: int
) -> None:
    """Upstream's Last-Modified dates files: one of 2400 is 2**63 nanoseconds and more."""
    fields = (0o100644, inode, 1, 1, 0, 0, 3, 0, seconds, 0)
    facts = os.stat_result(fields, {"st_mtime_ns": seconds * 10**9})
    take(repository, "a")
    repository.record([Outcome(known(repository, "a").key, Found.of(facts))])
    assert known(repository, "a").found == Found.of(facts)


def test_the_order_of_digests_is_no_change(repository: Repository) -> None:
    both = (("sha256", SHA256), ("md5", "0" * 32))
    assert take(repository, ManifestEntry("a", digests=both)) == (1, 0, 0)
    assert take(repository, ManifestEntry("a", digests=both[::-1])) == (0, 0, 0)
    assert known(repository, "a").entry.digests == (("md5", "0" * 32), ("sha256", SHA256))


@pytest.mark.fault(227)
def test_userinfo_is_never_stored(catalog: Catalog, repository: Repository) -> None:
    mirror = Mirror("https://me:sEcret@mirror.test/a?b=c", priority=7, location="de")
    take(
        repository,
        entry("a", url="https://me:sEcret@upstream.test/x/a"),
        entry("b", url="ftp://:sEcret@upstream.test/b", mirrors=(mirror,)),
    )
    for table in (artifacts, sources):
        assert "sEcret" not in repr(rows(catalog, select(table)))
    assert known(repository, "a").entry.url == "https://upstream.test/x/a"
    assert known(repository, "b").entry.mirrors == (
        Mirror("https://mirror.test/a?b=c", priority=7, location="de"),
    )


def test_a_file_with_nothing_special_takes_no_room_for_its_places() -> None:
    assert values_of(ManifestEntry("a/b", size=3, digests=(("sha256", OTHER),), line=9)) == {
        "path": "a/b",
        "size": 3,
        "digests": f"sha256:{OTHER}",
        "places": None,
        "is_metadata": False,
    }


def test_an_artifact_is_told_as_its_path(repository: Repository) -> None:
    take(repository, replace(entry("a/b"), size=3))
    assert str(known(repository, "a/b")) == "a/b"
