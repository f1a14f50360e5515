from collections.abc import Iterator
from contextlib import closing

import pytest

from pulp_download.manifests import ManifestEntry
from pulp_download.manifests.names import Clash, Names, Totals, folded


def settled(*paths: str) -> Clash | Totals:
    with closing(Names()) as names:
        names.add_all(ManifestEntry(path, line=line) for line, path in enumerate(paths, 1))
        return names.settled()


@pytest.mark.fault(121)
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("README", "readme"),
        ("caf\u00e9", "cafe\u0301"),
        ("CAF\u00c9", "cafe\u0301"),
        ("stra\u00dfe", "STRASSE"),
        ("\u212b", "\u00e5"),
        ("\u03a3\u03c2", "\u03c3\u03c3"),
        ("\u0345\u0301", "\u0301\u03b9"),
        ("a/B", "A/b"),
    ],
)
def test_names_that_some_file_system_takes_for_one_are_folded_alike(one: str, other: str) -> None:
    assert folded(one) == folded(other)
    assert settled("x", one, "y", other) == Clash(2, 4)


@pytest.mark.fault(121)
@pytest.mark.parametrize(
    ("one", "other"),
    [("a", "b"), ("e", "\u00e9"), ("\uff41", "a"), ("i", "\u0131"), ("a/b", "ab"), ("a.b", "a/b")],
)
def test_other_names_are_not(one: str, other: str) -> None:
    assert folded(one) != folded(other)
    assert settled(one, other) == Totals(2, None, 0)


@pytest.mark.fault(115)
@pytest.mark.parametrize(
    "paths",
    [
        ("a", "a/b"),
        ("a/b", "a"),
        ("A", "a/b"),
        ("a/b/c/d", "a"),
        ("a/b", "a/b/c/d"),
        ("caf\u00e9/x", "cafe\u0301"),
    ],
)
@pytest.mark.parametrize("others", [(), ("a!", "a-", "a.b", "a0", "aa", "a b", "a\u00e9")])
def test_a_name_that_is_the_folder_of_another_clashes(
    paths: tuple[str, str], others: tuple[str, ...]
) -> None:
    assert isinstance(settled(*paths), Clash)
    assert settled(paths[0], *others, paths[1]) == Clash(1, len(others) + 2)


@pytest.mark.fault(115)
def test_names_that_only_begin_alike_do_not_clash() -> None:
    paths = ["a", "a.b/c", "a-/b", "a /b", "aa/a", "b/a", "b/aa", "b/a.x", "b/a!/c"]
    assert settled(*paths) == Totals(9, None, 0)


def test_entries_that_say_the_same_of_the_same_name_are_repeats() -> None:
    entries = [
        ManifestEntry("a", size=3, digests=(("md5", "1"), ("sha1", "2")), line=1),
        ManifestEntry("b", size=4, line=2),
        ManifestEntry("a", size=3, digests=(("sha1", "2"), ("md5", "1")), line=3),
        ManifestEntry("b", size=4, line=4),
        ManifestEntry("a", size=3, digests=(("md5", "1"), ("sha1", "2")), line=5),
    ]
    with closing(Names()) as names:
        names.add_all(entries)
        assert names.settled() == Totals(2, 7, 3)
        assert list(names.repeats()) == [3, 4, 5]


@pytest.mark.parametrize(
    "other",
    [
        ManifestEntry("a", size=4, digests=(("md5", "1"),), line=2),
        ManifestEntry("a", size=None, digests=(("md5", "1"),), line=2),
        ManifestEntry("a", size=3, digests=(("md5", "2"),), line=2),
        ManifestEntry("a", size=3, digests=(("sha1", "1"),), line=2),
        ManifestEntry("a", size=3, line=2),
        ManifestEntry("a", size=3, digests=(("md5", "1"),), url="http://x/a", line=2),
    ],
)
def test_different_entries_with_one_name_clash(other: ManifestEntry) -> None:
    with closing(Names()) as names:
        names.add_all([ManifestEntry("a", size=3, digests=(("md5", "1"),), line=1), other])
        assert names.settled() == Clash(1, 2)


def test_the_largest_sizes_are_summed_up() -> None:
    with closing(Names()) as names:
        names.add_all(ManifestEntry(f"{n}", size=2**63 - 1, line=n) for n in (1, 2, 3))
        assert names.settled() == Totals(3, 3 * (2**63 - 1), 0)


def test_no_names_are_fine() -> None:
    assert settled() == Totals(0, 0, 0)


def test_an_error_of_the_iterable_comes_through_as_itself() -> None:
    def broken() -> Iterator[ManifestEntry]:
        yield ManifestEntry("a", line=1)
        raise KeyError("mine")

    with closing(Names()) as names, pytest.raises(KeyError, match="mine"):
        names.add_all(broken())
