"""What is noted on a partial file, so that a later run can tell whether to go on with it.

There are no secrets in it: of URLs and expectations it has digests.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import NamedTuple

from pulp_download.delivery import Delivery
from pulp_download.edition import Edition, edition_of
from pulp_download.errors import ValidationError
from pulp_download.making import Making, source_key
from pulp_download.validations import Checks, Validation, judges_content
from pulp_download.writers import Sink

# Counted up when a note of before would be misunderstood.
_VERSION = 1


class Note(NamedTuple):
    """Whose bytes they are, which state of the file they belong to, and what was expected of it.

    ``boot`` names the time between two starts of the system: what was written before the last one
    may never have reached the disk.
    """

    version: int
    source: str
    expected: str
    boot: str | None
    validator: str | None
    etag: str | None
    coding: str | None
    total: int | None


def noted(edition: Edition, source: str, validations: Sequence[Validation]) -> str:
    """Return the note on bytes of this edition; empty where nobody could trust them later."""
    if edition.validator is None and not judges_content(validations):
        return ""
    note = {
        "version": _VERSION,
        "source": source,
        "expected": _digest_of(validations),
        "boot": _boot(),
        "validator": edition.validator,
        "etag": edition.etag,
        "coding": edition.coding,
        "total": edition.total,
    }
    return json.dumps(note)


def describe(sink: Sink, delivery: Delivery, validations: Sequence[Validation]) -> None:
    """Have a sink note whose bytes it is about to get."""
    edition = edition_of(delivery.opened.header, delivery.size)
    sink.describe(noted(edition, source_key(delivery.source), validations))


def recalled(
    facts: str,
    validations: Sequence[Validation],
    chunks: Iterator[bytes],
    between: Callable[[], None],
) -> Making | None:
    """Return what these bytes are of the file, or None where they are of none, or another one.

    They are read through the checks, as if they had just come. ``between`` is called between chunks
    and may raise to stop.
    """
    note = _parsed(facts)
    if note is None or note.expected != _digest_of(validations):
        return None
    if not judges_content(validations) and not (note.validator and _is_of_now(note.boot)):
        return None
    edition = Edition(note.validator, note.etag, note.coding, note.total)
    making = Making(Checks(validations), edition, note.source)
    try:
        for chunk in chunks:
            between()
            making.checks.update(chunk)
    except ValidationError:
        return None
    is_too_long = making.total is not None and making.offset > making.total
    return None if is_too_long else making


def _parsed(facts: str) -> Note | None:
    with suppress(ValueError, TypeError):
        note = Note(**json.loads(facts))
        return note if note.version == _VERSION else None
    return None


def _digest_of(validations: Sequence[Validation]) -> str:
    """Return what equal expectations have in common; those that do not show what they are, none."""
    return hashlib.sha256(repr(tuple(validations)).encode("utf-8", "backslashreplace")).hexdigest()


def _is_of_now(boot: str | None) -> bool:
    return boot is not None and boot == _boot()


@cache
def _boot() -> str | None:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return None
