"""The format ``pypi``: pages of HTML."""

from __future__ import annotations

from contextlib import suppress
from io import BytesIO

import pytest

from pulp_download.errors import ManifestError
from pulp_download.manifests import parse
from tests.unit.manifests.reading import SHA256, read, refusal
from tests.unit.manifests.test_pypi import PAGE, html, link

# What pypi.org serves, in short.
REAL = f"""<!DOCTYPE html>
<html>
  <head>
    <meta name="pypi:repository-version" content="1.3">
    <title>Links for foo</title>
  </head>
  <body>
    <h1>Links for foo</h1>
<a href="https://files.test/packages/aa/foo-1%2Bb.tar.gz#sha256={SHA256}"
   data-requires-python="&gt;=3.8" data-core-metadata="sha256=00">foo-1+b.tar.gz</a><br />
<A HREF='../../p/foo-2.whl?x=1&amp;y=2'> foo-2&#46;wh<b>l</b>
</A><br />
</body>
</html>
<!--SERIAL 30115855-->"""


def parsed(text: str) -> list[str]:
    return [entry.source(PAGE) for entry in read(text, format="pypi")]


def test_every_link_of_a_real_page_is_a_file() -> None:
    assert [(entry.path, entry.line) for entry in read(REAL)] == [
        ("foo-1+b.tar.gz", 9),
        ("foo-2.whl", 11),
    ]
    assert parsed(REAL) == [
        "https://files.test/packages/aa/foo-1%2Bb.tar.gz",
        "https://host/p/foo-2.whl?x=1&y=2",
    ]


@pytest.mark.parametrize(
    "other",
    [
        '<a name="top">top</a>',
        "<a href>nothing</a>",
        '<a href="#top">up</a>',
        '<a href="?C=N;O=D">sorted</a>',
        '<a href="../">Parent Directory</a>',
        '<a href="..">all</a>',
        '<a href="https://host">home</a>',
        '<a href="mailto:me@host">me</a>',
        '<a href="javascript:go()">go</a>',
        "<!-- <a href='z'>z</a> -->",
        "<script>x = \"<a href='z'>z</a>\"</script>",
        "</a>",
        "<p>a < b &amp; c &nosuch; &</p>",
    ],
)
def test_what_leads_to_no_file_is_read_over(other: str) -> None:
    assert parsed(html(other, link("x"))) == ["https://host/simple/foo/x"]


@pytest.mark.parametrize(
    ("links", "reason"),
    [
        (
            [link("x"), '<a href="y">z</a>'],
            "line 3: a link says 'z', but leads to a file named 'y'",
        ),
        (['<a href="%00">x</a>'], "line 2: a link says 'x', but leads to a file named '\\x00'"),
        (['<a href="y"></a>'], "line 2: a link says '', but leads to a file named 'y'"),
        (['<a href="x">', link("y")], "line 3: a link within a link"),
        (['<a href="x">x'], "line 3: the page ends within a link"),
        ([link("x"), "</html>", link("y")], "line 4: a link after the end of the page"),
        ([link("x"), "<base href='/'>"], "line 3: a <base> after links that it holds for"),
        (
            [f"<a href='x'>{'x' * 4097}</a>"],
            "line 2: a link's text of more than 4096 characters",
        ),
        ([link("x", "x#sha256=0&sha256=1")], "line 2: a sha256 digest has 64"),
        (
            [link("x", f"x#sha256={SHA256}&sha256={'0' * 64}")],
            "line 2: two sha256 digests of one file",
        ),
    ],
)
def test_a_page_that_may_mean_something_else_is_refused(links: list[str], reason: str) -> None:
    assert str(refusal(html(*links), format="pypi")).startswith(reason)


def test_a_malformed_declaration_is_refused_where_the_parser_knows_no_better() -> None:
    """Of Python's parsers the older ones give up; the newer ones take it for a comment."""
    with suppress(ManifestError):
        assert parsed(html("<![x y[z]]>", link("x"))) == ["https://host/simple/foo/x"]


def test_a_base_holds_for_relative_links_and_the_first_one_counts() -> None:
    head = '<base target="_top"><base href="../b/?x"><base href="/c/">'
    assert parsed(html(link("x"), link("y", "/y"), head=head)) == [
        "https://host/simple/b/x",
        "https://host/y",
    ]
    assert parsed(html(link("x"), head='<base href="ftp://other/">')) == ["ftp://other/x"]


@pytest.mark.fault(160)
def test_a_base_does_not_make_links_local() -> None:
    error = refusal(html(link("x"), head='<base href="file:///etc/">'), format="pypi")
    assert str(error) == "line 2: a link to a file"


def test_of_a_repeated_attribute_the_first_counts() -> None:
    assert parsed(html('<a href="x" href="y">x</a>')) == ["https://host/simple/foo/x"]


@pytest.mark.fault(162)
def test_a_page_cut_at_any_byte_is_refused_until_its_body_ends() -> None:
    data = REAL.encode()
    end = data.index(b"</body>") + len(b"</body>")
    for cut in range(len(data)):
        if cut < end:
            assert "truncated" in str(refusal(data[:cut], format="pypi")) or cut < 22
        else:
            assert len(read(data[:cut], format="pypi")) == 2


@pytest.mark.fault(162)
def test_a_bare_list_of_links_that_was_cut_is_refused_but_between_links() -> None:
    bare = f"<!DOCTYPE html>\n{link('x')}\n<p>{link('y')}\n"
    assert [entry.path for entry in read(bare, format="pypi")] == ["x", "y"]
    first, second = bare.index(link("x")) + len(link("x")), bare.index(link("y"))
    for cut in range(len(bare)):
        whole = first <= cut <= first + 1 or first + 4 <= cut <= second
        if whole:
            assert [entry.path for entry in read(bare[:cut], format="pypi")] == ["x"]
        elif cut < len(bare) - 1:
            assert refusal(bare[:cut], format="pypi")


def test_a_page_of_no_files_is_one_but_not_any_markup() -> None:
    assert read(html(), format="pypi") == []
    error = refusal("<repomd>x</repomd>", format="pypi")
    assert str(error) == "line 1: no page of a package index: no <html>, and no links"


@pytest.mark.fault(162)
@pytest.mark.parametrize("junk", [b"\xff", "é".encode("latin-1"), b"\xc3"])
def test_a_page_in_another_encoding_is_refused(junk: bytes) -> None:
    error = refusal(html(link("x")).encode() + junk, format="pypi")
    assert "not UTF-8" in str(error)


@pytest.mark.fault(157, 162)
@pytest.mark.parametrize("start", ["<a href='", "<!--", "<a x ", "<!x", "<?x", "</a "])
def test_a_token_without_an_end_is_refused_long_before_the_page_has_been_read(start: str) -> None:
    page = BytesIO(f"<html>{start}{'x' * 2**20}".encode())
    with pytest.raises(ManifestError) as caught:
        list(parse(page, name="", format="pypi"))
    assert str(caught.value) == "line 1: a tag or a comment of more than 65536 characters"
    assert page.tell() < 2**18


@pytest.mark.fault(157)
def test_elements_may_nest_as_deep_as_they_like() -> None:
    assert len(parsed(html("<p>" * 50_000, link("x")))) == 1
