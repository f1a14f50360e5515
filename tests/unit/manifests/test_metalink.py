"""The format ``metalink``: what becomes of a metalink's files."""

from __future__ import annotations

import pytest

from pulp_download.errors import ManifestError
from pulp_download.manifests import Manifest, ManifestEntry, recognise
from pulp_download.mirrors.mirror import Mirror
from pulp_download.pieces import Pieces
from tests.unit.manifests.reading import MD5, SHA256, read, refusal, spool

BEGIN = '<metalink xmlns="urn:ietf:params:xml:ns:metalink">'
END = "</metalink>"


def listed(*files: str) -> str:
    """A metalink of one line per file."""
    return "".join([f"{BEGIN}\n", *(f"{file}\n" for file in files), END])


def file(name: str, inside: str = "", *, url: str = "http://host/x", priority: int = 9) -> str:
    return f'<file name="{name}">{inside}<url priority="{priority}">{url}</url></file>'


def refused(manifest: Manifest) -> str:
    with manifest, pytest.raises(ManifestError) as caught:
        manifest.check()
    return str(caught.value)


def test_every_file_is_an_entry_with_its_mirrors_and_pieces() -> None:
    told = (
        f'<size>3</size><hash type="sha-256">{SHA256}</hash>'
        f'<pieces length="2" type="md5"><hash>{MD5}</hash><hash>{MD5}</hash></pieces>'
    )
    assert read(listed(file("a/b", told), file("c", url="sub/c"))) == [
        ManifestEntry(
            "a/b",
            size=3,
            digests=(("sha256", SHA256),),
            line=2,
            mirrors=(Mirror("http://host/x", priority=9, is_learnt=True),),
            pieces=Pieces("md5", 2, (MD5, MD5)),
        ),
        ManifestEntry("c", line=3, mirrors=(Mirror("sub/c", priority=9, is_learnt=True),)),
    ]


@pytest.mark.parametrize(
    "head",
    [
        BEGIN,
        f'<?xml version="1.0"?>\n<!-- a\n > b -->\n\n{BEGIN}',
        '\ufeff<?xml version="1.0"?><metalink version="3.0" xmlns="http://www.metalinker.org/">',
        '<m:metalink\n xmlns:m="urn:ietf:params:xml:ns:metalink">',
        f"{BEGIN}<file name='PULP_MANIFEST'>http://host/x",
    ],
)
def test_its_root_element_tells_the_format_where_the_name_does_not(head: str) -> None:
    assert recognise("list", head.encode()) == "metalink"


@pytest.mark.parametrize(
    "head",
    [
        "<metalinks>",
        "<html><metalink>",
        "<!DOCTYPE metalink><metalink/>",
        "<?xml version='1.0'?><repodata/>",
        "<!-- <metalink> -->",
        "<?xml " * 10_000,
        "<!-- x -->" * 6_000,
    ],
)
def test_other_documents_are_not_taken_for_one(head: str) -> None:
    with pytest.raises(ManifestError):
        recognise("list", head.encode())


def test_a_metalink_may_be_one_long_line() -> None:
    text = "".join([BEGIN, *(file(f"{n}") for n in range(5_000)), END])
    with spool(text, name="x.meta4") as manifest:
        assert (manifest.count, {entry.line for entry in manifest.entries()}) == (5_000, {1})


def test_a_file_told_twice_on_one_line_counts_once() -> None:
    text = f"{BEGIN}{file('a')}{file('b')}{file('a')}{file('c')}{END}"
    with spool(text, name="x.meta4") as manifest:
        assert [entry.path for entry in manifest.entries()] == ["a", "b", "c"]


@pytest.mark.fault(159)
@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (file("a", url="http://host/x?y=2"), "'a' is on line 2 with another URL, size or digest"),
        (file("a", priority=8), "'a' is on line 2 with another URL, size or digest"),
        (
            file("a", f'<pieces length="2" type="md5"><hash>{MD5}</hash></pieces>'),
            "'a' is on line 2 with another URL, size or digest",
        ),
        (file("A"), "'A' and 'a' (line 2) differ only by case or Unicode normalisation"),
        (file("a/b"), "'a' (line 2) is the folder of 'a/b' (line 3)"),
    ],
)
def test_names_that_cannot_be_side_by_side_are_refused(other: str, reason: str) -> None:
    first = file("a", url="http://host/x?y=1") if "y=2" in other else file("a")
    assert refused(spool(listed(first, other), name="x.meta4")) == f"line 3: {reason}"


@pytest.mark.fault(160)
def test_a_fetched_metalink_names_no_local_files() -> None:
    text = listed(file("a", "<url>http://host/a</url>", url="FILE:///etc/passwd"))
    told = refused(spool(text, name="x.meta4", local=False))
    assert told == "line 2: a fetched list may not name local files"
    with spool(text, name="x.meta4") as manifest:
        assert manifest.count == 1


@pytest.mark.fault(162)
def test_no_entry_of_a_metalink_that_was_cut_is_ever_seen() -> None:
    text = listed(file("a"), file("b"))
    told = refused(spool(text.removesuffix(END), name="x.meta4"))
    assert told == "line 4: not well-formed XML (no element found)"


def test_what_is_in_the_metalinks_place_is_told_apart() -> None:
    error = refusal("<html>log in first</html>", name="x.meta4")
    assert str(error) == "looks like HTML or XML, not like a list of files"
    error = refusal("<html/>", format="metalink")
    assert str(error) == "line 1: no metalink: its root element is 'html'"
