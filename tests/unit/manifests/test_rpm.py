"""The format ``rpm``: repomd.xml, and what it shares with primary.xml."""

from __future__ import annotations

import pytest

from pulp_download.errors import ManifestError
from pulp_download.manifests import ManifestEntry, recognise
from pulp_download.urls import URL
from tests.unit.manifests.reading import MD5, OTHER, SHA1, SHA256, SHA512, read, refusal, spool

BEGIN = (
    '<repomd xmlns="http://linux.duke.edu/metadata/repo"'
    ' xmlns:rpm="http://linux.duke.edu/metadata/rpm">'
)
CHECKSUM = f'<checksum type="sha256">{SHA256}</checksum>'
LOCATION = '<location href="repodata/primary.xml.gz"/>'
PRIMARY = f'<data type="primary">{CHECKSUM}{LOCATION}</data>'
GROUP = '<data type="group"><location href="repodata/comps.xml"/></data>'

# As createrepo_c writes it.
WHOLE = f"""<?xml version="1.0" encoding="UTF-8"?>
{BEGIN}
  <revision>1700000000</revision>
  <tags><content>binary</content><repo>x</repo><distro cpeid="cpe:/o:x">X</distro></tags>
  <data type="primary">
    <checksum type="sha256">{SHA256.upper()}</checksum>
    <open-checksum type="sha256">{OTHER}</open-checksum>
    <location href="repodata/0a-primary.xml.zst"/>
    <timestamp>1700000000</timestamp>
    <size> 1234
    </size>
    <open-size>99999</open-size>
  </data>
  <data type="primary_zck">
    <checksum type="sha512">{SHA512}</checksum>
    <header-checksum type="sha256">{OTHER}</header-checksum>
    <location href="repodata/0b-primary.xml.zck"/>
    <size>12</size>
    <header-size>3</header-size>
  </data>
  <data type="primary_db">
    <checksum type="sha">{SHA1}</checksum>
    <location href="repodata/primary.sqlite.bz2"/>
    <database_version>10</database_version>
  </data>
  <data type="updateinfo">
    <location href="./repodata/update info%2e.xml"/>
  </data>
</repomd>
"""


def document(*inside: str) -> str:
    """Return a repomd.xml with a line for each thing in it; the first is on line 2."""
    return "\n".join([BEGIN, *inside, "</repomd>"])


def refused(*inside: str) -> str:
    return str(refusal(document(*inside), name="repomd.xml"))


def with_location(location: str) -> str:
    """Return a primary on three lines, its location on the second."""
    return f'<data type="primary">\n{location}\n{CHECKSUM}</data>'


def test_every_data_is_a_file_of_metadata_and_the_primary_lists_more() -> None:
    assert read(WHOLE, name="repomd.xml") == [
        ManifestEntry(
            "repodata/0a-primary.xml.zst",
            size=1234,
            digests=(("sha256", SHA256),),
            line=5,
            lists="rpm-primary",
            is_metadata=True,
        ),
        ManifestEntry(
            "repodata/0b-primary.xml.zck",
            size=12,
            digests=(("sha512", SHA512),),
            line=14,
            is_metadata=True,
        ),
        ManifestEntry(
            "repodata/primary.sqlite.bz2", digests=(("sha1", SHA1),), line=21, is_metadata=True
        ),
        ManifestEntry("repodata/update info%2e.xml", line=26, is_metadata=True),
    ]


@pytest.mark.parametrize(
    ("kind", "digest", "algorithm"),
    [
        ("md5", MD5, "md5"),
        ("sha", SHA1, "sha1"),
        ("sha1", SHA1, "sha1"),
        ("sha224", "a" * 56, "sha224"),
        ("sha256", SHA256, "sha256"),
        ("SHA384", "a" * 96, "sha384"),
        ("sha512", SHA512, "sha512"),
    ],
)
def test_the_type_of_a_checksum_tells_its_algorithm(kind: str, digest: str, algorithm: str) -> None:
    text = PRIMARY.replace("sha256", kind).replace(SHA256, f"\n {digest}\n")
    assert read(document(text))[0].digests == ((algorithm, digest),)


@pytest.mark.parametrize(
    "head",
    [
        BEGIN,
        f'<?xml version="1.0"?>\n<!-- a\n > b -->\n\n{BEGIN}',
        '<r:repomd\n xmlns:r="http://linux.duke.edu/metadata/repo">',
        f"{BEGIN}<data type='http://host/x'>",
    ],
)
def test_its_root_element_tells_the_format_where_the_name_does_not(head: str) -> None:
    assert recognise("list", head.encode()) == "rpm"


def test_elements_of_another_namespace_say_nothing() -> None:
    other = '<size xmlns="urn:x">5</size><data xmlns="urn:x" type="primary"/>'
    text = document(PRIMARY.replace("<location", f"{other}<location"))
    assert [entry.size for entry in read(text)] == [None]
    assert str(refusal("<repomd/>", name="repomd.xml")) == (
        "line 1: no repomd.xml: its root element is 'repomd'"
    )


@pytest.mark.parametrize(
    ("inside", "reason"),
    [
        ([GROUP], "line 1: no data of the type 'primary'"),
        ([], "line 1: no data of the type 'primary'"),
        ([PRIMARY.replace('"primary"', '"primary_db"')], "line 1: no data of the type 'primary'"),
        ([PRIMARY, GROUP, PRIMARY], "line 4: a second data of the type 'primary'"),
        ([GROUP, PRIMARY.replace(CHECKSUM, "")], "line 3: a data without a checksum"),
        ([PRIMARY, "<data type='group'></data>"], "line 3: a data without a location"),
        ([PRIMARY, GROUP.replace(' type="group"', "")],
         "line 3: a data that does not say its type"),
        ([with_location("<location/>")], "line 3: a location without an href"),
        ([with_location(LOCATION + LOCATION)], "line 3: a second location of one data"),
        ([with_location(LOCATION + CHECKSUM)], "line 4: a second checksum of one data"),
        ([with_location(LOCATION + "<size>1</size><size>1</size>")],
         "line 3: a second size of one data"),
        ([with_location(LOCATION + "<size>-1</size>")],
         "line 3: size '-1' is not a number of bytes"),
        ([with_location(LOCATION + "<size/>")], "line 3: size '' is not a number of bytes"),
        ([PRIMARY.replace(' type="sha256"', "")],
         "line 2: a checksum that does not say its type"),
        ([PRIMARY.replace("sha256", "crc32")], "line 2: 'crc32' digests are not supported"),
        ([PRIMARY.replace("sha256", "sha512")],
         "line 2: a sha512 digest has 128 hexadecimal digits, not 64"),
        ([PRIMARY.replace(SHA256, "")], "line 2: digest '' is not hexadecimal"),
    ],
)  # fmt: skip
def test_a_bad_document_is_refused_with_the_line(inside: list[str], reason: str) -> None:
    assert refused(*inside) == reason


@pytest.mark.fault(116)
@pytest.mark.parametrize(
    ("href", "reason"),
    [
        ("", "unsafe path '': it is empty"),
        ("/etc/passwd", "unsafe path '/etc/passwd': it is absolute"),
        ("repodata//x", "unsafe path 'repodata//x': it has an empty component"),
        ("a\\b", r"unsafe path 'a\\b': it has a backslash"),
        ("C:x", "unsafe path 'C:x': it has a drive letter"),
        ("http://host/x", "unsafe path 'http://host/x': it has an empty component"),
        ("a&#x85;b", r"unsafe path 'a\\x85b': it has a control character"),
    ],
)
def test_an_unsafe_location_is_refused_with_its_line(href: str, reason: str) -> None:
    assert refused(with_location(f'<location href="{href}"/>')) == f"line 3: {reason}"


@pytest.mark.fault(116, 117)
@pytest.mark.parametrize("href", ["../../pool/x.rpm", "..", "a/../b", "./../x"])
def test_a_location_that_leaves_the_repository_is_refused_and_says_what_it_is(href: str) -> None:
    for base in ("", ' xml:base="http://host/pool/"'):
        assert refused(with_location(f'<location href="{href}"{base}/>')) == (
            f"line 3: unsafe path '{href}': it leaves its folder by '..', as in repositories whose"
            " packages lie beside them; only what lies below a repository is taken"
        )


@pytest.mark.parametrize(
    ("base", "url"),
    [
        ("http://host/a/b", "http://host/a/b/sub/a%20%5Eb%2525.rpm"),
        ("https://me:pw@host/a/b/", "https://me:pw@host/a/b/sub/a%20%5Eb%2525.rpm"),
        ("FTP://[::1]:21", "FTP://[::1]:21/sub/a%20%5Eb%2525.rpm"),
        ("ftps://host/%7Ex//", "ftps://host/%7Ex/sub/a%20%5Eb%2525.rpm"),
    ],
)
def test_an_absolute_base_is_what_the_plain_name_is_appended_to(base: str, url: str) -> None:
    text = document(with_location(f'<location xml:base="{base}" href="sub/a ^b%25.rpm"/>'))
    (entry,) = read(text)
    assert (entry.path, entry.url) == ("sub/a ^b%25.rpm", url)
    assert entry.source(URL.parse("http://other/")) == url


def test_an_empty_base_is_none() -> None:
    (entry,) = read(document(with_location('<location xml:base="" href="a"/>')))
    assert (entry.path, entry.url) == ("a", None)


@pytest.mark.parametrize(
    ("base", "reason"),
    [
        ("pool/", "not an absolute URL (scheme://host/path)"),
        ("//host/pool", "not an absolute URL (scheme://host/path)"),
        ("media:1", "no // after the scheme"),
        ("media://1a#1", "its scheme is none of http, https, ftp, ftps"),
        ("file:///srv/pool", "its scheme is none of http, https, ftp, ftps"),
        ("http://me:secret@ho st/", "host is ambiguous"),
        ("http://me:secret@host/?token=secret", "it has a query or a fragment"),
        ("http://me:secret@host/#1", "it has a query or a fragment"),
    ],
)
def test_another_base_is_refused_and_not_shown(base: str, reason: str) -> None:
    told = refused(with_location(f'<location xml:base="{base}" href="a"/>'))
    assert told == f"line 3: the xml:base of a location: {reason}"


@pytest.mark.parametrize("element", ["repomd", "data", "checksum"])
def test_a_base_that_no_client_reads_is_refused(element: str) -> None:
    text = document(PRIMARY).replace(f"<{element} ", f'<{element} xml:base="http://host/" ', 1)
    assert "xml:base" in text
    error = refusal(text, name="repomd.xml")
    assert error.reason.endswith(": an xml:base that is not a location's, which is not read")


@pytest.mark.fault(155, 156)
@pytest.mark.parametrize("root", ["repomd", "metadata"])
@pytest.mark.parametrize(
    "declared",
    [
        'SYSTEM "http://127.0.0.1:1/x"',
        '[<!ENTITY e SYSTEM "file:///etc/passwd">]',
        f'[<!ENTITY a "{"x" * 1000}"><!ENTITY e "{"&a;" * 1000}">]',
    ],
)
def test_neither_document_has_a_document_type(root: str, declared: str) -> None:
    space = {"repomd": "repo", "metadata": "common"}[root]
    text = f"""<?xml version="1.0"?><!DOCTYPE {root} {declared}>
<{root} xmlns="http://linux.duke.edu/metadata/{space}"><x>&e;</x></{root}>"""
    format = {"repomd": "rpm", "metadata": "rpm-primary"}[root]
    told = refusal(text, format=format)
    assert str(told) == "line 1: a document type declaration, which is not allowed"


@pytest.mark.fault(157)
def test_what_would_take_endless_memory_is_refused() -> None:
    assert refused("<data>" * 40).endswith(": more than 32 elements in one another")
    many = " ".join(f'a{number}=""' for number in range(65))
    assert refused(f"<data {many}/>") == "line 2: more than 64 attributes"
    long = f"<checksum type='md5'>{'x' * 70_000}</checksum>"
    assert refused(f"<data>{long}</data>") == "line 2: a text of more than 65536 characters"
    told = refusal('<?xml version="1.0" encoding="utf-7"?>\n<repomd/>', name="repomd.xml")
    assert str(told) == "line 1: encoding 'utf-7'; only UTF-8 and UTF-16 are read"


@pytest.mark.fault(162)
def test_a_document_cut_at_any_byte_is_refused() -> None:
    data = WHOLE.rstrip()
    for cut in range(len(data)):
        refusal(data[:cut], format="rpm")


@pytest.mark.fault(162)
def test_a_byte_order_mark_other_line_ends_and_utf_16_change_nothing() -> None:
    crlf = "\ufeff" + WHOLE.replace("\n", "\r\n")
    assert read(crlf) == read(WHOLE)
    utf_16 = WHOLE.replace("UTF-8", "UTF-16").encode("utf-16")
    assert read(utf_16, format="rpm") == read(WHOLE)


def test_two_data_of_one_place_are_refused_as_in_any_manifest() -> None:
    other = PRIMARY.replace('"primary"', '"primary_db"').replace(SHA256, OTHER)
    with (
        spool(document(PRIMARY, other), name="repomd.xml") as manifest,
        pytest.raises(ManifestError) as caught,
    ):
        manifest.check()
    assert str(caught.value) == (
        "line 3: 'repodata/primary.xml.gz' is on line 2 with another URL, size or digest"
    )
