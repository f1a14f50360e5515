import pytest

from pulp_download.manifests import ManifestEntry
from pulp_download.manifests.checksums import algorithm_named
from tests.unit.manifests.reading import MD5, OTHER, SHA1, SHA256, SHA512, read, refusal


def test_text_binary_and_tagged_lines_are_read() -> None:
    text = "\n".join(
        [
            f"{SHA256}  a b",
            f"{SHA256} *sub/c",
            f"SHA256 (d)e) = {SHA256}",
            f"{SHA256.upper()}   f",
            f"{SHA256}  *g",
            "",
            "# comment",
            f"{SHA256}  ./h",
        ]
    )
    digests = (("sha256", SHA256),)
    assert read(text) == [
        ManifestEntry("a b", digests=digests, line=1),
        ManifestEntry("sub/c", digests=digests, line=2),
        ManifestEntry("d)e", digests=digests, line=3),
        ManifestEntry(" f", digests=digests, line=4),
        ManifestEntry("*g", digests=digests, line=5),
        ManifestEntry("h", digests=digests, line=8),
    ]


@pytest.mark.parametrize(
    ("digits", "algorithm"),
    [
        (32, "md5"),
        (40, "sha1"),
        (56, "sha224"),
        (64, "sha256"),
        (96, "sha384"),
        (128, "sha512"),
    ],
)
def test_the_length_tells_the_algorithm_where_the_name_does_not(
    digits: int, algorithm: str
) -> None:
    entry = read(f"{'a' * digits}  x\n", name="CHECKSUMS")[0]
    assert entry.digests == ((algorithm, "a" * digits),)


@pytest.mark.parametrize(
    ("name", "algorithm"),
    [
        ("SHA256SUMS", "sha256"),
        ("SHA512SUMS.asc", "sha512"),
        ("sha256sum.txt", "sha256"),
        ("sha512.sum", "sha512"),
        ("MD5SUMS", "md5"),
        ("MD5SUM", "md5"),
        ("B2SUMS", "blake2b"),
        ("b2sums.txt", "blake2b"),
        ("foo.blake2b", "blake2b"),
        ("foo.iso.sha256", "sha256"),
        ("foo.iso.sha1sum", "sha1"),
        ("sha1-tools.tar.gz.sha384", "sha384"),
        ("foo-SHA224SUMS", "sha224"),
        ("CHECKSUMS", None),
        ("sha1-tools-CHECKSUM", None),
        ("foob2", None),
        ("mysha256", None),
        ("sha2567", None),
    ],
)
def test_the_manifests_name_tells_the_algorithm(name: str, algorithm: str | None) -> None:
    assert algorithm_named(name) == algorithm


def test_a_b2_list_of_512_bits_is_blake2b_not_sha512() -> None:
    assert read(f"{SHA512}  x\n", name="B2SUMS")[0].digests == (("blake2b", SHA512),)
    assert read(f"{SHA512}  x\n", name="list")[0].digests == (("sha512", SHA512),)


@pytest.mark.parametrize(
    ("tag", "digest", "algorithm"),
    [
        ("MD5", MD5, "md5"),
        ("SHA1", SHA1, "sha1"),
        ("SHA224", "a" * 56, "sha224"),
        ("SHA256", SHA256, "sha256"),
        ("SHA384", "a" * 96, "sha384"),
        ("SHA512", SHA512, "sha512"),
        ("SHA3-256", SHA256, "sha3_256"),
        ("BLAKE2b", SHA512, "blake2b"),
    ],
)
def test_a_tag_tells_the_algorithm(tag: str, digest: str, algorithm: str) -> None:
    assert read(f"{tag} (x) = {digest}\n")[0].digests == ((algorithm, digest),)


@pytest.mark.parametrize(
    ("line", "name", "reason"),
    [
        (f"SM3 (x) = {OTHER}", "l", "'SM3' digests are not supported"),
        (f"BLAKE2b-256 (x) = {OTHER}", "l", "'BLAKE2b-256' digests are not supported"),
        (f"MD5 (x) = {MD5}", "SHA256SUMS", "a md5 digest in a list of sha256 digests"),
        (f"MD5 (x) = {SHA1}", "l", "a md5 digest has 32 hexadecimal digits, not 40"),
        ("SHA256 (x) = A+/=", "l", "digest 'A+/=' is not hexadecimal"),
        (f"{MD5}  x", "SHA256SUMS", "a sha256 digest has 64 hexadecimal digits, not 32"),
        (f"{OTHER[1:]}  x", "l", "no known digest has 63 hexadecimal digits"),
        (f"{OTHER[1:]}g  x", "l", f"digest '{OTHER[1:]}g' is not hexadecimal"),
        (f"{OTHER[2:]}_1  x", "l", f"digest '{OTHER[2:]}_1' is not hexadecimal"),
        (
            f"{OTHER[2:]}\uff11\uff11  x",
            "l",
            f"digest '{OTHER[2:]}\uff11\uff11' is not hexadecimal",
        ),
        ("hello  world", "l", "digest 'hello' is not hexadecimal"),
        (f"{OTHER} x", "l", "neither 'DIGEST  NAME' nor 'ALGORITHM (NAME) = DIGEST'"),
        (OTHER, "l", "neither 'DIGEST  NAME' nor 'ALGORITHM (NAME) = DIGEST'"),
        (f"{OTHER}  ", "l", "unsafe path '': it is empty"),
        ("12738659 1 x", "l", "neither 'DIGEST  NAME' nor 'ALGORITHM (NAME) = DIGEST'"),
    ],
)
def test_a_bad_line_is_refused_with_its_number(line: str, name: str, reason: str) -> None:
    first = f"{OTHER}  a\n"
    error = refusal(f"{first}{line}\n{first}", format="checksums", name=name)
    assert (error.line, str(error)) == (2, f"line 2: {reason}")


def test_a_leading_backslash_says_that_the_name_is_escaped() -> None:
    assert read(f"\\{SHA256}  plain\n")[0].path == "plain"
    assert read(f"\\SHA256 (plain) = {SHA256}\n")[0].path == "plain"


@pytest.mark.fault(123)
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        (r"new\nline", r"line 1: unsafe path 'new\\nline': it has a control character"),
        (r"return\r", r"line 1: unsafe path 'return\\r': it has a control character"),
        (r"back\\slash", r"line 1: unsafe path 'back\\slash': it has a backslash"),
        (r"\\n", r"line 1: unsafe path '\\n': it has a backslash"),
        (r"tab\t", "line 1: a backslash that escapes nothing"),
        ("end\\", "line 1: a backslash that escapes nothing"),
    ],
)
def test_an_escaped_name_is_unescaped_and_then_refused(name: str, reason: str) -> None:
    assert str(refusal(f"\\{SHA256}  {name}\n")) == reason
    assert str(refusal(f"\\SHA256 ({name}) = {SHA256}\n")) == reason


SIGNED = f"""-----BEGIN PGP SIGNED MESSAGE-----
Hash: SHA512

# a comment
{SHA256}  a
- -----

- {SHA256}  b
-----BEGIN PGP SIGNATURE-----

iQIzBAEBCgAdFiEE
-----END PGP SIGNATURE-----
"""


def test_a_signed_list_is_read_without_its_signature() -> None:
    text = SIGNED.replace("- -----\n", "")
    assert [(entry.path, entry.line) for entry in read(text)] == [("a", 5), ("b", 7)]
    assert read("\n" + text.replace("\n", "\r\n"))[0].path == "a"


def test_a_dash_escaped_line_is_unescaped() -> None:
    assert str(refusal(SIGNED)) == (
        "line 6: neither 'DIGEST  NAME' nor 'ALGORITHM (NAME) = DIGEST'"
    )


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("-----END PGP SIGNATURE-----\n", "", "line 1: the signed message has no end;"),
        (
            "-----BEGIN PGP SIGNATURE-----\n\niQIzBAEBCgAdFiEE\n-----END PGP SIGNATURE-----\n",
            "",
            "line 1: the signed message has no end;",
        ),
        ("-----END PGP SIGNATURE-----\n", f"-----END PGP SIGNATURE-----\n{SHA256}  c\n", "line 12"),
        (f"# a comment\n{SHA256}  a\n", f"-{SHA256}  a\n", "line 4: malformed line in"),
        ("Hash: SHA512\n", f"{SHA256}  x\n", "line 2: malformed header"),
    ],
)
@pytest.mark.fault(162)
def test_nothing_outside_the_signed_text_is_taken_for_it(old: str, new: str, reason: str) -> None:
    text = SIGNED.replace("- -----\n", "")
    assert old in text
    assert str(refusal(text.replace(old, new), format="checksums")).startswith(reason)


def test_text_before_a_signed_message_is_refused() -> None:
    text = SIGNED.replace("- -----\n", "")
    assert refusal(f"{SHA256}  x\n{text}").line == 2
