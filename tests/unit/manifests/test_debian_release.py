"""The format ``debian-release``: what becomes of a repository's list of its indices."""

from __future__ import annotations

import pytest

from pulp_download.manifests import ManifestEntry, recognise
from tests.unit.manifests.reading import MD5, OTHER, SHA1, SHA256, SHA512, read, refusal

HEAD = """Origin: Debian
Description: x
 more
Date: Sat, 01 Jan 2000 00:00:00 UTC
Valid-Until: Sat, 08 Jan 2000 00:00:00 UTC
"""
RELEASE = f"""{HEAD}MD5Sum:
 {MD5}       12 main/binary-amd64/Packages
 {MD5}        3 main/binary-amd64/Packages.xz
 {MD5}        7 main/Contents-amd64.gz
SHA256:
 {SHA256.upper()} 12 main/binary-amd64/Packages
 {SHA256} 3 main/binary-amd64/Packages.xz
\t{OTHER}\t7\tmain/Contents-amd64.gz
 {OTHER} 0 ./main/x/Release
"""


def armored(text: str) -> str:
    return (
        f"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n{text}"
        "-----BEGIN PGP SIGNATURE-----\n\nabc\n-----END PGP SIGNATURE-----\n"
    )


def listed(*paths: str) -> str:
    return "SHA256:\n" + "".join(f" {SHA256} 1 {path}\n" for path in paths)


def paths(text: str) -> list[str]:
    return [entry.path for entry in read(text, format="debian-release")]


def test_every_index_has_all_its_digests_strongest_first() -> None:
    assert read(RELEASE, name="Release") == [
        ManifestEntry(
            "main/binary-amd64/Packages.xz",
            size=3,
            digests=(("sha256", SHA256), ("md5", MD5)),
            line=8,
            lists="debian-packages",
            is_metadata=True,
        ),
        ManifestEntry(
            "main/Contents-amd64.gz",
            size=7,
            digests=(("sha256", OTHER), ("md5", MD5)),
            line=9,
            is_metadata=True,
        ),
        ManifestEntry(
            "main/x/Release", size=0, digests=(("sha256", OTHER),), line=14, is_metadata=True
        ),
    ]


def test_the_sections_may_stand_in_any_order_and_spelling() -> None:
    text = f"sha1:\n {SHA1} 1 a\nSHA512:\n {SHA512} 1 a\nmd5SUM:\n {MD5} 1 a\n"
    (entry,) = read(text)
    assert entry.digests == (("sha512", SHA512), ("sha1", SHA1), ("md5", MD5))


def test_a_signed_release_is_read_as_one_that_is_not() -> None:
    unsigned = [(entry.path, entry.line + 3) for entry in read(RELEASE, name="Release")]
    signed = read(armored(RELEASE), name="InRelease")
    assert [(entry.path, entry.line) for entry in signed] == unsigned


@pytest.mark.parametrize(
    ("forms", "best"),
    [
        (["P", "P.gz", "P.bz2", "P.zst", "P.xz", "P.lzma"], "P.xz"),
        (["P.lzma", "P", "P.gz", "P.bz2", "P.zst"], "P.zst"),
        (["P.gz", "P.bz2", "P"], "P.bz2"),
        (["P", "P.gz"], "P.gz"),
        (["P.lzma", "P"], "P"),
        (["P.lzma"], "P.lzma"),
        (["P.diff/Index"], "P.diff/Index"),
        (["P.Z"], "P.Z"),
    ],
)
def test_of_the_forms_of_one_file_only_the_best_is_an_entry(forms: list[str], best: str) -> None:
    assert paths(listed("a", *(f"d/{form}" for form in forms), "z")) == ["a", f"d/{best}", "z"]


def test_only_an_ending_is_a_form_and_only_in_one_folder() -> None:
    every = ["a/P.xz", "b/P.gz", "a/.xz", "a/.gz", ".gz", "P.xz.gz", "gz"]
    assert paths(listed(*every)) == every


@pytest.mark.parametrize(
    ("path", "lists"),
    [
        ("Packages", "debian-packages"),
        ("main/binary-all/Packages.gz", "debian-packages"),
        ("main/source/Sources.xz", None),
        ("main/Packages.diff/Index", None),
        ("main/xPackages", None),
    ],
)
def test_an_index_of_packages_is_a_list_itself(path: str, lists: str | None) -> None:
    (entry,) = read(listed(path))
    assert (entry.lists, entry.is_metadata) == (lists, True)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (
            " 12 main",
            " 13 main",
            "line 11: 'main/binary-amd64/Packages' has another size on line 7",
        ),
        (
            f" {OTHER} 0 ./main/x/Release",
            f" {OTHER} 3 main/binary-amd64/Packages.xz",
            "line 14: a second sha256 of 'main/binary-amd64/Packages.xz'",
        ),
        (f"{MD5}        3", MD5, "line 8: 2 fields instead of DIGEST SIZE PATH"),
        ("Packages.xz\n", "Packages .xz\n", "line 8: 4 fields instead of DIGEST SIZE PATH"),
        (f"{MD5}        3", f"{SHA1}        3", "line 8: a md5 digest has 32"),
        (f"{MD5}        3", f"{MD5}       -3", "line 8: size '-3' is not a number of bytes"),
        ("main/Contents", "../Contents", "line 9: unsafe path '../Contents-amd64.gz'"),
        ("main/Contents", "/Contents", "line 9: unsafe path '/Contents-amd64.gz'"),
        ("SHA256:\n", "SHA256: x\n", "line 10: the list SHA256 begins on the next line"),
        ("SHA256:\n", "md5sum:\n", "line 10: a second 'md5sum'"),
        ("SHA256:\n", "SHA256\n", "line 10: 'SHA256' is no field"),
        ("SHA256:\n", "\nSHA256:\n", "line 11: text after the end of the only stanza"),
        ("Origin: Debian\n", " x\n", "line 1: a continuation of no field"),
    ],
)
@pytest.mark.fault(116)
def test_a_bad_line_is_refused(old: str, new: str, reason: str) -> None:
    assert old in RELEASE
    text = RELEASE.replace(old, new, 1)
    assert str(refusal(text, format="debian-release")).startswith(reason)


def test_a_release_without_lists_is_refused_but_an_empty_repository_is_one() -> None:
    error = refusal("Archive: stable\nComponent: main\n")
    assert str(error) == "no Release of a repository: it has no list of digests"
    assert str(refusal("", name="Release")) == str(error)
    assert read(f"{HEAD}SHA256:\n\n\n", name="Release") == []


def test_dates_that_have_passed_are_not_judged() -> None:
    assert len(read(RELEASE)) == 3


@pytest.mark.fault(162)
def test_a_signed_release_cut_at_any_byte_is_refused() -> None:
    data = armored(RELEASE).encode()
    for cut in range(len(data) - 1):
        assert refusal(data[:cut], name="InRelease")


@pytest.mark.fault(162)
def test_what_is_larger_than_apt_would_take_is_refused() -> None:
    filler = f"X: {'x' * 60_000}\n"
    text = HEAD + "".join(f"{n}{filler}" for n in range(170))
    assert str(refusal(text, format="debian-release")) == (
        "line 172: larger than 10000000 characters"
    )
    fields = "".join(f"F{n}: x\n" for n in range(1001))
    assert str(refusal(fields, format="debian-release")) == "line 1001: more than 1000 fields"
    files = "".join(f" {MD5} 1 {n}\n" for n in range(100_001))
    assert str(refusal(f"MD5Sum:\n{files}")) == "line 100002: more than 100000 files"


@pytest.mark.parametrize(
    "name", ["Release", "InRelease", "dists/sid/InRelease", "host_dists_sid_InRelease"]
)
def test_its_names_tell_the_format(name: str) -> None:
    assert recognise(name, b"") == recognise(name, RELEASE.encode()) == "debian-release"


@pytest.mark.parametrize("line", ["Origin: x", "date: y", "Codename:", "Label: a", "MD5Sum:"])
def test_its_first_line_tells_the_format_where_the_name_does_not(line: str) -> None:
    assert recognise("list", f"{line}\n".encode()) == "debian-release"
    assert recognise("list", armored(f"{line}\n").encode()) == "debian-release"
