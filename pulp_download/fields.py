"""A session's header fields, and the lines of text that they are sent as."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableMapping, Set
from typing import Any, NamedTuple

from requests.structures import CaseInsensitiveDict
from requests.utils import check_header_validity

# Fields that tell an origin nothing it may not know; all others stay with the origins that the
# caller named, and with HTTP.
HARMLESS = frozenset(
    {
        "accept",
        "accept-encoding",
        "accept-language",
        "if-modified-since",
        "if-none-match",
        "if-range",
        "range",
        "user-agent",
    }
)


def keep_only(fields: MutableMapping[str, Any], names: Set[str]) -> None:
    """Take out every field whose lower-case name is not among these."""
    for name in [name for name in fields if name.lower() not in names]:
        del fields[name]


class Sent(NamedTuple):
    """Fields as they are sent: each line with its end, and what they say of who asks.

    ``lines`` is None where they are more than lines of text: a Host of one's own, bytes, what is
    not ASCII.
    """

    lines: str | None
    authorization: str | None


class Fields(CaseInsensitiveDict[Any]):
    """Header fields as requests keeps them, which remember how they are sent until they change."""

    def __init__(self, fields: Mapping[str, Any] | Iterable[tuple[str, Any]] = ()):
        self._version = 0
        self._known: tuple[int, Sent] | None = None
        super().__init__(fields)

    @property
    def sent(self) -> Sent:
        """These fields as they are sent; raises requests' InvalidHeader for what is no field."""
        known, version = self._known, self._version
        if known is None or known[0] != version:
            known = self._known = (version, _sent(self._pairs()))
        return known[1]

    def _pairs(self) -> list[tuple[str, Any]]:
        while True:
            try:
                return list(self.items())
            except (RuntimeError, KeyError):  # another thread put something in, or took it out
                continue

    def __setitem__(self, name: str, value: Any) -> None:
        super().__setitem__(name, value)
        self._version += 1  # after the change, so that no text is older than its version

    def __delitem__(self, name: str) -> None:
        super().__delitem__(name)
        self._version += 1


def as_fields(headers: Mapping[str, Any]) -> Fields:
    """Return a session's ``headers`` as fields; somebody may have put a dict there."""
    return headers if isinstance(headers, Fields) else Fields(headers)


def _sent(fields: list[tuple[str, Any]]) -> Sent:
    named = (value for name, value in fields if str(name).lower() == "authorization")
    return Sent(_lines(fields), next(named, None))


def _lines(fields: Iterable[tuple[str, Any]]) -> str | None:
    lines = []
    for name, value in fields:
        if value is None:  # requests: None takes a field of the session away
            continue
        if not isinstance(name, str) or not isinstance(value, str) or name.lower() == "host":
            return None
        if not (name.isascii() and value.isascii()):
            return None
        check_header_validity((name, value))
        lines.append(f"{name}: {value}\r\n")
    return "".join(lines)
