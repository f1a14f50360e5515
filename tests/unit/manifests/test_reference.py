"""A link's target, resolved against the page that has it."""

import pickle

import pytest

from pulp_download.errors import InvalidURL
from pulp_download.manifests import ManifestEntry
from pulp_download.manifests.reference import Reference
from pulp_download.mirrors.mirror import Mirror
from pulp_download.urls import URL
from tests.unit.manifests.reading import SHA256

PAGE = "https://me:secret@host:8443/simple/foo/?token=t"


@pytest.mark.parametrize(
    ("text", "base", "url"),
    [
        ("x.whl", None, "https://host:8443/simple/foo/x.whl"),
        ("../../packages/ab/x.whl", None, "https://host:8443/packages/ab/x.whl"),
        ("../../../../x.whl", None, "https://host:8443/x.whl"),
        ("/packages/x.whl?a=%2F", None, "https://host:8443/packages/x.whl?a=%2F"),
        ("//other/x.whl", None, "https://other/x.whl"),
        ("ftp://other/x+1%2B2.whl#y", None, "ftp://other/x+1%2B2.whl"),
        ("x.whl", "https://other/p/", "https://other/p/x.whl"),
        ("../x.whl", "/p/q/page", "https://host:8443/p/x.whl"),
        ("x.whl", "../bar/", "https://host:8443/simple/bar/x.whl"),
        ("https://third/x.whl", "https://other/p/", "https://third/x.whl"),
        ("x.whl", "", "https://host:8443/simple/foo/x.whl"),
    ],
)
def test_a_reference_is_resolved_as_a_browser_resolves_it(
    text: str, base: str | None, url: str
) -> None:
    found = Reference(text, base).against(URL.parse(PAGE))
    assert (str(found), found.credentials) == (url, None)


@pytest.mark.fault(160)
@pytest.mark.parametrize(
    ("text", "base", "reason"),
    [
        ("file:///etc/passwd", None, "a link to a file: URL"),
        ("FILE://localhost/etc/passwd", None, "a link to a file: URL"),
        ("etc/passwd", "file:///", "a link to a file: URL"),
        ("gopher://host/x", None, "a link to a gopher: URL"),
        ("", None, "a link to a folder, not to a file"),
        ("..", None, "a link to a folder, not to a file"),
        ("x/", None, "a link to a folder, not to a file"),
        ("//other", None, "a link to a folder, not to a file"),
        ("a\\b", None, "malformed reference"),
        ("a\x00b", None, "malformed reference"),
        ("https://h:99999/x", None, "port is not between 1 and 65535"),
        ("//[::1/x", None, "malformed reference"),
        ("mailto:me@host", None, "no // after the scheme"),
    ],
)
def test_what_leads_to_no_file_of_a_server_is_refused(
    text: str, base: str | None, reason: str
) -> None:
    with pytest.raises(InvalidURL) as caught:
        Reference(text, base)
    assert caught.value.reason.partition(" '")[0].removesuffix(":") == reason


@pytest.mark.fault(160)
def test_a_relative_reference_of_a_local_page_leads_to_no_local_file() -> None:
    entry = ManifestEntry("passwd", reference=Reference("../../etc/passwd"))
    for ask in (entry.places, entry.source):
        with pytest.raises(InvalidURL, match="a link to a file: URL"):
            ask(URL.parse("file:///srv/simple/"))


def test_an_entrys_reference_is_its_only_place() -> None:
    entry = ManifestEntry("x", reference=Reference("../y"), digests=(("sha256", SHA256),))
    page = URL.parse("https://host/a/b/")
    assert entry.source(page) == "https://host/a/y"
    assert entry.places(page) == (Mirror("https://host/a/y"),)


@pytest.mark.parametrize(
    ("reference", "is_relative"),
    [
        (Reference("https://host/x"), False),
        (Reference("x", "https://host/"), False),
        (Reference("x"), True),
        (Reference("x", "/y/"), True),
        (Reference("//host/x"), True),
    ],
)
def test_an_entry_is_relative_where_the_pages_url_matters(
    reference: Reference, is_relative: bool
) -> None:
    assert ManifestEntry("x", reference=reference).is_relative is is_relative


def test_a_reference_is_a_value_that_shows_no_secret() -> None:
    reference = Reference("https://me:secret@host/x?token=secret")
    assert pickle.loads(pickle.dumps(reference)) == reference
    shown = (repr(reference), repr(ManifestEntry("x", reference=reference)))
    assert not any("secret" in text for text in shown)
    assert str(reference.against(URL.parse(PAGE))) == "https://host/x?token=secret"
    assert reference.against(URL.parse(PAGE)).credentials is None
