"""Expectations: which can be meant, and how a try is judged by them."""

import hashlib
import pickle

import pytest

from pulp_download.errors import DigestMismatch, InvalidExpectation, SizeMismatch
from pulp_download.validations import (
    Checks,
    DigestValidation,
    SizeValidation,
    digest_size,
    expected_size,
    judges_content,
)

BODY = b"abc"
SHA256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
MD5 = "900150983cd24fb0d6963f7d28e17f72"
BASE64 = "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="


def judge(*validations: DigestValidation | SizeValidation, body: bytes = BODY) -> dict[str, str]:
    checks = Checks(validations)
    for start in range(len(body)):
        checks.update(body[start : start + 1])
    return checks.finish()


@pytest.mark.fault(150)
@pytest.mark.parametrize(
    ("algorithm", "digest"),
    [
        ("sha256", SHA256),
        ("sha256", SHA256.upper()),
        ("sha256", "Ba7816" + SHA256[6:]),
        ("SHA256", SHA256),
        ("SHA-256", SHA256),
        ("sha-256", SHA256),
    ],
)
def test_algorithm_and_digest_are_accepted_in_any_case(algorithm: str, digest: str) -> None:
    validation = DigestValidation(algorithm, digest)
    assert (validation.algorithm, validation.hexdigest) == ("sha256", SHA256)
    assert judge(validation) == {"sha256": SHA256}


@pytest.mark.fault(150)
@pytest.mark.parametrize(
    ("algorithm", "digest"),
    [
        pytest.param("sha256", SHA256[:-1], id="63 digits"),
        pytest.param("sha256", SHA256 + "0", id="65 digits"),
        pytest.param("sha256", "", id="no digits"),
        pytest.param("sha256", f"sha256:{SHA256}", id="prefix"),
        pytest.param("sha256", f"sha256:{SHA256[7:]}", id="prefix within the length"),
        pytest.param("sha256", BASE64, id="base64"),
        pytest.param("sha256", (BASE64 * 2)[:64], id="base64 of the length"),
        pytest.param("sha256", f" {SHA256}", id="blank before"),
        pytest.param("sha256", f"{SHA256}\n", id="newline after"),
        pytest.param("sha256", f" {SHA256[2:]} ", id="blanks within the length"),
        pytest.param("sha256", f"{SHA256[:-1]}\n", id="newline within the length"),
        pytest.param("sha256", f"0x{SHA256[2:]}", id="0x"),
        pytest.param("sha256", f"-{SHA256[1:]}", id="sign"),
        pytest.param("sha256", f"{SHA256[:32]}_{SHA256[33:]}", id="underscore"),
        pytest.param("sha256", "g" * 64, id="not hexadecimal"),
        pytest.param("sha256", "ab  " * 16, id="spaces between the digits"),
        pytest.param("sha256", "\u0661" * 64, id="Arabic digits"),
        pytest.param("sha256", "\uff11" * 64, id="full-width digits"),
        pytest.param("sha256", MD5, id="another algorithm's"),
        pytest.param("shake_128", "00" * 16, id="no fixed length"),
        pytest.param("SHAKE_256", "00" * 32, id="no fixed length, upper case"),
        pytest.param("crc32", "00000000", id="no digest"),
        pytest.param("sha257", SHA256, id="no such"),
        pytest.param("", SHA256, id="no algorithm"),
        pytest.param("sha256 ", SHA256, id="blank after the algorithm"),
        pytest.param("sha256\0", SHA256, id="NUL"),
        pytest.param("__init__", SHA256, id="another name of the module"),
        pytest.param(None, SHA256, id="None for an algorithm"),
        pytest.param("sha256", None, id="None for a digest"),
        pytest.param("sha256", SHA256.encode(), id="bytes"),
        pytest.param("sha256", bytes.fromhex(SHA256), id="raw bytes"),
        pytest.param("sha256", int(SHA256, 16), id="number"),
    ],
)
def test_what_can_be_no_digest_is_refused_at_construction(algorithm: str, digest: str) -> None:
    with pytest.raises(InvalidExpectation) as caught:
        DigestValidation(algorithm, digest)
    assert isinstance(caught.value, ValueError)
    assert str(caught.value).isprintable()


@pytest.mark.fault(150)
def test_a_digest_of_another_length_says_which_length_is_right() -> None:
    with pytest.raises(InvalidExpectation, match="64 hexadecimal digits, not 63"):
        DigestValidation("sha256", SHA256[:-1])


@pytest.mark.fault(150, 152)
@pytest.mark.parametrize("algorithm", sorted(hashlib.algorithms_available))
def test_every_algorithm_of_hashlib_works_or_says_why_not(algorithm: str) -> None:
    try:
        expected = hashlib.new(algorithm, BODY, usedforsecurity=False)
        hexdigest = expected.hexdigest()
    except (TypeError, ValueError):  # no fixed length, or switched off in this OpenSSL
        with pytest.raises(InvalidExpectation, match=r"length|not available"):
            DigestValidation(algorithm, "00")
        return
    validation = DigestValidation(algorithm, hexdigest)
    assert judge(validation) == {algorithm: hexdigest}
    assert digest_size(algorithm) == expected.digest_size
    with pytest.raises(DigestMismatch):
        judge(validation, body=b"abd")


def test_a_standard_spelling_with_a_hyphen_is_the_same_algorithm() -> None:
    expected = hashlib.sha3_256(BODY).hexdigest()
    assert judge(DigestValidation("SHA3-256", expected)) == {"sha3_256": expected}


@pytest.mark.fault(153)
@pytest.mark.parametrize(
    "size", [-1, -(2**63), 2**63, 10**30, 1.0, 1.5, float("nan"), True, False, "1", b"1", None]
)
def test_what_can_be_no_size_is_refused_at_construction(size: int) -> None:
    with pytest.raises(InvalidExpectation):
        SizeValidation(size)


@pytest.mark.fault(153)
def test_zero_is_an_expectation() -> None:
    assert judge(SizeValidation(0), body=b"") == {}
    with pytest.raises(SizeMismatch) as caught:
        judge(SizeValidation(0), body=b"x")
    assert (caught.value.expected, caught.value.actual) == (0, 1)
    assert expected_size([SizeValidation(0)]) == 0


def test_the_largest_size_of_a_database_column_is_accepted() -> None:
    assert SizeValidation(2**63 - 1).size == 2**63 - 1


@pytest.mark.fault(14)
def test_the_first_excess_byte_is_refused_when_it_comes() -> None:
    check = SizeValidation(3).start()
    check.update(b"abc")
    with pytest.raises(SizeMismatch) as caught:
        check.update(b"d")
    assert (caught.value.expected, caught.value.actual) == (3, 4)


@pytest.mark.fault(1)
def test_a_missing_byte_is_told_at_the_end() -> None:
    check = SizeValidation(3).start()
    check.update(b"ab")
    with pytest.raises(SizeMismatch) as caught:
        check.finish()
    assert (caught.value.expected, caught.value.actual) == (3, 2)


def test_a_wrong_digest_is_told_with_both() -> None:
    with pytest.raises(DigestMismatch) as caught:
        judge(DigestValidation("md5", "0" * 32))
    error = caught.value
    assert (error.algorithm, error.expected, error.actual) == ("md5", "0" * 32, MD5)


@pytest.mark.fault(151)
@pytest.mark.parametrize("reverse", [False, True])
def test_all_digests_must_hold_not_any(reverse: bool) -> None:
    right, wrong = DigestValidation("sha256", SHA256), DigestValidation("md5", "0" * 32)
    with pytest.raises(DigestMismatch) as caught:
        judge(*((right, wrong)[:: -1 if reverse else 1]))
    assert caught.value.algorithm == "md5"


@pytest.mark.fault(151)
def test_two_digests_of_one_algorithm_must_both_hold() -> None:
    with pytest.raises(DigestMismatch):
        judge(DigestValidation("md5", "0" * 32), DigestValidation("md5", MD5))


def test_several_digests_are_computed_in_one_pass() -> None:
    digests = judge(
        SizeValidation(3), DigestValidation("md5", MD5), DigestValidation("sha256", SHA256)
    )
    assert digests == {"md5": MD5, "sha256": SHA256}


def test_each_try_has_a_fresh_check() -> None:
    for validation in (SizeValidation(3), DigestValidation("md5", MD5)):
        first = validation.start()
        first.update(b"xy")
        second = validation.start()
        second.update(BODY)
        second.finish()


def test_a_check_takes_any_buffer_and_keeps_none() -> None:
    checks = Checks([SizeValidation(3), DigestValidation("md5", MD5)])
    buffer = bytearray(BODY)
    with memoryview(buffer)[2:] as view:
        for piece in (b"a", bytearray(b"b"), view):
            checks.update(piece)
    buffer.clear()  # raises BufferError where something still holds it
    assert checks.received == 3
    assert checks.finish() == {"md5": MD5}


@pytest.mark.fault(152)
def test_an_algorithm_that_is_switched_off_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def blocked(*args: object, **kwargs: object) -> None:
        raise ValueError("disabled for FIPS")

    digest_size.cache_clear()
    monkeypatch.setattr(hashlib, "new", blocked)
    try:
        with pytest.raises(InvalidExpectation, match="disabled for FIPS"):
            DigestValidation("md5", MD5)
    finally:
        digest_size.cache_clear()


def test_validations_are_values() -> None:
    for validation in (SizeValidation(3), DigestValidation("md5", MD5)):
        again = pickle.loads(pickle.dumps(validation))
        assert again == validation and hash(again) == hash(validation)
    with pytest.raises(AttributeError):
        SizeValidation(3).size = 4  # type: ignore[misc]
    assert DigestValidation("MD5", MD5.upper()) == DigestValidation("md5", MD5)


def test_only_something_besides_the_size_judges_content() -> None:
    size, digest = SizeValidation(3), DigestValidation("md5", MD5)
    assert not judges_content([])
    assert not judges_content([size])
    assert judges_content([size, digest])
    assert expected_size([digest]) is None
    assert expected_size([digest, size]) == 3
