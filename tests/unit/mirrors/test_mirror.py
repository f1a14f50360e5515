"""Mirrors as values."""

from __future__ import annotations

import pickle

import pytest

from pulp_download.errors import InvalidInput, InvalidURL
from pulp_download.mirrors.mirror import LOWEST_PRIORITY, Mirror, Mirrors, Relative, resolved
from pulp_download.urls import URL


def test_a_mirror_is_its_url_and_what_is_said_of_it() -> None:
    mirror = Mirror("https://me:secret@a.test/x", priority=2, location="DE")
    assert (str(mirror), mirror.priority, mirror.location) == ("https://a.test/x", 2, "de")
    assert mirror == pickle.loads(pickle.dumps(mirror))
    assert "secret" not in repr(mirror)
    assert mirror.without_credentials().absolute.credentials is None


@pytest.mark.parametrize("priority", [0, LOWEST_PRIORITY + 1, True, "1", 1.0])
def test_a_priority_is_a_whole_number_of_its_range(priority: int) -> None:
    with pytest.raises(InvalidInput, match="priority"):
        Mirror("http://a.test/", priority=priority)


def test_repeats_of_one_url_count_once_and_the_first_says_what_it_is() -> None:
    first = Mirror("http://a.test/x", priority=3)
    assert Mirrors([first, "http://b.test/x", "http://a.test/x"]) == (
        first,
        Mirror("http://b.test/x"),
    )


def test_a_file_that_is_nowhere_is_refused() -> None:
    with pytest.raises(InvalidInput, match="at least one"):
        Mirrors([])


def test_one_url_is_no_list_of_them() -> None:
    with pytest.raises(TypeError):
        Mirrors("http://a.test/x")


@pytest.mark.parametrize(
    ("base", "reference", "url"),
    [
        ("http://b.test", "a", "http://b.test/a"),
        ("http://b.test/repo", "pool/a", "http://b.test/repo/pool/a"),
        ("http://b.test/repo/", "pool/a", "http://b.test/repo/pool/a"),
        ("http://b.test/repo/?x=1", "a?y=2", "http://b.test/repo/a?y=2"),
        ("http://b.test/repo/", "1:2.deb", "http://b.test/repo/1:2.deb"),
        ("ftp://b.test/repo", "a%20b", "ftp://b.test/repo/a%20b"),
    ],
)
def test_a_relative_path_is_below_its_base_which_is_a_folder(
    base: str, reference: str, url: str
) -> None:
    assert str(Relative(reference).against(URL.parse(base))) == url


def test_the_credentials_of_a_base_are_for_what_is_below_it() -> None:
    below = Relative("a").against(URL.parse("http://me:secret@b.test/"))
    assert below.credentials == ("me", "secret")


@pytest.mark.parametrize(
    "reference",
    ["", "/a", "//b.test/a", "../a", "a/../b", "a/%2e%2E/b", "./a", "a\\b", "a\nb", "?a", "\ud800"],
)
def test_what_could_lead_out_of_a_base_is_no_relative_path(reference: str) -> None:
    with pytest.raises(InvalidURL):
        Relative(reference)


def test_a_relative_mirror_is_one_below_each_base_and_is_learnt_if_the_base_is() -> None:
    bases = [
        Mirror("http://a.test/r", priority=1, location="de"),
        Mirror("http://b.test/r", is_learnt=True),
    ]
    assert list(resolved([Mirror("x"), Mirror("http://c.test/x")], bases)) == [
        Mirror("http://a.test/r/x", priority=1, location="de"),
        Mirror("http://b.test/r/x", is_learnt=True),
        Mirror("http://c.test/x"),
    ]
