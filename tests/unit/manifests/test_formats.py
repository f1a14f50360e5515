import gzip
import lzma
from io import BytesIO

import pytest

from pulp_download.errors import InvalidInput, ManifestError
from pulp_download.manifests import FORMATS, parse, recognise
from tests.unit.manifests.reading import MD5, OTHER, SHA256, read, refusal

FOUR = "urn:ietf:params:xml:ns:metalink"
URLS = "http://host/a\n"
CHECKSUMS = f"{SHA256}  a\n"
PULP = f"a,{SHA256},1\n"
DEBIAN = f"Package: a\nFilename: a\nSize: 1\nMD5sum: {MD5}\n"
REPOMD = f"""<repomd xmlns="http://linux.duke.edu/metadata/repo"><data type="primary">
<checksum type="md5">{MD5}</checksum><location href="repodata/p"/></data></repomd>"""
PRIMARY = '<metadata xmlns="http://linux.duke.edu/metadata/common" packages="0"/>\n'
METALINK = f'<metalink xmlns="{FOUR}"><file name="a"><url>http://host/a</url></file></metalink>\n'
SAMPLES = {
    "urls": URLS,
    "checksums": CHECKSUMS,
    "pulp-manifest": PULP,
    "debian-packages": DEBIAN,
    "metalink": METALINK,
    "rpm": REPOMD,
    "rpm-primary": PRIMARY,
}


def test_the_formats_have_the_names_that_callers_rely_on() -> None:
    assert FORMATS == (
        "checksums",
        "debian-packages",
        "debian-release",
        "jsonl",
        "metalink",
        "pulp-manifest",
        "pypi",
        "rpm",
        "rpm-primary",
        "urls",
    )


@pytest.mark.parametrize(
    ("name", "format"),
    [
        ("urls", "urls"),
        ("urls.txt", "urls"),
        ("my-url-list.txt", "urls"),
        ("iso.urls", "urls"),
        ("SHA256SUMS", "checksums"),
        ("sub/dir/SHA256SUMS", "checksums"),
        ("SHA512SUMS.asc", "checksums"),
        ("md5sums.txt", "checksums"),
        ("foo.iso.sha256", "checksums"),
        ("CHECKSUM", "checksums"),
        ("Fedora-39-x86_64-CHECKSUM", "checksums"),
        ("checksums.txt", "checksums"),
        ("B2SUMS", "checksums"),
        ("SHA256SUMS.gz", "checksums"),
        ("PULP_MANIFEST", "pulp-manifest"),
        ("a.iso.meta4", "metalink"),
        ("a.METALINK", "metalink"),
        ("a.metalink.gz", "metalink"),
        ("repomd.xml", "rpm"),
        ("repomd.xml.gz", "rpm"),
        ("primary.xml", "rpm-primary"),
        ("0a1b-primary.xml.gz", "rpm-primary"),
        ("0a1b-primary.xml.zst", "rpm-primary"),
        ("Packages", "debian-packages"),
        ("Packages.gz", "debian-packages"),
        ("Packages.xz", "debian-packages"),
        ("Packages.bz2", "debian-packages"),
        ("Packages.zst", "debian-packages"),
        ("host_dists_x_main_binary-amd64_Packages", "debian-packages"),
    ],
)
def test_a_usual_name_tells_the_format_even_of_an_empty_file(name: str, format: str) -> None:
    assert recognise(name, b"") == format
    assert recognise(name, SAMPLES[format].encode()) == format


@pytest.mark.parametrize("before", ["", "\n\n", "\ufeff", "# comment\r\n", " \n#\n"])
@pytest.mark.parametrize("format", SAMPLES)
def test_the_first_line_tells_the_format_where_the_name_does_not(before: str, format: str) -> None:
    head = (before + SAMPLES[format]).encode()
    assert recognise("list", head) == format
    assert recognise("list", head.replace(b"\n", b"\r\n")) == format
    assert recognise("list", gzip.compress(head)) == format
    assert recognise("list.xz", lzma.compress(head)) == format


@pytest.mark.parametrize(
    ("line", "format"),
    [
        (f"{MD5} *a", "checksums"),
        (f"\\{MD5}  a", "checksums"),
        (f"SHA256 (a) = {SHA256}", "checksums"),
        (f"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n{MD5}  a", "checksums"),
        (f"<a>,{SHA256},1", "pulp-manifest"),
        (f"http://x, {SHA256.upper()} , 12 ", "pulp-manifest"),
        ("FTP://host/a", "urls"),
        ("package: a", "debian-packages"),
    ],
)
def test_first_lines_that_tell_a_format(line: str, format: str) -> None:
    assert recognise("list", line.encode()) == format


@pytest.mark.parametrize(
    ("name", "head", "reason"),
    [
        ("SHA256SUMS", "<!DOCTYPE html><html>", "looks like HTML or XML, not like a list of files"),
        ("list", "\n  <html>", "looks like HTML or XML, not like a list of files"),
        ("Packages", '{"error": 404}', "looks like JSON, not like a list of files"),
        ("PULP_MANIFEST", "[]", "looks like JSON, not like a list of files"),
        (
            "index.html",
            '<!DOCTYPE html><html><body><a href="a-1.tar.gz#sha256=0">a-1.tar.gz</a></body></html>',
            (
                "looks like HTML or XML, not like a list of files;"
                " if it is a page of a Python index, say the format pypi"
            ),
        ),
        (
            "SHA256SUMS",
            PULP,
            (
                "named like the format checksums, but its content is pulp-manifest;"
                " say which format it is"
            ),
        ),
        (
            "urls.txt",
            CHECKSUMS,
            "named like the format urls, but its content is checksums; say which format it is",
        ),
        (
            "list",
            "",
            (
                "empty, and its name tells no format; say which of checksums, debian-packages,"
                " debian-release, jsonl, metalink, pulp-manifest, pypi, rpm, rpm-primary, urls"
                " it is"
            ),
        ),
        (
            "list",
            "# comment\n\n",
            (
                "empty, and its name tells no format; say which of checksums, debian-packages,"
                " debian-release, jsonl, metalink, pulp-manifest, pypi, rpm, rpm-primary, urls"
                " it is"
            ),
        ),
        (
            "list",
            "hello",
            (
                "unknown format; say which of checksums, debian-packages, debian-release, jsonl,"
                " metalink, pulp-manifest, pypi, rpm, rpm-primary, urls it is"
            ),
        ),
        (
            "list",
            "Homepage: x\n",
            (
                "unknown format; say which of checksums, debian-packages, debian-release, jsonl,"
                " metalink, pulp-manifest, pypi, rpm, rpm-primary, urls it is"
            ),
        ),
    ],
)
def test_what_is_not_recognised_is_refused(name: str, head: str, reason: str) -> None:
    with pytest.raises(ManifestError) as caught:
        recognise(name, head.encode())
    assert str(caught.value) == reason
    assert str(refusal(head, name=name)) == reason


def test_a_name_that_tells_a_format_leaves_a_bad_first_line_to_its_parser() -> None:
    error = refusal("hello\n", name="SHA256SUMS")
    assert str(error) == "line 1: neither 'DIGEST  NAME' nor 'ALGORITHM (NAME) = DIGEST'"


def test_a_given_format_overrides_name_and_content() -> None:
    assert read(PULP, name="SHA256SUMS", format="pulp-manifest")[0].path == "a"
    assert read("", format="urls") == []
    assert refusal(PULP, name="PULP_MANIFEST", format="urls").line == 1


def test_a_given_format_does_not_hide_the_manifests_name_from_the_parser() -> None:
    assert refusal(f"{MD5}  a", name="dir/SHA256SUMS.gz", format="checksums").line == 1


def test_an_unknown_given_format_is_the_callers_mistake() -> None:
    with pytest.raises(InvalidInput) as caught:
        parse(BytesIO(), name="urls", format="deb")
    assert str(caught.value) == (
        "unknown manifest format 'deb'; known: checksums, debian-packages, debian-release, jsonl,"
        " metalink, pulp-manifest, pypi, rpm, rpm-primary, urls"
    )


def test_a_format_is_recognised_before_the_first_entry_is_asked_for() -> None:
    with pytest.raises(ManifestError):
        parse(BytesIO(b"hello"), name="list")


def test_entries_come_before_the_rest_has_been_read() -> None:
    file = BytesIO(f"{OTHER}  a\n".encode() * 100_000)
    assert next(parse(file, name="SHA256SUMS")).path == "a"
    assert file.tell() < 500_000


NAMES = [
    "",
    ".",
    "..",
    "../x",
    "a/../../b",
    "a/..",
    "/abs",
    "//srv/x",
    "..\\x",
    "\\\\srv\\x",
    "a\\..\\b",
    "C:x",
    "c:/x",
    "C:\\x",
    "~/x",
    "~root",
    "x/",
    "a//b",
    "a/./b",
    "a/./..//../x",
    "././x",
    "a\x85b",
    "a\u009bb",
    "x" * 256,
    "é" * 128,
    f"a/{'x' * 256}/b",
]


@pytest.mark.fault(116, 122, 123)
@pytest.mark.parametrize("format", ["checksums", "pulp-manifest", "debian-packages"])
@pytest.mark.parametrize("path", NAMES)
def test_no_format_takes_an_unsafe_name(path: str, format: str) -> None:
    lines = {
        "checksums": f"{OTHER}  {path}",
        "pulp-manifest": f"{path},{OTHER},1",
        "debian-packages": f"Filename: {path}",
    }
    rest = f"Package: a\nSize: 1\nSHA256: {OTHER}\n" if format == "debian-packages" else "\n\n\n"
    error = refusal(f"{rest}{lines[format]}\n", format=format)
    assert (error.line, error.reason[:13]) == (4, f"line 4: {error.reason[8:13]}")
    assert "unsafe path" in str(error)


@pytest.mark.fault(116, 122)
@pytest.mark.parametrize(
    "path",
    [
        "%2e%2e%2fx",
        "%252e%252e%252fx",
        "...",
        "..x",
        "a..b/c",
        "\u2025/x",
        "\uff0e\uff0e\uff0fx",
        "-rf",
        "x" * 255,
        "é" * 127,
        "a b/c\u00a0d",
    ],
)
def test_names_that_only_look_unsafe_stay_as_they_are(path: str) -> None:
    assert read(f"{OTHER}  {path}\n")[0].path == path


@pytest.mark.fault(162)
def test_a_line_may_have_64_kib_but_no_more() -> None:
    assert len(read(f"# {'x' * 65_534}\n{URLS}", format="urls")) == 1
    assert str(refusal(f"# {'x' * 65_535}\n", format="urls")) == "line 1: longer than 65536 bytes"
