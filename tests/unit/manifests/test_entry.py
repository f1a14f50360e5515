import pickle

import pytest

from pulp_download.manifests import ManifestEntry
from pulp_download.mirrors.mirror import Mirror
from pulp_download.paths import path_segments
from pulp_download.urls import URL


@pytest.mark.parametrize(
    ("path", "base", "source"),
    [
        ("a.rpm", "https://host/repo/list", "https://host/repo/a.rpm"),
        ("a.rpm", "https://host/repo/", "https://host/repo/a.rpm"),
        ("a.rpm", "https://host/repo", "https://host/a.rpm"),
        ("a.rpm", "https://host", "https://host/a.rpm"),
        ("pool/x/a.rpm", "https://host:8443/r/?token=t", "https://host:8443/r/pool/x/a.rpm"),
        ("a.rpm", "ftps://me:secret@host/r/", "ftps://host/r/a.rpm"),
        ("a.rpm", "file:///srv/a%20b/list", "file:///srv/a%20b/a.rpm"),
        ("a b#c?.rpm", "https://host/", "https://host/a%20b%23c%3F.rpm"),
        ("50%.rpm", "https://host/", "https://host/50%25.rpm"),
        ("x_1%3a2.deb", "https://host/", "https://host/x_1%253a2.deb"),
        ("%2e%2e/x", "https://host/r/", "https://host/r/%252e%252e/x"),
        ("http://x", "https://host/", "https://host/http%3A//x"),
        ("g++~1.deb", "https://host/", "https://host/g%2B%2B~1.deb"),
        ("é/日", "https://host/", "https://host/%C3%A9/%E6%97%A5"),
    ],
)
def test_a_path_is_resolved_against_the_folder_of_the_base(
    path: str, base: str, source: str
) -> None:
    assert ManifestEntry(path).source(URL.parse(base)) == source


@pytest.mark.parametrize("path", ["a b#c?.rpm", "50%.rpm", "%2e%2e/x", "ab:c", "g++", "é/日"])
def test_a_source_names_the_path_again_when_it_is_decoded(path: str) -> None:
    source = ManifestEntry(path).source(URL.parse("https://host/"))
    assert path_segments(URL.parse(source).path) == path


def test_an_absolute_url_is_its_own_source() -> None:
    entry = ManifestEntry("x/a", url="https://else.where/x/a?b=1")
    assert entry.source(URL.parse("https://host/")) == "https://else.where/x/a?b=1"


def test_repr_does_not_show_the_url_for_it_may_hold_a_password() -> None:
    entry = ManifestEntry("a", url="https://me:secret@host/a")
    assert "secret" not in repr(entry)


def test_an_entry_is_a_value_that_pickles() -> None:
    entry = ManifestEntry("a", size=1, digests=(("md5", "0" * 32),), line=3)
    assert pickle.loads(pickle.dumps(entry)) == entry
    assert hash(entry) == hash(pickle.loads(pickle.dumps(entry)))


def test_the_only_source_is_the_only_place() -> None:
    base = URL.parse("https://host/r/list")
    assert ManifestEntry("a b").places(base) == (Mirror("https://host/r/a%20b"),)
    assert ManifestEntry("a", url="ftp://x/y").places(base) == (Mirror("ftp://x/y"),)
    assert [entry.is_relative for entry in (ManifestEntry("a"), ManifestEntry("a", url="x:"))] == [
        True,
        False,
    ]


@pytest.mark.parametrize("base", ["https://host/r/", "https://host/r/x.meta4?t=1"])
def test_mirrors_are_the_places_and_relative_ones_stand_beside_the_list(base: str) -> None:
    absolute = Mirror("http://a.test/x", priority=1, is_learnt=True)
    relative = Mirror("sub/x", priority=7, location="de", is_learnt=True)
    assert ManifestEntry("a", mirrors=(absolute, relative)).places(URL.parse(base)) == (
        absolute,
        Mirror("https://host/r/sub/x", priority=7, location="de", is_learnt=True),
    )
    assert ManifestEntry("a", mirrors=(absolute, relative)).is_relative
    assert not ManifestEntry("a", mirrors=(absolute,)).is_relative
