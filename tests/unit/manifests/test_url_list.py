import pytest

from pulp_download.manifests import ManifestEntry
from tests.unit.manifests.reading import read, refusal


def test_every_line_is_a_url_that_lands_under_its_path() -> None:
    text = "\n".join(
        [
            "# a comment",
            "https://host/pool/a.rpm",
            "",
            "  http://host:8080/b%20c?x=1#part  ",
            "ftp://host/d",
            "file:///srv/e",
        ]
    )
    assert read(text) == [
        ManifestEntry("pool/a.rpm", url="https://host/pool/a.rpm", line=2),
        ManifestEntry("b c", url="http://host:8080/b%20c?x=1#part", line=4),
        ManifestEntry("d", url="ftp://host/d", line=5),
        ManifestEntry("srv/e", url="file:///srv/e", line=6),
    ]


def test_the_path_is_percent_decoded_exactly_once() -> None:
    assert read("http://host/%252e%252e/%C3%A9")[0].path == "%2e%2e/é"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("relative/path", "not an absolute URL (scheme://host/path)"),
        ("http:/host/a", "no // after the scheme"),
        ("http://", "malformed host"),
        ("http://host:99999/a", "port is not between 1 and 65535"),
        ("gopher://host/a", "the URL's scheme is none of http, https, ftp, ftps, file"),
        ("http://host", "the URL names a folder, not a file (its path ends in /)"),
        ("http://host/", "the URL names a folder, not a file (its path ends in /)"),
        ("http://host/a/", "the URL names a folder, not a file (its path ends in /)"),
        ("http://host/a/?x=y", "the URL names a folder, not a file (its path ends in /)"),
        ("http://host/a # why", "a comment stands on a line of its own"),
    ],
)
def test_what_is_no_url_of_a_file_is_refused_with_its_line(line: str, reason: str) -> None:
    error = refusal(f"http://host/good\n{line}\nhttp://host/better\n", format="urls")
    assert (error.line, str(error)) == (2, f"line 2: {reason}")


@pytest.mark.fault(116)
@pytest.mark.parametrize(
    "path",
    [
        "..",
        "a/../../b",
        "%2e%2e",
        "%2e%2e%2fb",
        "a%2fb",
        "a/%2e/b",
        "%5c%5csrv%5cx",
        "a%5cb",
        "C%3ax",
        "a%00b",
        "a%0ab",
        "a//b",
        "%ff",
        "%ed%a0%80",
    ],
)
def test_no_path_leaves_its_folder_escaped_or_not(path: str) -> None:
    assert refusal(f"http://host/good\nhttp://host/{path}\n").line == 2


@pytest.mark.parametrize(
    "line",
    [
        "http://me:secret@host:port/a",
        "http://me:sec/ret@host/a",
        "http://me:secret@/a",
        "http://me:secret@host/a/",
        "http://me:secret@host/a%2fb",
        "gopher://me:secret@host/a",
        "http://host/a/?secret",
        "http://me:secret@host/a\\b # c",
        "//me:secret@host/a",
        "me:secret@host/a",
    ],
)
def test_no_refusal_shows_a_password(line: str) -> None:
    error = refusal(f"http://host/good\n{line}\n", format="urls")
    assert error.line == 2
    assert "secret" not in f"{error} {error!r} {error.args}"
    assert "ret@" not in str(error)
