"""Mirror lists of both kinds: the base URLs that they name, and what is refused."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pulp_download.errors import ManifestError
from pulp_download.mirrors.mirror import LOWEST_PRIORITY, Mirror
from pulp_download.mirrors.mirror_list import MAX_BYTES, parse

VARIABLES = {"releasever": "41", "basearch": "x86_64", "a_1": "v"}


def refusal(document: str | bytes, *, local: bool = False) -> str:
    data = document.encode() if isinstance(document, str) else document
    with pytest.raises(ManifestError) as caught:
        parse(data, local=local, variables=VARIABLES)
    return str(caught.value)


def learnt(url: str, **told: object) -> Mirror:
    return Mirror(url, is_learnt=True, **told)  # type: ignore[arg-type]


def metalink(*urls: str, name: str = "repomd.xml", after: str = "") -> bytes:
    """Fedora's form, with one URL element per given text."""
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        '<metalink version="3.0" xmlns="http://www.metalinker.org/"><files>\n'
        f'<file name="{name}"><resources>{"".join(urls)}</resources></file>{after}'
        "</files></metalink>"
    ).encode()


def test_every_line_is_a_base_url_but_blank_ones_and_comments() -> None:
    document = (
        "\ufeff# repo = fedora\r\n\r\n  http://a.test/r/ \t\r\n#http://no.test/\n"
        "https://b.test:8443/r\nftp://me:secret@c.test/r/\n\thttp://d.test"
    )
    mirrors = parse(document.encode())
    assert mirrors == (
        learnt("http://a.test/r/"),
        learnt("https://b.test:8443/r"),
        learnt("ftp://c.test/r/"),
        learnt("http://d.test/"),
    )
    assert {mirror.priority for mirror in mirrors} == {LOWEST_PRIORITY}


def test_variables_stand_for_what_the_caller_says() -> None:
    document = b"http://a.test/$releasever/$basearch/os/\nhttp://${a_1}.test/${basearch}x/$/$-"
    assert [str(mirror) for mirror in parse(document, variables=VARIABLES)] == [
        "http://a.test/41/x86_64/os/",
        "http://v.test/x86_64x/$/$-",
    ]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("http://a.test/$arch/", "nobody said what $arch is"),
        ("http://a.test/${basearch_x}/", "nobody said what $basearch_x is"),
        ("mirror.test/r/", "not an absolute URL (scheme://host/path)"),
        ("/srv/r/", "not an absolute URL (scheme://host/path)"),
        ("//a.test/r/", "not an absolute URL (scheme://host/path)"),
        ("http://a.test:x/", "malformed host or port"),
        ("http://", "malformed host"),
        ("http://a.test/ http://b.test/", None),
        ("rsync://a.test/r/", "the URL's scheme is none of http, https, ftp, ftps, file"),
        ("file:///etc/", "a fetched list may not name local files"),
        ("FILE:/etc/", "no // after the scheme"),
        ("http://a.test/\0", "control character 0x00"),
        (b"http://a.test/\xff", "not UTF-8"),
        ("http://a.test/" + "x" * 65_536, "longer than 65536 bytes"),
    ],
)
def test_a_bad_line_is_refused_with_its_number(line: str | bytes, reason: str | None) -> None:
    data = line if isinstance(line, bytes) else line.encode()
    if reason is None:  # a blank belongs to the path, as everywhere
        assert len(parse(data)) == 1
    else:
        assert refusal(b"http://good.test/\n" + data + b"\n") == f"line 2: {reason}"


@pytest.mark.fault(160)
def test_only_the_callers_own_list_may_name_local_folders() -> None:
    assert parse(b"file:///srv/r/\n", local=True) == (learnt("file:///srv/r/"),)
    told = refusal(metalink("<url>file:///srv/r/repodata/repomd.xml</url>"))
    assert told == "line 3: a fetched list may not name local files"


@pytest.mark.parametrize("document", ["", "\n\n", "# all gone\n", "\ufeff"])
def test_a_list_without_a_mirror_is_refused(document: str) -> None:
    assert refusal(document) == "a mirror list without a mirror"


@pytest.mark.fault(160)
def test_a_mirror_counts_once_and_a_thousand_are_kept() -> None:
    same = b"http://A.test/r/\n" * 10_000
    assert parse(same) == (learnt("http://a.test/r/"),)
    many = b"".join(b"http://m%d.test/\n" % n for n in range(1500))
    mirrors = parse(many)
    assert (len(mirrors), str(mirrors[-1])) == (1000, "http://m999.test/")
    assert refusal(many + b"bad\n") == "line 1501: not an absolute URL (scheme://host/path)"


@pytest.mark.fault(162)
def test_a_list_that_has_no_end_is_refused() -> None:
    assert refusal(b"\n" * (MAX_BYTES + 1)) == "a mirror list of more than 16777216 bytes"


def test_no_refusal_shows_a_password() -> None:
    for line in ("http://me:secret@a.test:x/", "rsync://me:secret@a.test/", "me:secret@a.test"):
        assert "secret" not in refusal(line)


class TestMetalinks:
    def test_the_bases_are_what_stands_before_repodata(self) -> None:
        document = metalink(
            '<url location="US" preference="90">http://a.test/r/os/repodata/repomd.xml</url>',
            '<url location="DE" preference="100">https://b.test/repodata/repomd.xml</url>',
            '<url type="rsync" preference="100">rsync://c.test/r/repodata/repomd.xml</url>',
        )
        assert parse(b"\xef\xbb\xbf \n" + document.partition(b"\n")[2]) == (
            learnt("https://b.test/", priority=1, location="de"),
            learnt("http://a.test/r/os/", priority=11, location="us"),
        )

    def test_one_of_version_4_will_do(self) -> None:
        document = (
            b'<metalink xmlns="urn:ietf:params:xml:ns:metalink"><file name="repomd.xml">'
            b'<url priority="3">http://a.test/r/repodata/repomd.xml</url></file></metalink>'
        )
        assert parse(document) == (learnt("http://a.test/r/", priority=3),)

    @pytest.mark.parametrize(
        ("document", "reason"),
        [
            (
                metalink("<url>http://a.test/r/repodata/repomd.xml</url>", name="primary.xml"),
                "a metalink that is not of one repomd.xml is no mirror list",
            ),
            (
                metalink(
                    "<url>http://a.test/r/repodata/repomd.xml</url>",
                    after='<file name="b"><resources><url>http://a/b</url></resources></file>',
                ),
                "a metalink that is not of one repomd.xml is no mirror list",
            ),
            (
                metalink("<url>http://a.test/r/repomd.xml</url>"),
                "line 3: a URL that does not end in /repodata/repomd.xml",
            ),
            (
                metalink("<url>http://a.test/repodata/repomd.xml?x</url>"),
                "line 3: a URL that does not end in /repodata/repomd.xml",
            ),
            (
                metalink("<url>r/repodata/repomd.xml</url>"),
                "line 3: a URL that does not end in /repodata/repomd.xml",
            ),
            (metalink(), "line 3: 'repomd.xml' has no URL that can be fetched"),
            (b"<html>log in</html>", "line 1: no metalink: its root element is 'html'"),
        ],
    )
    def test_others_are_refused(self, document: bytes, reason: str) -> None:
        assert refusal(document) == reason

    @pytest.mark.fault(162)
    def test_one_that_was_cut_at_any_byte_is_refused(self) -> None:
        document = metalink("<url>http://a.test/r/repodata/repomd.xml</url>")
        for cut in range(len(document)):
            with pytest.raises(ManifestError):
                parse(document[:cut])


@pytest.mark.fault(162)
def test_a_list_cut_at_any_byte_is_refused_or_names_the_first_of_its_mirrors() -> None:
    document = b"# x\r\nhttp://a.test/r/\r\nftp://b.test:21/$basearch\n"
    whole = parse(document, variables=VARIABLES)
    for cut in range(len(document)):
        with suppress(ManifestError):
            mirrors = parse(document[:cut], variables=VARIABLES)
            assert mirrors[:-1] == whole[: len(mirrors) - 1]


TAGS = ['<metalink xmlns="urn:ietf:params:xml:ns:metalink">', '<file name="repomd.xml">', "<url>"]
ENDS = ["/repodata/repomd.xml", "</url>", "</file>", "</metalink>"]
TEXTS = [
    "http://",
    "ftp://",
    "file:///",
    "a.test",
    "$basearch",
    "${",
    "}",
    "$",
    "# ",
    "\ufeff",
    "é",
]
FRAGMENTS = st.sampled_from([*TAGS, *ENDS, *TEXTS, *"<\r\n\t /:@?%"])


@given(
    data=st.one_of(
        st.binary(max_size=200),
        st.lists(FRAGMENTS, max_size=30).map(lambda parts: "".join(parts).encode()),
    ),
    local=st.booleans(),
)
@settings(max_examples=500, deadline=None)
def test_any_bytes_are_mirrors_or_a_manifest_error(data: bytes, local: bool) -> None:
    with suppress(ManifestError):
        mirrors = parse(data, local=local, variables=VARIABLES)
        assert mirrors
        assert all(mirror.is_learnt for mirror in mirrors)
        assert local or all(mirror.absolute.scheme != "file" for mirror in mirrors)
