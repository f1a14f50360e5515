"""The digest that an answer claims for its file: ``Repr-Digest`` (RFC 9530), ``Digest`` (RFC 3230).

It comes from where the file comes from: it tells damage on the way and nothing of who wrote it. It
must never stand in for a digest from elsewhere.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterable, Iterator

from pulp_download.validations import DigestValidation

# The fields' names of algorithms, in lower case -> hashlib's; strongest first. What else is
# registered is no digest but a checksum, or of a canonical form that nobody sends.
_ALGORITHMS = {"sha-512": "sha512", "sha-256": "sha256", "sha": "sha1", "md5": "md5"}

# RFC 9651 section 3: a dictionary's member, whose value is a byte sequence, and its parameters.
_MEMBER = re.compile(
    r"[ \t]*+(?P<name>[a-z*][a-z0-9_.*-]*+)=:(?P<value>[A-Za-z0-9+/]*+=*+):"
    r"(?:; *+[a-z*][a-z0-9_.*-]*+"
    r'(?:=(?:"(?:[ !#-\[\]-~]|\\["\\])*+"|:[A-Za-z0-9+/]*+=*+:|\??[A-Za-z0-9*.:/-][^\s",;]*+))?+)*+'
    r"[ \t]*+"
)
_INSTANCE = re.compile(r"[ \t]*+(?P<name>[A-Za-z0-9-]++)=(?P<value>[A-Za-z0-9+/]*+=*+)[ \t]*+")


def claimed(repr_digest: Iterable[str] = (), digest: Iterable[str] = ()) -> DigestValidation | None:
    """Return the strongest digest that the fields' values claim, or None.

    None where there is no digest of a known algorithm, and where the claims are not to be trusted:
    a field that is malformed, a digest of the wrong length, two values of one algorithm. Never
    raises.
    """
    found: dict[str, DigestValidation] = {}
    try:
        for claim in (*_claims(_MEMBER, repr_digest), *_claims(_INSTANCE, digest)):
            if found.setdefault(claim.algorithm, claim) != claim:
                return None
    except ValueError:  # an InvalidExpectation is one
        return None
    return next((found[name] for name in _ALGORITHMS.values() if name in found), None)


def _claims(form: re.Pattern[str], values: Iterable[str]) -> Iterator[DigestValidation]:
    """Yield the known digests of a field; raises ValueError for what is not of this form."""
    field = ",".join(values)
    if not field.strip():
        return
    at = -1
    while at < len(field):
        member = form.match(field, at + 1)
        if member is None or field[member.end() : member.end() + 1] not in ("", ","):
            raise ValueError("malformed")
        at = member.end()
        algorithm = _ALGORITHMS.get(member["name"].lower())
        if algorithm is not None:
            yield DigestValidation(algorithm, _decoded(member["value"]).hex())


def _decoded(text: str) -> bytes:
    """Return what base64 says, with or without its padding; raises ValueError (binascii's is)."""
    padding = "" if text.endswith("=") else "=" * (-len(text) % 4)
    return binascii.a2b_base64(text + padding, strict_mode=True)
