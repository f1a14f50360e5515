import gzip
from collections.abc import Iterator
from itertools import repeat

import pytest

from pulp_download.errors import InvalidInput, ManifestError, TransferError, WriteError
from pulp_download.manifests import Manifest, ManifestEntry
from tests.unit.manifests.reading import OTHER, SHA256, lines, spool


def paths_of(manifest: Manifest) -> list[str]:
    return [entry.path for entry in manifest.entries()]


def refusal(text: str, *, name: str = "SHA256SUMS") -> ManifestError:
    with spool(text, name=name) as manifest, pytest.raises(ManifestError) as caught:
        manifest.check()
    return caught.value


def test_a_manifest_is_spooled_checked_and_read_as_often_as_one_likes() -> None:
    text = f"a,{SHA256},10\nb/c,{OTHER},32\n"
    chunks = [text[:7].encode(), b"", text[7:].encode()]
    with Manifest.spool(chunks, name="PULP_MANIFEST") as manifest:
        manifest.check()
        assert (manifest.format, manifest.count, manifest.total_size) == ("pulp-manifest", 2, 42)
        expected = [
            ManifestEntry("a", size=10, digests=(("sha256", SHA256),), line=1),
            ManifestEntry("b/c", size=32, digests=(("sha256", OTHER),), line=2),
        ]
        assert list(manifest.entries()) == expected
        assert list(manifest.entries()) == expected


def test_readers_do_not_disturb_each_other() -> None:
    with spool(lines(*(f"{number}" for number in range(5000)))) as manifest:
        pairs = list(zip(manifest.entries(), manifest.entries(), strict=True))
    assert len(pairs) == 5000
    assert all(one == other for one, other in pairs)


def test_the_total_size_is_unknown_where_one_entry_tells_none() -> None:
    with spool(lines("a")) as manifest:
        assert (manifest.count, manifest.total_size) == (1, None)


def test_an_empty_manifest_of_a_known_format_lists_nothing() -> None:
    with spool("") as manifest:
        assert (manifest.count, manifest.total_size, paths_of(manifest)) == (0, 0, [])


@pytest.mark.fault(162)
def test_no_entry_of_a_manifest_with_a_bad_last_line_is_ever_seen() -> None:
    with spool(lines("a", "b") + "bad line\n") as manifest:
        with pytest.raises(ManifestError, match="line 3: "):
            manifest.entries()
        with pytest.raises(ManifestError, match="line 3: "):
            _ = manifest.count


@pytest.mark.fault(115)
@pytest.mark.fault(121)
@pytest.mark.parametrize(
    ("paths", "reason"),
    [
        (("a", "x", "a/b"), "line 3: 'a' (line 1) is the folder of 'a/b' (line 3)"),
        (("a/b", "x", "a"), "line 3: 'a' (line 3) is the folder of 'a/b' (line 1)"),
        (("b/A", "x", "b/a/c/d"), "line 3: 'b/A' (line 1) is the folder of 'b/a/c/d' (line 3)"),
        (
            ("README", "x", "readme"),
            "line 3: 'readme' and 'README' (line 1) differ only by case or Unicode normalisation",
        ),
        (
            ("x", "d/caf\u00e9", "d/cafe\u0301"),
            (
                "line 3: 'd/cafe\u0301' and 'd/caf\u00e9' (line 2) differ only by case or Unicode"
                " normalisation"
            ),
        ),
        (("a", "a/b", "a/b/c"), "line 2: 'a' (line 1) is the folder of 'a/b' (line 2)"),
    ],
)
def test_names_that_cannot_be_side_by_side_are_refused(paths: tuple[str, ...], reason: str) -> None:
    assert str(refusal(lines(*paths))) == reason


def test_one_name_with_two_digests_is_refused() -> None:
    error = refusal(f"{lines('a', 'b')}{OTHER}  a\n")
    assert (error.line, str(error)) == (
        3,
        "line 3: 'a' is on line 1 with another URL, size or digest",
    )


def test_two_urls_with_one_path_are_refused() -> None:
    error = refusal("http://one/a\nhttp://two/a\n", name="urls")
    assert str(error) == "line 2: 'a' is on line 1 with another URL, size or digest"


def test_a_line_that_repeats_another_counts_once() -> None:
    text = f"b,{OTHER},2\na,{SHA256},1\na,{SHA256},1\nb,{OTHER},2\nc,{OTHER},3\n./a,{SHA256},1\n"
    with spool(text, name="PULP_MANIFEST") as manifest:
        assert (manifest.count, manifest.total_size) == (3, 6)
        for _ in range(2):
            assert [(entry.path, entry.line) for entry in manifest.entries()] == [
                ("b", 1),
                ("a", 2),
                ("c", 5),
            ]


@pytest.mark.fault(160)
def test_a_fetched_list_names_no_local_files() -> None:
    text = "http://host/a\nFILE:///etc/passwd\n"
    with spool(text, name="urls", local=False) as manifest:
        with pytest.raises(ManifestError) as caught:
            manifest.check()
        assert str(caught.value) == "line 2: a fetched list may not name local files"
    with spool(text, name="urls", local=True) as manifest:
        assert paths_of(manifest) == ["a", "etc/passwd"]


def test_a_compressed_manifest_is_read_through() -> None:
    data = gzip.compress(lines("a", "b").encode())
    with Manifest.spool([data], name="SHA256SUMS.gz") as manifest:
        assert paths_of(manifest) == ["a", "b"]


def test_a_given_format_overrides_recognition() -> None:
    with spool("http://host/a\n", format="urls") as manifest:
        assert paths_of(manifest) == ["a"]
    with pytest.raises(InvalidInput):
        spool("", format="deb")


def test_what_is_not_recognised_leaves_nothing_behind() -> None:
    with pytest.raises(ManifestError, match="looks like HTML or XML"):
        spool("<html>")


def test_an_error_of_the_source_comes_through_and_leaves_nothing_behind() -> None:
    def broken() -> Iterator[bytes]:
        yield b"a"
        raise TransferError("the line went dead")

    with pytest.raises(TransferError, match="the line went dead"):
        Manifest.spool(broken(), name="urls")


@pytest.mark.fault(236)
def test_an_endless_manifest_is_refused_at_the_ceiling() -> None:
    with pytest.raises(ManifestError, match="larger than 100000 bytes"):
        Manifest.spool(repeat(b"#" * 1000), name="urls", max_bytes=100_000)


@pytest.mark.fault(236)
def test_the_ceiling_holds_for_decompressed_bytes_too() -> None:
    data = gzip.compress(b"#\n" * 100_000)
    with (
        Manifest.spool([data], name="urls", max_bytes=100_000) as manifest,
        pytest.raises(ManifestError, match="larger than 100000 bytes"),
    ):
        manifest.check()


@pytest.mark.parametrize("repeated", [(), ("1", "4999")])
def test_a_closed_manifest_says_so(repeated: tuple[str, ...]) -> None:
    manifest = spool(lines(*(f"{number}" for number in range(5000)), *repeated))
    reader = manifest.entries()
    next(reader)
    manifest.close()
    manifest.close()
    with pytest.raises((ValueError, WriteError), match="closed"):
        list(reader)
    with pytest.raises(ValueError, match="the manifest is closed"):
        list(manifest.entries())
