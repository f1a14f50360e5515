"""Metalinks of both versions: what they tell, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pulp_download.errors import ManifestError
from pulp_download.mirrors.metalink import MetalinkFile, parse
from pulp_download.mirrors.mirror import LOWEST_PRIORITY, Mirror
from pulp_download.paths import safe_path
from pulp_download.pieces import Pieces
from tests.unit.memory import peak_of

MD5 = "0123456789abcdef" * 2
SHA1 = "0123456789" * 4
SHA256 = "0123456789abcdef" * 4
SHA512 = "0123456789abcdef" * 8
URL = "<url>http://a.test/x</url>"
ONE_PIECE = f"<hash>{MD5}</hash>"

FOUR = f"""<?xml version="1.0" encoding="UTF-8"?>
<metalink xmlns="urn:ietf:params:xml:ns:metalink">
  <generator>example</generator><origin dynamic="true">http://a.test/x.meta4</origin>
  <file name="sub/a.iso">
    <identity>A</identity><os>Linux</os>
    <size> 20 </size>
    <hash type="sha-256">{SHA256.upper()}</hash>
    <hash type="md5">
      {MD5}
    </hash>
    <hash type="zoom">abc</hash>
    <pieces length="8" type="sha-1">
      <hash>{SHA1}</hash><hash>{SHA1}</hash><hash>{SHA1}</hash></pieces>
    <pieces length="8" type="zoom"><hash>1</hash></pieces>
    <signature mediatype="application/pgp-signature">x</signature>
    <url location="GB" priority="2">ftp://b.test/a.iso</url>
    <url priority="1">
      https://a.test/a.iso?x=1&amp;y=2
    </url>
    <url>pool/a.iso</url>
    <url>magnet:?xt=urn:x</url>
    <url>rsync://c.test/a.iso</url>
    <metaurl mediatype="torrent" priority="1">http://a.test/a.torrent</metaurl>
  </file>
  <file name="b"><url location="europe">http://a.test/b</url></file>
</metalink>
"""

THREE = f"""<?xml version="1.0" encoding="utf-8"?>
<metalink version="3.0" xmlns="http://www.metalinker.org/" type="dynamic" pubdate="Wed, 22 Apr 2020
 06:00:00 GMT" generator="mirrormanager" xmlns:mm0="http://fedorahosted.org/mirrormanager">
 <files>
  <file name="repomd.xml">
   <mm0:timestamp>1587511200</mm0:timestamp>
   <size>20</size>
   <verification>
    <hash type="md5">{MD5}</hash>
    <hash type="sha256">{SHA256}</hash>
    <hash type="pgp">x</hash>
    <pieces length="16" type="sha1"><hash piece="0">{SHA1}</hash>
     <hash piece="1">{SHA1}</hash></pieces>
   </verification>
   <mm0:alternates>
    <mm0:alternate>
     <size>7045</size>
     <verification><hash type="md5">{"0" * 32}</hash></verification>
    </mm0:alternate>
   </mm0:alternates>
   <resources maxconnections="1">
    <url protocol="rsync" type="rsync" location="DE" preference="100">rsync://a.test/r/repomd.xml</url>
    <url protocol="http" type="http" location="US" preference="90">http://b.test/r/repomd.xml</url>
    <url protocol="https" type="https" location="DE" preference="100">https://a.test/r/repomd.xml</url>
    <url type="bittorrent" preference="100">http://a.test/r/repomd.xml.torrent</url>
    <url preference="0">http://c.test/r/repomd.xml</url>
    <url>http://d.test/r/repomd.xml</url>
   </resources>
  </file>
 </files>
</metalink>
"""


def read(text: str | bytes, *, piece: int = 65_536) -> list[MetalinkFile]:
    data = text.encode() if isinstance(text, str) else text
    return list(parse(data[start : start + piece] for start in range(0, len(data), piece)))


def refusal(text: str) -> str:
    with pytest.raises(ManifestError) as caught:
        read(text)
    return str(caught.value)


def four(inside: str, *, name: str = "x") -> str:
    """A metalink of version 4 whose file's elements are on the second line."""
    return (
        f'<metalink xmlns="urn:ietf:params:xml:ns:metalink"><file name="{name}">\n{inside}</file>'
        "</metalink>"
    )


def three(inside: str, *, name: str = "x") -> str:
    """The same of version 3."""
    return (
        f'<metalink xmlns="http://www.metalinker.org/"><files><file name="{name}">\n{inside}'
        "</file></files></metalink>"
    )


@pytest.mark.fault(159)
@pytest.mark.parametrize("piece", [1, 65_536])
def test_version_4_tells_files_with_their_digests_pieces_and_places(piece: int) -> None:
    assert read(FOUR, piece=piece) == [
        MetalinkFile(
            "sub/a.iso",
            (
                Mirror("https://a.test/a.iso?x=1&y=2", priority=1, is_learnt=True),
                Mirror("ftp://b.test/a.iso", priority=2, location="gb", is_learnt=True),
                Mirror("pool/a.iso", priority=999_999, is_learnt=True),
            ),
            size=20,
            digests=(("sha256", SHA256), ("md5", MD5)),
            pieces=Pieces("sha1", 8, (SHA1, SHA1, SHA1)),
            line=4,
        ),
        MetalinkFile("b", (Mirror("http://a.test/b", is_learnt=True),), line=25),
    ]


@pytest.mark.fault(159)
@pytest.mark.parametrize("piece", [1, 65_536])
def test_version_3_tells_the_same_and_its_preferences_become_priorities(piece: int) -> None:
    assert read(THREE, piece=piece) == [
        MetalinkFile(
            "repomd.xml",
            (
                Mirror("https://a.test/r/repomd.xml", priority=1, location="de", is_learnt=True),
                Mirror("http://b.test/r/repomd.xml", priority=11, location="us", is_learnt=True),
                Mirror("http://c.test/r/repomd.xml", priority=101, is_learnt=True),
                Mirror("http://d.test/r/repomd.xml", priority=999_999, is_learnt=True),
            ),
            size=20,
            digests=(("md5", MD5), ("sha256", SHA256)),
            pieces=Pieces("sha1", 16, (SHA1, SHA1)),
            line=5,
        )
    ]


def test_a_size_may_stand_after_the_pieces_and_an_empty_file_has_none() -> None:
    hashes = f"<hash>{SHA1}</hash>" * 2
    pieces = f'<pieces length="16" type="sha-1">{hashes}</pieces>'
    (file,) = read(four(f"{URL}{pieces}<size>17</size>"))
    assert file.pieces == Pieces("sha1", 16, (SHA1, SHA1))
    (file,) = read(four(f'{URL}<size>0</size><pieces length="16" type="sha-1"></pieces>'))
    assert (file.size, file.pieces) == (0, None)


def test_of_several_lists_of_pieces_the_one_with_the_longest_digests_counts() -> None:
    lists = [
        f'<pieces length="{length}" type="{kind}"><hash>{digest}</hash></pieces>'
        for length, kind, digest in [(1, "md5", MD5), (2, "sha-256", SHA256), (3, "sha-1", SHA1)]
    ]
    (file,) = read(four(URL + "".join(lists)))
    assert file.pieces == Pieces("sha256", 2, (SHA256,))


@pytest.mark.fault(159)
@pytest.mark.parametrize(
    ("inside", "reason"),
    [
        ("", "line 1: 'x' has no URL that can be fetched"),
        ("<url>magnet:?xt=urn:x</url>", "line 1: 'x' has no URL that can be fetched"),
        ("<url></url>", "line 2: not an absolute URL (scheme://host/path)"),
        ("<url> \n </url>", "line 2: not an absolute URL (scheme://host/path)"),
        ("<url>http://a.test:x/</url>", "line 2: malformed host or port"),
        ("<url>http://a.test/x\ny</url>", r"line 2: control character '\n' in URL"),
        ("<url>/x</url>", "line 2: not an absolute URL (scheme://host/path)"),
        ("<url>//b.test/x</url>", "line 2: not an absolute URL (scheme://host/path)"),
        ("<url>../x</url>", "line 2: a relative path may not lead upwards"),
        (
            '<url xml:base="http://b.test/">x</url>',
            "line 2: a URL relative to an xml:base, which is not read",
        ),
        (f"{URL}<size>-1</size>", "line 2: a size that is no number of bytes"),
        (f"{URL}<size>1e3</size>", "line 2: a size that is no number of bytes"),
        (f"{URL}<size></size>", "line 2: a size that is no number of bytes"),
        (
            f"{URL}<size>9223372036854775808</size>",
            "line 2: size 9223372036854775808 is out of range",
        ),
        (f"{URL}<size>1</size><size>1</size>", "line 2: a second size of one file"),
        (f"{URL}<hash>{MD5}</hash>", "line 2: a digest that does not say its type"),
        (
            f'{URL}<hash type="md5">{MD5[1:]}</hash>',
            "line 2: a md5 digest has 32 hexadecimal digits, not 31",
        ),
        (f'{URL}<hash type="md5">{MD5[1:]}x</hash>', "line 2: md5 digest is not hexadecimal"),
        (
            f'{URL}<hash type="md5">{MD5}</hash><hash type="MD5">{"0" * 32}</hash>',
            "line 2: two md5 digests of one file",
        ),
        (
            f'{URL}<pieces type="md5"><hash>{MD5}</hash></pieces>',
            "line 2: pieces without a length",
        ),
        (
            f'{URL}<pieces type="md5" length="0"><hash>{MD5}</hash></pieces>',
            "line 2: a piece has a length of at least 1, not 0",
        ),
        (
            f'{URL}<pieces type="md5" length="x"><hash>{MD5}</hash></pieces>',
            "line 2: a length that is no number",
        ),
        (
            f'{URL}<pieces type="md5" length="1"><hash>{SHA1}</hash></pieces>',
            "line 2: a md5 digest has 32 hexadecimal digits, not 40",
        ),
        (
            f'{URL}<size>9</size><pieces type="md5" length="4"><hash>{MD5}</hash></pieces>',
            "line 1: 'x' of 9 bytes has 3 pieces of 4, not 1",
        ),
        (
            f'{URL}<size>3</size><pieces type="md5" length="3">{ONE_PIECE * 2}</pieces>',
            "line 1: 'x' of 3 bytes has 1 pieces of 3, not 2",
        ),
        (
            '<url priority="0">http://a.test/x</url>',
            "line 2: a mirror's priority is 1 to 999999, not 0",
        ),
        (
            '<url priority="1000000">http://a.test/x</url>',
            "line 2: a mirror's priority is 1 to 999999, not 1000000",
        ),
        ('<url priority="-1">http://a.test/x</url>', "line 2: a priority that is no number"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_line(inside: str, reason: str) -> None:
    assert refusal(four(inside)) == reason


@pytest.mark.fault(159)
@pytest.mark.parametrize(
    ("inside", "reason"),
    [
        (
            '<resources><url preference="101">http://a.test/x</url></resources>',
            "line 2: a preference of more than 100",
        ),
        (
            '<resources><url preference="best">http://a.test/x</url></resources>',
            "line 2: a preference that is no number",
        ),
        (
            '<verification><pieces length="1" type="md5"><hash piece="1"/></pieces></verification>',
            "line 2: pieces that are not in order",
        ),
        (
            '<resources xml:base="http://b/"><url>x</url></resources>',
            "line 2: a URL relative to an xml:base, which is not read",
        ),
        ("<resources></resources>", "line 1: 'x' has no URL that can be fetched"),
    ],
)
def test_what_version_3_cannot_mean_is_refused_too(inside: str, reason: str) -> None:
    assert refusal(three(inside)) == reason


@pytest.mark.fault(116, 159)
@pytest.mark.parametrize("version", [three, four])
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("/etc/passwd", "it is absolute"),
        ("../x", "it leaves its folder by '..'"),
        ("a/../../x", "it leaves its folder by '..'"),
        ("~/x", "it starts with ~"),
        ("~root/x", "it starts with ~"),
        ("a\\x", "it has a backslash"),
        ("C:x", "it has a drive letter"),
        ("a/", "it has an empty component"),
        ("a&#10;b", "it has a control character"),
        ("", "it is empty"),
    ],
)
def test_a_name_that_leads_elsewhere_is_refused(version: object, name: str, reason: str) -> None:
    assert callable(version)
    told = refusal(version(f"<resources>{URL}</resources>{URL}", name=name))
    assert told.startswith("line 1: unsafe path ")
    assert told.endswith(f": {reason}")


def test_a_file_without_a_name_is_refused() -> None:
    text = f'<metalink xmlns="urn:ietf:params:xml:ns:metalink"><file>{URL}</file></metalink>'
    assert refusal(text) == "line 1: unsafe path '': it is empty"


@pytest.mark.fault(159)
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("<html/>", "line 1: no metalink: its root element is 'html'"),
        ("<metalink/>", "line 1: no metalink: its root element is 'metalink'"),
        ('<metalink xmlns="urn:x"/>', "line 1: no metalink: its root element is 'metalink'"),
        (
            '<metalink xmlns="http://www.metalinker.org/"><files/></metalink>',
            "a metalink without a file",
        ),
        ('<metalink xmlns="urn:ietf:params:xml:ns:metalink"/>', "a metalink without a file"),
        (
            four(URL).replace("urn:ietf:params:xml:ns:metalink", "http://www.metalinker.org/"),
            "a metalink without a file",
        ),
    ],
)
def test_what_is_no_metalink_is_refused(text: str, reason: str) -> None:
    assert refusal(text) == reason


def test_no_refusal_shows_a_password() -> None:
    for url in ("http://me:secret@a.test:x/", "http://me:sec/ret@a.test", "../me:secret@x?secret"):
        told = refusal(four(f"<url>{url}</url>"))
        assert "secret" not in told
        assert "ret@" not in told


@pytest.mark.fault(162)
@pytest.mark.parametrize("text", [THREE, FOUR])
def test_a_metalink_cut_at_any_byte_is_refused_after_the_files_before_the_cut(text: str) -> None:
    data = text.strip().encode()
    whole = read(data)
    for cut in range(len(data)):
        files: list[MetalinkFile] = []
        with pytest.raises(ManifestError):
            files.extend(parse([data[:cut]]))
        assert files == whole[: len(files)]
    assert read(data) == whole


@pytest.mark.fault(160)
def test_the_same_place_counts_once_and_the_first_says_what_it_is() -> None:
    urls = "".join(f'<url priority="{n}">http://a.test/x</url>' for n in range(2, 5_000))
    (file,) = read(four(f'<url priority="7">http://A.test/x#y</url>{urls}'))
    assert file.mirrors == (Mirror("http://a.test/x", priority=7, is_learnt=True),)


@pytest.mark.fault(158)
def test_of_thirty_thousand_mirrors_the_best_thousand_are_kept_in_flat_memory() -> None:
    def chunks() -> Iterator[bytes]:
        yield b'<metalink xmlns="urn:ietf:params:xml:ns:metalink"><file name="x">'
        for n in range(30_000):
            yield b'<url priority="%d">http://m%d.test/x</url>\n' % (30_000 - n, n)
        yield b"</file></metalink>"

    (file,), peak = peak_of(lambda: list(parse(chunks())))
    assert [mirror.priority for mirror in file.mirrors] == list(range(1, 1001))
    assert str(file.mirrors[0]) == "http://m29999.test/x"
    assert peak < 4_000_000


@pytest.mark.fault(158)
def test_memory_is_flat_in_the_number_of_files() -> None:
    def chunks() -> Iterator[bytes]:
        yield b'<metalink xmlns="urn:ietf:params:xml:ns:metalink">'
        for n in range(20_000):
            yield b'<file name="%d"><size>1</size><url>http://a.test/%d</url></file>\n' % (n, n)
        yield b"</metalink>"

    count, peak = peak_of(lambda: sum(1 for _ in parse(chunks())))
    assert count == 20_000
    assert peak < 1_000_000


TAGS = [tag for name in ("size", "url", "file", "pieces", "files", "verification", "resources")
        for tag in (f"<{name}>", f"</{name}>")]  # fmt: skip
FRAGMENTS = st.sampled_from(
    [
        *TAGS,
        '<metalink xmlns="urn:ietf:params:xml:ns:metalink">',
        '<metalink xmlns="http://www.metalinker.org/">',
        "</metalink>",
        '<file name="a">',
        '<file name="../a">',
        f'<hash type="md5">{MD5}</hash>',
        f'<hash piece="1">{SHA1}</hash>',
        '<pieces type="sha1" length="5">',
        '<url priority="',
        '<url location="de" preference="',
        '">',
        "http://a.test/",
        "file:///a",
        *"12/:@?é\n ",
    ]
)
NEARLY = st.lists(FRAGMENTS, max_size=30).map("".join)
INSIDE = st.builds(lambda version, inside: version(inside), st.sampled_from([three, four]), NEARLY)


def is_sound(file: MetalinkFile) -> bool:
    return (
        safe_path(file.name) == file.name
        and all(mirror.is_learnt for mirror in file.mirrors)
        and all(1 <= mirror.priority <= LOWEST_PRIORITY for mirror in file.mirrors)
        and 1 <= len(file.mirrors) <= 1000
        and file.line > 0
    )


@given(text=st.one_of(NEARLY, INSIDE))
@settings(max_examples=500, deadline=None)
def test_any_text_is_sound_files_or_a_manifest_error(text: str) -> None:
    with suppress(ManifestError):
        assert all(is_sound(file) for file in read(text))


@given(
    text=st.sampled_from([THREE, FOUR]),
    place=st.integers(0, 3000),
    junk=st.one_of(st.binary(max_size=4), FRAGMENTS.map(str.encode)),
)
@settings(max_examples=500, deadline=None)
def test_a_spoiled_metalink_is_sound_files_or_a_manifest_error(
    text: str, place: int, junk: bytes
) -> None:
    data = text.encode()
    place %= len(data)
    with suppress(ManifestError):
        assert all(is_sound(file) for file in read(data[:place] + junk + data[place + 1 :]))
