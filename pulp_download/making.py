"""A file in the making: what a broken transfer left, and how it goes on (RFC 9110 section 13.1.5).

The bytes are in a sink. Here is what else must be known to continue behind them: the checks that
have seen them, whose they are, and which state of the file they belong to.
"""

from __future__ import annotations

import hashlib

from pulp_download.asking import Opened
from pulp_download.delivery import Delivery
from pulp_download.edition import Edition, content_coding, edition_of
from pulp_download.errors import DownloadError, ProtocolViolation, ValidationError, WriteError
from pulp_download.mirrors.mirror import Mirror
from pulp_download.ranges import PARTIAL, Span, part_of, unsatisfied_total
from pulp_download.repair import Repair, repair_of
from pulp_download.validations import Checks

# After these, what came before is as doubtful as what came last.
_WRONG = (ValidationError, ProtocolViolation, WriteError)


class Making:
    """The first ``offset`` bytes of a file, one at least.

    ``source`` is who gave the last of them (see source_key), and the edition is of there.
    ``answers`` are the statuses with which only somebody who asks for the rest is answered.
    """

    answers = PARTIAL

    __slots__ = ("checks", "edition", "source")

    def __init__(self, checks: Checks, edition: Edition, source: str):
        self.checks = checks
        self.edition = edition
        self.source = source

    @property
    def offset(self) -> int:
        """Bytes that are there and have been seen by the checks."""
        return self.checks.received

    @property
    def total(self) -> int | None:
        """The file's length, as expected or as told, or None."""
        expected = self.checks.expected_size
        return self.edition.total if expected is None else expected

    def conditions(self, source: Mirror, *, is_judged: bool) -> dict[str, str] | None:
        """Return the fields that ask a source for the rest, or None to ask for the whole file.

        Where nothing will judge the content, only the source that gave the first part may give the
        rest, and only with a validator.
        """
        is_same = self._is_of(source)
        if is_same and self.edition.refuses_ranges:
            return None
        asked = Span(self.offset).asked
        if is_same and self.edition.validator is not None:
            return {"Range": asked, "If-Range": self.edition.validator}
        return {"Range": asked} if is_judged else None

    def total_with(self, opened: Opened, source: Mirror) -> int | None:
        """Return the length of the file of which an answer is the rest, or None if it is not.

        A 206 is, if it begins where it was asked to and ends with the file, whose length and coding
        are those known, and if it names no other state of the file. A 416 is, if the file has no
        more bytes than there are.
        """
        told = opened.header("content-range")
        if opened.status == 416:
            total = unsatisfied_total(told) if told is not None else self.total
            return total if total == self.offset and self.total in (None, total) else None
        part = part_of(told)
        if part is None or part.start != self.offset:
            return None
        total = self.total if part.total is None else part.total
        is_rest = part.stop == total and self.total in (None, total)
        is_framed = opened.answer.length in (None, part.stop - part.start)
        is_alike = content_coding(opened.header) == self.edition.coding
        if self._is_of(source) and self.edition.is_contradicted_by(opened.header):
            return None
        return total if is_rest and is_framed and is_alike else None

    def repair(self) -> Repair | None:
        """Return what is to be mended of a file that was seen to its end, or None."""
        return repair_of(self.checks)

    def _is_of(self, source: Mirror) -> bool:
        return self.source == source_key(source)


def source_key(source: Mirror) -> str:
    """Return what tells a source from others, and holds none of its secrets."""
    return hashlib.sha256(str(source.url).encode("utf-8", "surrogateescape")).hexdigest()


def left_by(delivery: Delivery, error: BaseException, before: Making | None) -> Making | None:
    """Return what a delivery that broke with this error has made of the file, or None."""
    is_ours = isinstance(error, DownloadError) and not isinstance(error, _WRONG)
    if not delivery.received or not (is_ours or not isinstance(error, Exception)):
        return None
    return made_by(delivery, before)


def made_by(delivery: Delivery, before: Making | None) -> Making:
    """Return what a delivery has made of the file, going on with what was there ``before``."""
    source = source_key(delivery.source)
    if before is not None and before.source == source:
        return before  # the edition that a 206 is part of says more than the 206
    return Making(delivery.checks, edition_of(delivery.opened.header, delivery.size), source)
