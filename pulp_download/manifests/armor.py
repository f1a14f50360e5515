"""The text inside a PGP cleartext signature (RFC 9580 section 7); nothing is verified."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pulp_download.errors import ManifestError
from pulp_download.lines import Lines

BEGIN = "-----BEGIN PGP SIGNED MESSAGE-----"
_SIGNATURE = "-----BEGIN PGP SIGNATURE-----"
_END = "-----END PGP SIGNATURE-----"
_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]*: .+")


def signed_text(lines: Lines) -> Iterator[tuple[int, str]]:
    """Yield the lines as they are, or those that a cleartext signature covers.

    **The signature is not verified**: that needs keys, and is the caller's to do before. What is
    guaranteed: a signed file is whole (its end is there), and nothing outside the signed text is
    taken for it: text before or after is refused. Dash-escaped lines are unescaped.
    """
    rest = iter(lines)
    for number, text in rest:
        if text.rstrip() == BEGIN:
            yield from _body(rest, number)
            return
        yield number, text
        if text.strip() and not text.startswith("#"):
            break
    yield from rest


def _body(lines: Iterator[tuple[int, str]], start: int) -> Iterator[tuple[int, str]]:
    for number, text in lines:
        if not text.strip():
            break
        if not _HEADER.fullmatch(text):
            raise ManifestError("malformed header of a signed message", line=number)
    for number, text in lines:
        if text.startswith("- "):
            yield number, text[2:]
        elif not text.startswith("-"):
            yield number, text
        elif text.rstrip() == _SIGNATURE:
            return _skip_signature(lines, start)
        else:
            raise ManifestError("malformed line in a signed message", line=number)
    raise ManifestError("the signed message has no end; it is truncated", line=start)


def _skip_signature(lines: Iterator[tuple[int, str]], start: int) -> None:
    for _, text in lines:
        if text.rstrip() == _END:
            break
    else:
        raise ManifestError("the signed message has no end; it is truncated", line=start)
    for number, text in lines:
        if text.strip():
            raise ManifestError("text after the end of the signed message", line=number)
