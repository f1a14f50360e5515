"""Expectations that a file must meet, and the checks that a run feeds with its bytes.

A validation is a value and remembers nothing: ``start()`` gives each try a fresh check. Bytes are
those sent on the wire, before any content coding is undone, for digests describe published bytes.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Protocol

from pulp_download.errors import DigestMismatch, InvalidExpectation, SizeMismatch

Chunk = bytes | bytearray | memoryview


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
        if not re.fullmatch("[0-9a-fA-F]*", self.hexdigest):
            raise InvalidExpectation(f"{algorithm} digest is not hexadecimal")
        object.__setattr__(self, "algorithm", algorithm)
        object.__setattr__(self, "hexdigest", self.hexdigest.lower())

    def start(self) -> _DigestCheck:
        return _DigestCheck(self)


class _DigestCheck:
    __slots__ = ("_hash", "_validation", "update")

    def __init__(self, validation: DigestValidation):
        self._validation = validation
        self._hash = hashlib.new(validation.algorithm, usedforsecurity=False)
        self.update = self._hash.update

    @property
    def hexdigest(self) -> str:
        return self._hash.hexdigest()

    def finish(self) -> None:
        actual = self._hash.hexdigest()
        if actual != self._validation.hexdigest:
            raise DigestMismatch(self._validation.algorithm, self._validation.hexdigest, actual)


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
    """All checks of one try, in one pass over the bytes."""

    __slots__ = ("_checks", "received")

    def __init__(self, validations: Iterable[Validation]):
        self._checks = [validation.start() for validation in validations]
        self.received = 0

    def update(self, chunk: Chunk) -> None:
        """Take the next bytes, or raise the ValidationError that they cause."""
        self.received += len(chunk)
        for check in self._checks:
            check.update(chunk)

    def finish(self) -> dict[str, str]:
        """Take the end; return the digests that were computed, lower-case hex by algorithm."""
        for check in self._checks:
            check.finish()
        return {
            check._validation.algorithm: check.hexdigest
            for check in self._checks
            if isinstance(check, _DigestCheck)
        }


def expected_size(validations: Sequence[Validation]) -> int | None:
    """Return the size that the file must have, if one is expected."""
    return next((v.size for v in validations if isinstance(v, SizeValidation)), None)


def judges_content(validations: Sequence[Validation]) -> bool:
    """Tell whether anything but the size is judged, so that equal bytes can be recognised."""
    return any(not isinstance(v, SizeValidation) for v in validations)
