"""Where a manifest stands in the repository that it describes."""

from __future__ import annotations

import pytest

from pulp_download.manifests.layout import folder_of_names, has_lists, is_published, placed


@pytest.mark.parametrize(
    ("format", "path", "root", "below"),
    [
        ("checksums", "SHA256SUMS", "", "SHA256SUMS"),
        ("checksums", "/SHA256SUMS", "/", "SHA256SUMS"),
        ("checksums", "/pub/x/SHA256SUMS", "/pub/x/", "SHA256SUMS"),
        ("checksums", "/dists/SHA256SUMS", "/dists/", "SHA256SUMS"),
        ("debian-release", "/debian/dists/b/Release", "/debian/", "dists/b/Release"),
        ("debian-release", "/dists/b/InRelease", "/", "dists/b/InRelease"),
        ("debian-release", "/dists/x/dists/b/Release", "/dists/x/", "dists/b/Release"),
        ("debian-release", "/flat/Release", "/flat/", "Release"),
        ("debian-packages", "/a/dists/b/main/Packages.xz", "/a/", "dists/b/main/Packages.xz"),
        ("debian-packages", "/a/mydists/Packages", "/a/mydists/", "Packages"),
        ("rpm", "/os/repodata/repomd.xml", "/os/", "repodata/repomd.xml"),
        ("rpm", "repodata/repomd.xml", "", "repodata/repomd.xml"),
        ("rpm", "/os/repomd.xml", "/os/", "repomd.xml"),
        ("pypi", "/simple/foo/", "/simple/foo/", "index.pypi"),
        ("pypi", "/simple/foo/index.html", "/simple/foo/", "index.pypi"),
        ("checksums", "/pub/", "/pub/", "index.checksums"),
    ],
)
def test_a_root_is_above_the_folder_that_the_format_keeps_its_lists_in(
    format: str, path: str, root: str, below: str
) -> None:
    assert placed(format, path) == (root, below)


def test_names_of_a_release_are_beside_it_and_all_others_below_the_root() -> None:
    assert folder_of_names("debian-release", "dists/b/Release") == "dists/b/"
    assert folder_of_names("debian-release", "Release") == ""
    assert folder_of_names("debian-packages", "dists/b/main/Packages") == ""
    assert folder_of_names("rpm", "repodata/repomd.xml") == ""


def test_lists_of_the_callers_own_are_not_for_clients() -> None:
    assert not is_published("jsonl")
    assert not is_published("urls")
    assert is_published("checksums")


def test_two_formats_name_further_lists() -> None:
    assert has_lists("rpm")
    assert has_lists("debian-release")
    assert not has_lists("debian-packages")
