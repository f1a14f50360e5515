"""The format ``rpm-primary``: primary.xml, the packages of an RPM repository."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator

import pytest

from pulp_download.manifests import ManifestEntry, recognise
from pulp_download.manifests.formats import entries
from tests.unit.manifests.reading import MD5, OTHER, SHA1, SHA256, read, refusal

SPACES = (
    'xmlns="http://linux.duke.edu/metadata/common" xmlns:rpm="http://linux.duke.edu/metadata/rpm"'
)
CHECKSUM = f'<checksum type="sha256" pkgid="YES">{SHA256}</checksum>'
LOCATION = '<location href="Packages/a.rpm"/>'
PACKAGE = f'<package type="rpm">{CHECKSUM}{LOCATION}</package>'

# As createrepo_c writes it.
FULL = f"""<package type="rpm">
  <name>a</name>
  <arch>src</arch>
  <version epoch="0" ver="1" rel="2"/>
  <checksum type="sha256" pkgid="YES">{SHA256}</checksum>
  <summary>A &lt;package&gt;</summary>
  <description>location, checksum: all
of it</description>
  <packager/>
  <url>http://host/</url>
  <time file="1" build="2"/>
  <size package="1234" installed="5" archive="6"/>
  <location href="Packages/a/a^1+2~3.src.rpm"/>
  <format>
    <rpm:license>MIT</rpm:license>
    <rpm:header-range start="1" end="2"/>
    <rpm:requires><rpm:entry name="b" flags="EQ" epoch="0" ver="1" rel="1"/></rpm:requires>
    <file>/etc/a</file>
    <location href="../format/is/read/over"/>
  </format>
</package>"""


def document(*packages: str, count: object = None) -> str:
    """Return a primary.xml with a line for each package; the first is on line 2."""
    told = len(packages) if count is None else count
    return "\n".join([f'<metadata {SPACES} packages="{told}">', *packages, "</metadata>"])


def refused(*packages: str, count: object = None) -> str:
    return str(refusal(document(*packages, count=count), name="primary.xml"))


def test_every_package_is_a_file_with_its_place_size_and_digest() -> None:
    second = PACKAGE.replace("sha256", "sha").replace(SHA256, SHA1)
    assert read(document(FULL, second), name="0a-primary.xml") == [
        ManifestEntry(
            "Packages/a/a^1+2~3.src.rpm", size=1234, digests=(("sha256", SHA256),), line=2
        ),
        ManifestEntry("Packages/a.rpm", digests=(("sha1", SHA1),), line=23),
    ]


def test_a_package_may_lie_below_a_base_of_its_own() -> None:
    based = '<location xml:base="https://host/pool" href="b/v1:2+3.rpm"/>'
    (entry,) = read(document(PACKAGE.replace(LOCATION, based)))
    assert (entry.path, entry.url) == ("b/v1:2+3.rpm", "https://host/pool/b/v1%3A2%2B3.rpm")
    assert not entry.is_relative


def test_only_the_checksum_that_is_the_packages_id_is_that_of_the_file() -> None:
    others = "".join(
        f'<checksum type="md5"{pkgid}>{MD5}</checksum>' for pkgid in ("", ' pkgid="NO"')
    )
    (entry,) = read(document(PACKAGE.replace(CHECKSUM, f"{others}{CHECKSUM}{others}")))
    assert entry.digests == (("sha256", SHA256),)
    assert refused(PACKAGE.replace(CHECKSUM, others)) == "line 2: a package without a checksum"


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (CHECKSUM, "", "a package without a checksum"),
        (CHECKSUM, CHECKSUM * 2, "a second checksum of one package"),
        (SHA256, SHA1, "a sha256 digest has 64 hexadecimal digits, not 40"),
        ('type="sha256"', 'type="gost"', "'gost' digests are not supported"),
        (LOCATION, "", "a package without a location"),
        (LOCATION, LOCATION * 2, "a second location of one package"),
        (LOCATION, f'{LOCATION}<size package="x"/>', "size 'x' is not a number of bytes"),
        (LOCATION, LOCATION + '<size package="1"/>' * 2, "a second size of one package"),
        ('"rpm"', '"deb"', "a package of the type 'deb', not 'rpm'"),
        (' type="rpm"', "", "a package without a type, not 'rpm'"),
        ("<package ", '<package xml:base="http://h/" ', (
            "an xml:base that is not a location's, which is not read"
        )),
    ],
)  # fmt: skip
def test_a_bad_package_is_refused_with_its_line(old: str, new: str, reason: str) -> None:
    assert old in PACKAGE
    assert refused(PACKAGE, PACKAGE.replace(old, new, 1)) == f"line 3: {reason}"


@pytest.mark.fault(116, 117)
@pytest.mark.parametrize("href", ["../pool/x.rpm", "/x.rpm", "a/./b.rpm", "~x/y", "a\\b"])
def test_an_unsafe_location_is_refused_with_its_line(href: str) -> None:
    told = refused(FULL, PACKAGE.replace("Packages/a.rpm", href))
    assert told.startswith("line 23: unsafe path ")


@pytest.mark.fault(162)
@pytest.mark.parametrize("count", [0, 1, 3, 10**18])
def test_a_document_that_has_not_as_many_packages_as_it_says_is_refused(count: int) -> None:
    told = refused(PACKAGE, PACKAGE, count=count)
    assert told == f"line 1: says {count} packages, has 2"


def test_a_count_that_is_no_number_is_refused_and_none_says_nothing() -> None:
    for count in ("", "-1", "1.0", "1_0", "\u0661", "9" * 20):
        assert refused(PACKAGE, count=count) == f"line 1: packages='{count}' is no number"
    assert len(read(document(PACKAGE).replace(' packages="1"', ""))) == 1
    assert read(document()) == []


@pytest.mark.fault(162)
def test_a_document_cut_anywhere_is_refused() -> None:
    data = document(FULL, PACKAGE)
    for cut in range(len(data)):
        refusal(data[:cut], format="rpm-primary")


@pytest.mark.parametrize(
    "head", [f"<metadata {SPACES}>", f"<?xml version='1.0'?>\n<c:metadata\n xmlns:c='{OTHER}'>"]
)
def test_its_root_element_tells_the_format_where_the_name_does_not(head: str) -> None:
    assert recognise("list", head.encode()) == "rpm-primary"


def test_other_documents_are_told_apart() -> None:
    error = refusal("<metadata><groupId/></metadata>", name="list")
    assert str(error) == "line 1: no primary.xml: its root element is 'metadata'"
    for root in ("filelists", "otherdata", "metadatas"):
        error = refusal(f"<{root} {SPACES}/>", name="primary.xml")
        assert str(error) == "looks like HTML or XML, not like a list of files"


@pytest.mark.fault(157, 158)
def test_memory_does_not_grow_with_packages_or_with_what_is_not_wanted() -> None:
    """50,000 packages, one of which has a description of 20 MB."""
    package = PACKAGE.encode()

    def chunks() -> Iterator[bytes]:
        yield document(count=50_000).removesuffix("</metadata>").encode()
        yield package.removesuffix(b"</package>") + b"<description>"
        for _ in range(20):
            yield b"x &amp; y\n" * 100_000
        yield b"</description></package>"
        for _ in range(499):
            yield package * 100
        yield package * 99 + b"</metadata>"

    tracemalloc.start()
    try:
        count = sum(1 for _ in entries(chunks(), name="primary.xml"))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == 50_000
    assert peak < 4_000_000


def test_packages_come_before_the_rest_has_been_read() -> None:
    def chunks() -> Iterator[bytes]:
        yield document(*[PACKAGE] * 2_000).removesuffix("</metadata>").encode()
        pytest.fail("read on")

    assert next(entries(chunks(), name="primary.xml")).path == "Packages/a.rpm"
