"""The format ``pypi``: what holds for both forms of a page."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator

import pytest

from pulp_download.errors import ManifestError
from pulp_download.manifests import Manifest, recognise
from pulp_download.urls import URL
from tests.unit.manifests.reading import MD5, OTHER, SHA256, SHA512, read, refusal, spool

PAGE = URL.parse("https://host/simple/foo/")


def html(*links: str, head: str = "") -> str:
    """A page of one line per link, the first on line 2."""
    body = "".join(f"{link}\n" for link in links)
    return f"<!DOCTYPE html><html><head>{head}</head><body>\n{body}</body></html>"


def link(name: str, href: str | None = None) -> str:
    return f'<a href="{name if href is None else href}">{name}</a>'


def page(*files: str, version: str = "1.1") -> str:
    """A page of one line per file, the first on line 2."""
    inside = ",\n".join(files)
    return f'{{"meta": {{"api-version": "{version}"}}, "name": "foo", "files": [\n{inside}\n]}}'


def file(name: str, href: str | None = None, **members: object) -> str:
    told = {"filename": name, "url": name if href is None else href, "hashes": {}, **members}
    return json.dumps(told)


BOTH = {
    "HTML": lambda name, href, sha256: html(link(name, f"{href}#sha256={sha256}")),
    "JSON": lambda name, href, sha256: page(file(name, href, hashes={"sha256": sha256})),
}
each_form = pytest.mark.parametrize("form", BOTH)


@each_form
@pytest.mark.parametrize(
    ("href", "url"),
    [
        ("foo-1.whl", "https://host/simple/foo/foo-1.whl"),
        ("../../packages/ab/foo-1.whl", "https://host/packages/ab/foo-1.whl"),
        ("/p/foo-1.whl", "https://host/p/foo-1.whl"),
        ("http://files.test/foo-1.whl", "http://files.test/foo-1.whl"),
    ],
)
def test_a_file_lands_under_its_name_wherever_its_link_leads(
    form: str, href: str, url: str
) -> None:
    (entry,) = read(BOTH[form]("foo-1.whl", href, SHA256.upper()), format="pypi", name="")
    assert (entry.path, entry.source(PAGE)) == ("foo-1.whl", url)
    assert (entry.digests, entry.line) == ((("sha256", SHA256),), 2)


@pytest.mark.fault(116)
@each_form
@pytest.mark.parametrize(
    "name", ["a/b", "../x", "..", "a\\b", "/x", "./x", "C:x", "~x", "-", "a\x85"]
)
def test_a_name_that_is_no_plain_file_name_is_refused(form: str, name: str) -> None:
    href = f"x/{name}".replace("/", "%2F").replace("\\", "%5C")
    error = refusal(BOTH[form](name, f"x/{href}", SHA256), format="pypi")
    assert error.line == 2 or form == "HTML"


@pytest.mark.fault(160)
@each_form
@pytest.mark.parametrize("href", ["file:///etc/x", "file:x", "FILE:/x", "gopher://host/x"])
def test_no_page_leads_to_a_local_file_or_to_no_server(form: str, href: str) -> None:
    error = refusal(BOTH[form]("x", href, SHA256), format="pypi")
    assert error.line == 2
    assert "etc" not in str(error)


@pytest.mark.fault(160)
@each_form
def test_userinfo_in_a_link_is_neither_shown_nor_used(form: str) -> None:
    (entry,) = read(BOTH[form]("x", "https://me:secret@host/x", SHA256), format="pypi")
    (place,) = entry.places(PAGE)
    assert (str(place.absolute), place.absolute.credentials) == ("https://host/x", None)
    assert "secret" not in str(refusal(BOTH[form]("x", "http://a:secret@h:0/x", OTHER)))


@each_form
def test_a_digest_of_the_wrong_length_is_refused(form: str) -> None:
    error = refusal(BOTH[form]("x", "x", SHA256[1:]), format="pypi")
    assert str(error) == "line 2: a sha256 digest has 64 hexadecimal digits, not 63"


@each_form
def test_one_file_told_twice_is_one_entry_wherever_it_is(form: str) -> None:
    told = {"sha256": SHA256}
    text = {
        "HTML": html(*(link("x", f"{place}/x#sha256={SHA256}") for place in "ab")),
        "JSON": page(*(file("x", f"{place}/x", hashes=told) for place in "ab")),
    }[form]
    with spool(text, name="", format="pypi") as manifest:
        assert [entry.source(PAGE) for entry in manifest.entries()] == [
            "https://host/simple/foo/a/x"
        ]


@each_form
@pytest.mark.parametrize("hashes", [(SHA256, OTHER), ("", "")])
def test_one_name_for_what_may_be_two_files_is_refused(form: str, hashes: tuple[str, str]) -> None:
    ends = [f"#sha256={value}" if value else "" for value in hashes]
    told = [{"sha256": value} if value else {} for value in hashes]
    text = {
        "HTML": html(link("x", f"a/x{ends[0]}"), link("x", f"b/x{ends[1]}")),
        "JSON": page(file("x", "a/x", hashes=told[0]), file("x", "b/x", hashes=told[1])),
    }[form]
    with (
        spool(text, name="", format="pypi") as manifest,
        pytest.raises(ManifestError, match="'x' is on line 2 with another URL, size or digest"),
    ):
        manifest.check()


@each_form
@pytest.mark.parametrize(
    ("version", "reason"),
    [
        ("2.0", "an index of version '2.0'; only 1.x is read"),
        ("10.1", "an index of version '10.1'; only 1.x is read"),
        ("1", "'1' is no version of an index"),
        ("1.x", "'1.x' is no version of an index"),
        ("", "'' is no version of an index"),
    ],
)
def test_an_index_of_another_major_version_is_refused(form: str, version: str, reason: str) -> None:
    meta = f'<meta name="pypi:repository-version" content="{version}">'
    text = {"HTML": html(head=meta), "JSON": page(version=version)}[form]
    assert str(refusal(text, format="pypi")) == f"line 1: {reason}"


@each_form
@pytest.mark.parametrize("before", ["", "\ufeff", "\n\n ", "\r\n"])
def test_the_first_character_tells_the_form(form: str, before: str) -> None:
    text = BOTH[form]("x", "x", SHA256)
    (entry,) = read(before + text, format="pypi")
    assert entry.line == 2 + before.count("\n")


@pytest.mark.parametrize("text", ["", " \n", "hello", "[]", f"{SHA256}  x\n"])
def test_what_is_neither_form_is_refused(text: str) -> None:
    error = refusal(text, format="pypi")
    assert str(error) == "line 1: neither JSON nor HTML, so no page of a package index"


META = '<meta content="1.0"\n  name="pypi:repository-version">'


@pytest.mark.parametrize(
    "head",
    [
        html(head=META),
        html(head=META.replace('"', "'")),
        f"\ufeff\n<!-- x -->\n<html>{META.upper()}",
        page(file("x", path="y")),
        page(),
        json.dumps({"meta": {"api-version": "1.0"}, "files": []}, indent=2),
        # As pypi.org does it: what is longer than the head, and members in another order.
        f'{{"alternate-locations":[],"files":[{file("x")},{{"filename": "{"y" * 99_999}',
    ],
)
def test_a_page_is_known_by_its_head(head: str) -> None:
    assert recognise("", head.encode()[: 64 * 1024]) == "pypi"
    assert recognise("index.html", head.encode()) == "pypi"


@pytest.mark.parametrize(
    "head",
    [
        "<html>log in</html>",
        html(link("x")),
        '{"meta": {"version": 1}, "files": []}',
        '{"api-version": "1.0"}',
        '{"files": ["filename", "hashes"]}',
        '{"info": {}, "releases": {}, "urls": [{"filename": "x", "hashes": {}}]}',
        "<!--" + "<meta name" * 6_000,
        '{"meta"' + ' "files" : [' * 5_000,
    ],
)
def test_other_documents_are_not_taken_for_a_page(head: str) -> None:
    with pytest.raises(ManifestError, match="looks like"):
        recognise("", head.encode())


def test_a_page_contradicts_a_name_that_tells_another_format() -> None:
    error = refusal(page(), name="SHA256SUMS")
    assert str(error).startswith("named like the format checksums, but its content is pypi;")


@each_form
def test_memory_does_not_grow_with_the_number_of_files(form: str) -> None:
    def chunks() -> Iterator[bytes]:
        many, one = 8_000, "y" * 50
        if form == "HTML":
            yield b"<html>"
            for number in range(many):
                yield link(f"{number}-{one}", f"p/{number}-{one}#sha256={SHA256}").encode()
            yield b"</html>"
        else:
            yield b'{"meta": {"api-version": "1.0"}, "files": ['
            for number in range(many):
                yield f"{',' * bool(number)}{file(f'{number}', size=number)}".encode()
            yield b"]}"

    with spool(BOTH[form]("x", "x", SHA256), format="pypi") as manifest:
        manifest.check()  # what is allocated once, for ever
    tracemalloc.start()
    try:
        with Manifest.spool(chunks(), name="", format="pypi") as manifest:
            assert sum(1 for _ in manifest.entries()) == 8_000
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 3_000_000


def test_strongest_digests_stand_first_and_unknown_kinds_are_left_out() -> None:
    hashes = {"md5": MD5, "sha256": SHA256, "blake2b_256": "?", "sha512": SHA512}
    ends = "&".join(f"{name}={value}" for name, value in hashes.items())
    expected = (("sha512", SHA512), ("sha256", SHA256), ("md5", MD5))
    for text in (html(link("x", f"x#{ends}&egg=x")), page(file("x", hashes=hashes))):
        assert read(text, format="pypi")[0].digests == expected


def test_a_file_needs_no_digest() -> None:
    for text in (html(link("x")), page(file("x")), page('{"filename": "x", "url": "x"}')):
        assert [entry.digests for entry in read(text, format="pypi")] == [()]


def test_yanked_files_are_listed_like_others() -> None:
    yanked = '<a href="x" data-yanked="bad &gt; good">x</a>'
    for text in (html(yanked, link("y")), page(file("x", yanked="bad"), file("y", yanked=False))):
        assert [entry.path for entry in read(text, format="pypi")] == ["x", "y"]
