"""Digest fields: what an answer claims of its file, if it can be meant."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pulp_download.mirrors.digest_fields import claimed
from pulp_download.validations import DigestValidation

# Of the three bytes "abc".
SHA512 = "3a81oZNherrMQXNJriBBMRLm+k6JqX6iCp7u5ktV05ohkpkqJ0/BqDa6PCOj/uu9RU1EI2Q86A4qmslPpUyknw=="
SHA256 = "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="
SHA1 = "qZk+NkcGgWq6PiVxeFDCbJzQ2J0="
MD5 = "kAFQmDzST7DWlj99KOF/cg=="
OTHER = "A" * 43 + "="

SHA256_EXPECTED = DigestValidation(
    "sha256", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
)
SHA1_EXPECTED = DigestValidation("sha1", "a9993e364706816aba3e25717850c26c9cd0d89d")
MD5_EXPECTED = DigestValidation("md5", "900150983cd24fb0d6963f7d28e17f72")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (f"sha-256=:{SHA256}:", SHA256_EXPECTED),
        (f"  sha-256=:{SHA256}: ", SHA256_EXPECTED),
        (f"sha-256=:{SHA256.rstrip('=')}:", SHA256_EXPECTED),
        (f"md5=:{MD5}:, sha-256=:{SHA256}:,sha=:{SHA1}:", SHA256_EXPECTED),
        (f"crc32c=:AAAAAA==:, md5=:{MD5}:", MD5_EXPECTED),
        (f'sha-256=:{SHA256}:;q=1; a;b="x, y";c=?0;d=:AA==:, new=:AA==:', SHA256_EXPECTED),
        ("crc32c=:AAAAAA==:", None),
    ],
)
def test_repr_digest_is_a_dictionary_of_byte_sequences(
    value: str, expected: DigestValidation | None
) -> None:
    assert claimed([value]) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (f"SHA-256={SHA256}", SHA256_EXPECTED),
        (f"sha-256={SHA256}", SHA256_EXPECTED),
        (f"SHA={SHA1}, MD5={MD5}", SHA1_EXPECTED),
        (f"UNIXsum=30637,ADLER32=03da0195,MD5={MD5}", MD5_EXPECTED),
        ("UNIXsum=30637", None),
    ],
)
def test_digest_is_a_list_of_instances(value: str, expected: DigestValidation | None) -> None:
    assert claimed(digest=[value]) == expected


def test_the_strongest_of_all_fields_and_all_their_lines_counts() -> None:
    lines = [f"sha=:{SHA1}:", f"sha-256=:{SHA256}:"]
    assert claimed(lines, [f"MD5={MD5}"]) == SHA256_EXPECTED
    found = claimed([*lines, f"sha-512=:{SHA512}:"], [f"SHA-256={SHA256}"])
    assert found is not None
    assert (found.algorithm, found.hexdigest[:8]) == ("sha512", "ddaf35a1")
    assert claimed([], [f"MD5={MD5}"]) == MD5_EXPECTED
    assert claimed() is None
    assert claimed([""], [" "]) is None


@pytest.mark.fault(150)
@pytest.mark.parametrize(
    "value",
    [
        "sha-256",
        "sha-256=",
        "sha-256=::",
        f"sha-256={SHA256}",
        f"sha-256=:{SHA256}",
        f'sha-256="{SHA256}"',
        f"SHA-256=:{SHA256}:",
        f"sha-256=:{SHA256[:-4]}:",
        f"sha-256=:{SHA256[:-2]}:",
        f"sha-256=:{SHA256}==:",
        f"sha-256=:{SHA256[:8]}={SHA256[8:]}:",
        f"sha-256=:{SHA256[:8]} {SHA256[8:]}:",
        f"sha-256=:{SHA1}:",
        f"sha-256=:{MD5}:, sha=:{SHA1}:",
        f"sha-256=:{SHA256}:, md5",
        f"sha-256=:{SHA256}:,",
        f",sha-256=:{SHA256}:",
        f"sha-256=:{SHA256}: md5=:{MD5}:",
        f"sha-256=:{SHA256}:, sha-256=:{OTHER}:",
        f"sha-256=:{SHA256}:;",
        "é",
    ],
)
def test_what_is_malformed_claims_nothing(value: str) -> None:
    assert claimed([value]) is None
    assert claimed([value], [f"SHA-256={SHA256}"]) is None


@pytest.mark.fault(150)
@pytest.mark.parametrize(
    "value",
    [
        "SHA-256",
        "SHA-256=",
        SHA256,
        f"SHA-256:{SHA256}",
        f"SHA-256={SHA256_EXPECTED.hexdigest}",
        f"SHA-256={SHA256[1:]}",
        f"SHA-256={SHA256}; q=1",
        f"SHA-256={SHA256},,MD5={MD5}",
        f"SHA-256={SHA256},SHA-256={OTHER}",
        f"SHA-256=:{SHA256}:",
        f"MD5={SHA256},SHA-256={SHA256}",
    ],
)
def test_an_old_field_that_is_malformed_claims_nothing(value: str) -> None:
    assert claimed(digest=[value]) is None


def test_fields_that_contradict_each_other_claim_nothing() -> None:
    assert claimed([f"sha-256=:{SHA256}:"], [f"SHA-256={OTHER}"]) is None
    assert claimed([f"sha-256=:{SHA256}:", f"sha-256=:{SHA256}:"]) == SHA256_EXPECTED


def test_a_hostile_value_takes_no_time() -> None:
    for text in ("a=:", ";a", '"\\', "a=::,", "=", ';a="x"'):
        assert claimed([text * 20_000], [text * 20_000]) is None
        assert claimed([f"a=:AA==:{text * 20_000}"]) is None


FRAGMENTS = st.sampled_from(
    ["sha-256=", "SHA-256=", "md5=", "MD5=", SHA256, MD5, OTHER, *':,;= "\\é\n\0Aa?', "sha=:", ":"]
)
VALUES = st.lists(
    st.one_of(st.text(max_size=60), st.lists(FRAGMENTS, max_size=12).map("".join)), max_size=3
)


@given(repr_digest=VALUES, digest=VALUES)
@settings(max_examples=500, deadline=None)
def test_no_value_raises(repr_digest: list[str], digest: list[str]) -> None:
    found = claimed(repr_digest, digest)
    assert found is None or found.algorithm in ("sha512", "sha256", "sha1", "md5")
