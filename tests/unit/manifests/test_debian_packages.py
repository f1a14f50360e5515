import pytest

from pulp_download.manifests import ManifestEntry
from tests.unit.manifests.reading import MD5, SHA1, SHA256, SHA512, read, refusal

STANZA = f"""Package: a
Description: first line
 more: of it
 .
\tand more
FILENAME: pool/a_1%3a2~b.deb
Size: 12
MD5sum: {MD5}
SHA1: {SHA1}
sha256:{SHA256.upper()}
SHA512:  {SHA512}
Tag:
 x::y
"""


def test_every_stanza_is_a_file_with_all_its_digests_strongest_first() -> None:
    second = f"Package: b\nFilename: ./b.deb\nSize: 0\nMD5sum: {MD5}\n"
    assert read(f"\n{STANZA}\n \n{second}") == [
        ManifestEntry(
            "pool/a_1%3a2~b.deb",
            size=12,
            digests=(("sha512", SHA512), ("sha256", SHA256), ("sha1", SHA1), ("md5", MD5)),
            line=2,
        ),
        ManifestEntry("b.deb", size=0, digests=(("md5", MD5),), line=17),
    ]


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("FILENAME: pool/a_1%3a2~b.deb\n", "", "line 3: a stanza without Filename"),
        ("Size: 12\n", "", "line 3: a stanza without Size"),
        ("Size: 12", "Size: twelve", "line 9: size 'twelve' is not a number of bytes"),
        ("Size: 12", "Size:", "line 9: size '' is not a number of bytes"),
        ("Size: 12", "Size: 12\nSIZE: 12", "line 10: a second 'SIZE' in one stanza"),
        ("Tag:", "package: b\nTag:", "line 14: a second 'package' in one stanza"),
        ("Size: 12", "Size: 12\n 3", "line 10: a continuation of no field or of a simple one"),
        ("Package: a\n", " x\n", "line 3: a continuation of no field or of a simple one"),
        ("Package: a\n", "Package a\n", "line 3: 'Package a' is no field"),
        ("Package: a\n", "# comment\n", "line 3: '# comment' is no field"),
        ("Package: a\n", "Pack age: a\n", "line 3: 'Pack age: a' is no field"),
        (
            "~b.deb",
            "/../b.deb",
            "line 8: unsafe path 'pool/a_1%3a2/../b.deb': it leaves its folder by '..'",
        ),
        (SHA1, SHA1[1:], "line 11: a sha1 digest has 40 hexadecimal digits, not 39"),
    ],
)
def test_a_bad_stanza_is_refused_with_the_line(old: str, new: str, reason: str) -> None:
    assert old in STANZA
    text = f"\n\n{STANZA.replace(old, new, 1)}\nPackage: b\n"
    assert str(refusal(text, format="debian-packages")) == reason


def test_a_stanza_without_any_digest_is_refused() -> None:
    error = refusal("\nPackage: a\nFilename: a\nSize: 1\n")
    assert str(error) == "line 2: a stanza without a digest"


def test_a_line_of_a_real_index_may_be_longer_than_in_other_formats() -> None:
    provides = "Provides: " + "librust-winapi+x-dev (= 0.3.9), " * 30_000
    assert 900_000 < len(provides) < 2**20
    assert len(read(f"{STANZA}{provides}\n")) == 1
    too_long = f"Provides: {'x' * 2**20}\n"
    assert str(refusal(STANZA + too_long)) == "line 14: longer than 1048576 bytes"


def test_a_stanza_of_endlessly_many_fields_is_refused() -> None:
    text = "".join(f"Field-{number}: x\n" for number in range(2000))
    assert str(refusal(f"Package: a\n{text}")) == "line 1001: more than 1000 fields in one stanza"
