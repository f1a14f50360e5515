"""Whatever the bytes are: entries, or a ManifestError."""

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pulp_download.errors import ManifestError
from pulp_download.manifests import FORMATS, Manifest, ManifestEntry, recognise
from pulp_download.paths import safe_path
from pulp_download.urls import URL
from tests.unit.manifests.reading import MD5, OTHER, SHA1, SHA256, read

SAMPLES = {
    "urls": "http://host/a/b.rpm\r\n# comment\n\nftp://me:pw@[::1]:21/c%20d?x=1\n",
    "checksums": f"{SHA256}  a b\n{OTHER} *sub/c\n# comment\n\nSHA256 (d) = {OTHER}\n{SHA256}  é\n",
    "pulp-manifest": f'a,{SHA256},10\n\n"b,c",{OTHER},12345\r\nd,{OTHER},7\n',
    "debian-packages": (
        f"Package: a\nFilename: pool/a.deb\nSize: 123\nMD5sum: {MD5}\nSHA256: {OTHER}\n\n"
        f"Package: b\nDescription: x\n more\nFilename: ./b.deb\nSize: 45\nSHA256: {SHA256}\n\n"
    ),
    "jsonl": (
        f'{{"path": "a/b", "url": "http://h/a", "size": 10, "digests": {{"sha256": "{OTHER}"}}}}\n'
        f'{{"path": "c", "size": null, "digests": {{"md5": "{MD5}", "sha256": "{SHA256}"}}}}\n'
        '{"path": "d", "mirrors": [{"url": "http://h/d", "priority": 3, "learnt": true}]}\n'
    ),
    "debian-release": (
        "-----BEGIN PGP SIGNED MESSAGE-----\n\nOrigin: x\nMD5Sum:\n"
        f" {MD5} 1 a/Packages\n {MD5} 2 a/Packages.gz\nSHA256:\n {OTHER} 2 a/Packages.gz\n"
        "-----BEGIN PGP SIGNATURE-----\n-----END PGP SIGNATURE-----\n"
    ),
    "pypi": (
        f'<html><base href="../"><body>\n<a href="../p/a#sha256={SHA256}">a</a>\n'
        '<a href="http://h/b%20c">b c</a>\n<a href="/">up</a></body></html>\n'
    ),
    "metalink": (
        f'<metalink xmlns="urn:ietf:params:xml:ns:metalink">\n<file name="a"><size>1</size>'
        f'<hash type="sha-256">{OTHER}</hash><url priority="1">http://h/a</url><url>b/a</url>'
        f'</file><file name="b/c">\n<url location="de">ftp://h/c</url></file></metalink>'
    ),
    "rpm": (
        '<repomd xmlns="http://linux.duke.edu/metadata/repo">\n<data type="primary"><checksum'
        f' type="sha256">{OTHER}</checksum><location href="repodata/p.xml"/><size>7</size></data>'
        f'<data type="group">\n<location xml:base="http://h/x" href="c d"/></data></repomd>'
    ),
    "rpm-primary": (
        '<metadata xmlns="http://linux.duke.edu/metadata/common" packages="2">\n<package'
        f' type="rpm"><checksum type="sha" pkgid="YES">{SHA1}</checksum><size package="7"/>'
        '<location href="p/a.rpm"/></package><package type="rpm"><location xml:base="ftp://h"'
        f' href="b"/>\n<checksum type="md5" pkgid="YES">{MD5}</checksum></package></metadata>'
    ),
}
# The other form of a format's only name.
PYPI_JSON = (
    '{"meta": {"api-version": "1.1"}, "files": [\n'
    f'{{"filename": "a", "url": "../a", "size": 1, "hashes": {{"sha256": "{SHA256}"}}}}]}}'
)
each_format = pytest.mark.parametrize("format", FORMATS)

# What makes up manifests, so that arbitrary input comes near to good input.
FRAGMENTS = st.sampled_from(
    [
        *"\\ *()=,:/#-\"'\n\r\t%?@[].~",
        "..",
        "\n\n",
        MD5,
        SHA256,
        OTHER,
        "SHA256 (",
        ") = ",
        "Filename: ",
        "Size: ",
        "SHA256: ",
        "Package: a\n",
        "http://",
        "file:///",
        ' type="',
        'xml:base="',
        "<location",
        "</data>",
        "</package>",
        "/>",
        "%2e%2e",
        "a",
        "é",
        "e\u0301",
        "1",
        "-----BEGIN PGP SIGNED MESSAGE-----\n",
        "-----BEGIN PGP SIGNATURE-----\n",
        "-----END PGP SIGNATURE-----\n",
        "\ufeff",
    ]
)
NEARLY = st.lists(FRAGMENTS, max_size=40).map(lambda parts: "".join(parts).encode())
MAGIC = st.sampled_from(
    [
        b"",
        b"\x1f\x8b\x08\x00",
        b"\xfd7zXZ\x00",
        b"BZh91AY&SY",
        b"\x28\xb5\x2f\xfd",
        b"\x50\x2a\x4d\x18",
        b"\xef\xbb\xbf",
    ]
)
ANYTHING = st.builds(bytes.__add__, MAGIC, st.one_of(st.binary(max_size=300), NEARLY))


def spoiled(data: bytes, place: int, junk: bytes) -> bytes:
    place %= len(data)
    return data[:place] + junk + data[place + len(junk) // 2 :]


SPOILED = st.builds(
    spoiled,
    st.sampled_from([text.encode() for text in [*SAMPLES.values(), PYPI_JSON]]),
    st.integers(0, 1000),
    st.one_of(st.binary(max_size=4), FRAGMENTS.map(str.encode)),
)


def is_sound(entry: ManifestEntry) -> bool:
    base = URL.parse("https://host/folder/")
    source = URL.parse(entry.source(base))
    return (
        safe_path(entry.path) == entry.path
        and bool(source.path)
        and all(place.absolute.path for place in entry.places(base))
        and (entry.size is None or 0 <= entry.size < 2**63)
        and all(value == value.lower() and value.isascii() for _, value in entry.digests)
        and entry.line > 0
    )


@each_format
@given(data=st.one_of(ANYTHING, SPOILED))
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_sound_entries_or_a_manifest_error(format: str, data: bytes) -> None:
    with suppress(ManifestError):
        assert all(is_sound(entry) for entry in read(data, format=format))


@given(data=st.one_of(ANYTHING, SPOILED), name=st.sampled_from(["list", "SHA256SUMS", "urls"]))
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_recognised_or_a_manifest_error(data: bytes, name: str) -> None:
    with suppress(ManifestError):
        assert recognise(name, data) in FORMATS


@given(data=st.one_of(ANYTHING, SPOILED))
@settings(max_examples=200, deadline=None)
def test_a_spooled_manifest_of_any_bytes_has_distinct_paths_or_is_refused(data: bytes) -> None:
    with suppress(ManifestError), Manifest.spool([data], name="list") as manifest:
        paths = [entry.path.casefold() for entry in manifest.entries()]
        assert len(paths) == len(set(paths)) == manifest.count


@pytest.mark.fault(162)
@each_format
def test_a_manifest_cut_at_any_byte_is_refused_or_begins_as_the_whole(format: str) -> None:
    """Only the last entry of a text that lost its newline may lack the end of what stands last."""
    data = SAMPLES[format].encode()
    whole = read(data, format=format)
    refused = 0
    for cut in range(len(data)):
        try:
            entries = read(data[:cut], format=format)
        except ManifestError:
            refused += 1
            continue
        assert entries[:-1] == whole[: len(entries) - 1 if entries else 0]
        for last in entries[-1:]:
            true = whole[len(entries) - 1]
            if data[:cut].endswith(b"\n"):
                assert (last.path, last.size) == (true.path, true.size)
                assert set(last.digests) <= set(true.digests)
                if format != "debian-packages":
                    assert last == true
            else:
                assert (true.url or true.path).startswith(last.url or last.path)
                assert str(true.size).startswith(str(last.size))
                assert set(last.digests) <= set(true.digests)
    assert refused > len(data) // 2
