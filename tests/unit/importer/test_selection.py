"""Which of the listed files are wanted."""

from __future__ import annotations

from pulp_download.importer.selection import EVERYTHING, Selection
from pulp_download.manifests import ManifestEntry

AMD64 = ManifestEntry("dists/b/main/binary-amd64/Packages.xz", lists="debian-packages")
ARM64 = ManifestEntry("dists/b/main/binary-arm64/Packages.xz", lists="debian-packages")


def test_everything_is_wanted_where_nothing_is_said() -> None:
    assert EVERYTHING.is_everything
    assert EVERYTHING.wants("a/b")
    assert EVERYTHING.lists([AMD64, ARM64]) == [AMD64, ARM64]


def test_a_star_takes_slashes_and_case_matters() -> None:
    selection = Selection(include=("pool/*.deb",))
    assert selection.wants("pool/main/z/zsh/zsh_1.deb")
    assert not selection.wants("pool/main/z/zsh/zsh_1.DEB")
    assert not selection.wants("other/zsh_1.deb")


def test_what_is_excluded_is_not_wanted_though_it_is_included() -> None:
    selection = Selection(include=("*.deb",), exclude=("*-dbg_*",))
    assert selection.wants("a_1.deb")
    assert not selection.wants("a-dbg_1.deb")


def test_lists_that_are_named_are_read_alone() -> None:
    selection = Selection(include=("*/binary-amd64/*", "pool/main/z/*"))
    assert selection.lists([AMD64, ARM64]) == [AMD64]


def test_all_lists_are_read_where_globs_speak_of_files_alone() -> None:
    assert Selection(include=("pool/main/z/*",)).lists([AMD64, ARM64]) == [AMD64, ARM64]


def test_an_excluded_list_is_never_read() -> None:
    selection = Selection(include=("pool/*",), exclude=("*arm64*",))
    assert selection.lists([AMD64, ARM64]) == [AMD64]
    assert Selection(exclude=("dists/*",)).lists([AMD64, ARM64]) == []
