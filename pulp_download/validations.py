"""Expectations that a file must meet, and the checks that a run feeds with its bytes.

A validation is a value and remembers nothing: ``start()`` gives each try a fresh check. Bytes are
those sent on the wire, before any content coding is undone, for digests describe published bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, Protocol, TypeVar

from pulp_download.errors import DigestMismatch, InvalidExpectation, SizeMismatch

Chunk = bytes | bytearray | memoryview
Found = TypeVar("Found")


class Check(Protocol):
    """One try's judgement. Raises a ValidationError as soon as it knows."""

    def update(self, chunk: Chunk) -> None:
        """Take the next bytes; ``chunk`` must not be kept, its memory is used again."""

    def finish(self) -> None:
        """Take the end of the body."""


class Validation(Protocol):
    """An expectation; any frozen object with a ``start()`` will do."""

    def start(self) -> Check:
        """Return a fresh check for one try."""


@dataclass(frozen=True, slots=True)
class SizeValidation:
    """The file has exactly ``size`` bytes (0 is an expectation like any other)."""

    size: int

    def __post_init__(self) -> None:
        if isinstance(self.size, bool) or not isinstance(self.size, int):
            raise InvalidExpectation(f"size must be a whole number, not {self.size!r}")
        if not 0 <= self.size < 2**63:
            raise InvalidExpectation(f"size {self.size} is out of range")

    def start(self) -> _SizeCheck:
        return _SizeCheck(self.size)


class _SizeCheck:
    __slots__ = ("_expected", "_received")

    def __init__(self, expected: int):
        self._expected = expected
        self._received = 0

    def update(self, chunk: Chunk) -> None:
        self._received += len(chunk)
        if self._received > self._expected:
            raise SizeMismatch(self._expected, self._received)

    def finish(self) -> None:
        if self._received != self._expected:
            raise SizeMismatch(self._expected, self._received)


@dataclass(frozen=True, slots=True)
class DigestValidation:
    """The file's digest by ``algorithm`` (any of hashlib with a fixed length) is ``hexdigest``.

    Both are accepted in any case and kept in lower case. A digest that cannot be one (wrong length,
    not hexadecimal, unknown algorithm) is refused here, before anything is fetched.
    """

    algorithm: str
    hexdigest: str

    def __post_init__(self) -> None:
        if not isinstance(self.algorithm, str) or not isinstance(self.hexdigest, str):
            raise InvalidExpectation("algorithm and digest must be text")
        algorithm = _canonical(self.algorithm)
        length = 2 * digest_size(algorithm)
        if len(self.hexdigest) != length:
            raise InvalidExpectation(
                f"a {algorithm} digest has {length} hexadecimal digits, not {len(self.hexdigest)}"
            )
        try:
            digest = bytes.fromhex(self.hexdigest)
        except ValueError:
            digest = b""
        if 2 * len(digest) != length:  # spaces are passed over
            raise InvalidExpectation(f"{algorithm} digest is not hexadecimal")
        hexdigest = self.hexdigest.lower()
        if algorithm != self.algorithm or hexdigest != self.hexdigest:
            object.__setattr__(self, "algorithm", algorithm)
            object.__setattr__(self, "hexdigest", hexdigest)

    def start(self) -> _DigestCheck:
        return _DigestCheck(self)


class _DigestCheck:
    __slots__ = ("_hash", "update", "validation")

    def __init__(self, validation: DigestValidation):
        self.validation = validation
        self._hash = constructor(validation.algorithm)(usedforsecurity=False)
        self.update = self._hash.update

    def finish(self) -> None:
        actual = self._hash.hexdigest()
        if actual != self.validation.hexdigest:
            raise DigestMismatch(self.validation.algorithm, self.validation.hexdigest, actual)


@cache
def constructor(algorithm: str) -> Callable[..., Any]:
    """Return what makes a hash object; ``hashlib.new`` would look it up every time."""
    return getattr(hashlib, algorithm, None) or partial(hashlib.new, algorithm)


@cache
def _canonical(algorithm: str) -> str:
    lower = algorithm.lower()
    # "SHA-256" is sha256 here, and "SHA3-256" sha3_256.
    for spelling in (algorithm, lower, lower.replace("-", ""), lower.replace("-", "_")):
        if spelling in hashlib.algorithms_available:
            return spelling.lower()
    raise InvalidExpectation(f"unknown digest algorithm {algorithm[:40]!r}")


@cache
def digest_size(algorithm: str) -> int:
    """Return a digest's length in bytes, or raise InvalidExpectation where it is not fixed."""
    try:
        size = hashlib.new(_canonical(algorithm), usedforsecurity=False).digest_size
    except ValueError as error:
        raise InvalidExpectation(f"{algorithm} is not available here: {error}") from None
    if size == 0:
        raise InvalidExpectation(f"{algorithm} has no fixed digest length")
    return size


class Checks:
    """All checks of one try, in one pass over the bytes.

    ``expected_size`` and ``judge_content`` are what the functions of like names say of the
    validations.
    """

    __slots__ = ("_checks", "expected_size", "judge_content", "received")

    def __init__(self, validations: Iterable[Validation]):
        self.received = 0
        self.expected_size: int | None = None
        self.judge_content = False
        self._checks: list[Check] = []
        for validation in validations:
            if type(validation) is not SizeValidation:
                self.judge_content = True
                self._checks.append(validation.start())
            elif self.expected_size is None:
                self.expected_size = validation.size  # the bytes are counted here in any case
            else:
                self._checks.append(validation.start())

    def add(self, validation: Validation) -> None:
        """Judge by one more, before the first byte."""
        self._checks.append(validation.start())

    def update(self, chunk: Chunk) -> None:
        """Take the next bytes, or raise the ValidationError that they cause."""
        self.received += len(chunk)
        if self.expected_size is not None and self.received > self.expected_size:
            raise SizeMismatch(self.expected_size, self.received)
        for check in self._checks:
            check.update(chunk)

    def find(self, kind: type[Found]) -> Found | None:
        """Return the first check of this kind."""
        return next((check for check in self._checks if isinstance(check, kind)), None)

    def finish(self) -> dict[str, str]:
        """Take the end; return the digests that were computed, lower-case hex by algorithm."""
        if self.expected_size is not None and self.received != self.expected_size:
            raise SizeMismatch(self.expected_size, self.received)
        digests = {}
        for check in self._checks:
            check.finish()
            if isinstance(check, _DigestCheck):  # which are now as expected
                digests[check.validation.algorithm] = check.validation.hexdigest
        return digests


def expected_size(validations: Sequence[Validation]) -> int | None:
    """Return the size that the file must have, if one is expected."""
    return next((v.size for v in validations if isinstance(v, SizeValidation)), None)


def judges_content(validations: Sequence[Validation]) -> bool:
    """Tell whether anything but the size is judged, so that equal bytes can be recognised."""
    for validation in validations:  # noqa: SIM110 (this is called for every file)
        if type(validation) is not SizeValidation:
            return True
    return False


def repairable(validations: Sequence[Validation]) -> Sequence[Validation]:
    """Return the validations; of those for pieces the first is patient, and judges first."""
    for pieces in validations:
        if hasattr(pieces, "patient"):
            rest = (each for each in validations if each is not pieces)
            return (pieces.patient(), *rest)
    return validations
