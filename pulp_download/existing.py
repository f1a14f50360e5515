"""Whether what already stands at the target is the file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from email.utils import formatdate

from pulp_download.errors import ValidationError
from pulp_download.validations import Checks, Validation, expected_size, judges_content
from pulp_download.writers import Existing


def could_be_right(existing: Existing, validations: Sequence[Validation]) -> bool:
    """Tell whether its size allows it; costs nothing."""
    return expected_size(validations) in (None, existing.size)


def verified_digests(
    existing: Existing, validations: Sequence[Validation], between: Callable[[], None]
) -> dict[str, str] | None:
    """Read it through the checks; return its digests, or None where it is not the file.

    Also None where nothing but the size is expected: equal sizes prove nothing. ``between`` is
    called between pieces and may raise to stop.
    """
    if not could_be_right(existing, validations) or not judges_content(validations):
        return None
    checks = Checks(validations)
    try:
        for chunk in existing.chunks():
            between()
            checks.update(chunk)
        return checks.finish()
    except ValidationError:
        return None


def needs_upstream(existing: Existing, validations: Sequence[Validation]) -> bool:
    """Tell whether it could be the file, and only upstream can say so."""
    return could_be_right(existing, validations) and not judges_content(validations)


def unchanged(existing: Existing) -> dict[str, str]:
    """Return the conditions that are answered by 304 if upstream has what stands there."""
    conditions = {"If-Modified-Since": formatdate(existing.mtime, usegmt=True)}
    if existing.etag is not None:
        conditions["If-None-Match"] = existing.etag
    return conditions
