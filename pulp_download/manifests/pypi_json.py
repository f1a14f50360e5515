"""The JSON form of an index's page (see :mod:`.pypi`), in flat memory.

What is wanted must have the right type and be told once; all else is read over. Depth, numbers and
tokens are bounded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any, NamedTuple

from pulp_download.errors import ManifestError
from pulp_download.manifests.entry import ManifestEntry
from pulp_download.manifests.fields import shown
from pulp_download.manifests.pypi_entry import check_version, listed

# A page nests four deep (PEP 691); what is added to it may go further.
_MAX_DEPTH = 32

# Bytes without anything that ends; the reader keeps a token until it has seen its end.
_MAX_TOKEN = 1024 * 1024

# Digests of one file; there are not that many algorithms.
_MAX_HASHES = 64

# A place is the way to it: names of members, and _EACH for whatever stands there.
_EACH = None
_Place = tuple[str | None, ...]
_FILE: _Place = ("files", _EACH)
_HASHES: _Place = (*_FILE, "hashes")
_VERSION: _Place = ("meta", "api-version")

# The places that are wanted -> the event that must be there.
_EXPECTED: dict[_Place, str] = {
    (): "start_map",
    ("meta",): "start_map",
    _VERSION: "string",
    ("files",): "start_array",
    _FILE: "start_map",
    (*_FILE, "filename"): "string",
    (*_FILE, "url"): "string",
    (*_FILE, "size"): "number",
    _HASHES: "start_map",
    (*_HASHES, _EACH): "string",
}
_MAY_BE_NULL = (*_FILE, "size")

_STARTS = frozenset({"start_map", "start_array"})
_ENDS = frozenset({"end_map", "end_array"})
_WORDS = {
    "start_map": "an object",
    "start_array": "an array",
    "string": "a text",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
}

_LINE = re.compile(rb"[^\n]*\n|[^\n]+")


class _Event(NamedTuple):
    kind: str
    value: Any
    line: int


def parse(chunks: Iterable[bytes]) -> Iterator[ManifestEntry]:
    """Yield an entry per file as the chunks come; a page without a version is refused at its end.

    Needs the package ijson (ManifestError).
    """
    page = _Page()
    line = 1
    for event in _events(chunks):
        line = event.line
        entry = page.take(event)
        if entry is not None:
            yield entry
    page.check_end(line)


class _Open:
    """An object or an array of a wanted place, whose end has not come."""

    __slots__ = ("key", "place", "told")

    def __init__(self, place: _Place):
        self.place = place
        self.key: str | None = _EACH
        self.told: set[str] = set()


class _File:
    """What has been told of one file."""

    def __init__(self, line: int):
        self.line = line
        self.members: dict[str | None, Any] = {}
        self.hashes: list[tuple[str, str]] = []

    def entry(self) -> ManifestEntry:
        for name in ("filename", "url"):
            if name not in self.members:
                raise ManifestError(f"a file without {name}", line=self.line)
        return listed(
            self.members["filename"],
            self.members["url"].strip(),
            hashes=self.hashes,
            size=self.members.get("size"),
            line=self.line,
        )


class _Page:
    """One page, as far as it has been read."""

    def __init__(self) -> None:
        self._open: list[_Open] = []
        self._ignored = 0
        self._places: set[_Place] = set()
        self._file = _File(0)

    def take(self, event: _Event) -> ManifestEntry | None:
        """Take the next event; return the file that ends with it."""
        if event.kind == "number" and not abs(event.value) < 2**64:
            raise ManifestError("a number that is too large", line=event.line)
        if self._ignored:
            self._ignored += (event.kind in _STARTS) - (event.kind in _ENDS)
        elif event.kind in _ENDS:
            ended = self._open.pop()
            return self._file.entry() if ended.place == _FILE else None
        elif event.kind == "map_key":
            self._open[-1].key = event.value
        else:
            self._take_value(event)
        if len(self._open) + self._ignored > _MAX_DEPTH:
            raise ManifestError(f"nested more than {_MAX_DEPTH} deep", line=event.line)
        return None

    def check_end(self, line: int) -> None:
        """Refuse a whole document that is no project's page."""
        for place in (_VERSION, ("files",)):
            if place not in self._places:
                raise ManifestError(
                    f"no project's page of a package index: it has no {_named(place)}", line=line
                )

    def _take_value(self, event: _Event) -> None:
        within = self._open[-1] if self._open else None
        key = within.key if within else _EACH
        place: _Place = ()
        if within:
            # The names of digests are data: any may stand there.
            place = (*within.place, _EACH if within.place == _HASHES else key)
        expected = _EXPECTED.get(place)
        if expected is None:
            self._ignored += event.kind in _STARTS
            return
        if within and key is not _EACH:
            if key in within.told:
                raise ManifestError(f"a second {shown(key)} in one object", line=event.line)
            within.told.add(key)
        if event.kind == "null" and place == _MAY_BE_NULL:
            return
        if event.kind != expected:
            raise ManifestError(
                f"{_named(place)} is {_WORDS[event.kind]}, not {_WORDS[expected]}", line=event.line
            )
        self._places.add(place)
        if event.kind in _STARTS:
            self._open.append(_Open(place))
            if place == _FILE:
                self._file = _File(event.line)
        else:
            self._take_scalar(place, key, event)

    def _take_scalar(self, place: _Place, key: str | None, event: _Event) -> None:
        if place == _VERSION:
            check_version(event.value, event.line)
        elif place[:-1] == _HASHES:
            if len(self._file.hashes) == _MAX_HASHES:
                raise ManifestError(f"more than {_MAX_HASHES} digests of a file", line=event.line)
            self._file.hashes.append((key or "", event.value))
        else:
            self._file.members[key] = event.value


def _named(place: _Place) -> str:
    """Return a place as an error names it: ``files[].size``."""
    parts = ("[]" if name is _EACH else f".{name}" for name in place)
    return "".join(parts).removeprefix(".") or "the page"


def _events(chunks: Iterable[bytes]) -> Iterator[_Event]:
    """Yield what stands in a JSON document, and then what is wrong with it.

    It is fed by lines, or parts of such, so that the number of the line is known.
    """
    try:
        import ijson  # only this format needs it, and only this form of it
    except ImportError:
        raise ManifestError(
            "JSON pages need the package ijson: pip install 'pulp_download[importer]'"
        ) from None
    wrong = (ijson.JSONError, ValueError, ArithmeticError)
    found = ijson.sendable_list()
    # Its C backend leaves the interpreter in disorder after an exact number of 5,000 digits.
    reader = ijson.basic_parse_coro(found, use_float=True)
    line, pending, is_bad = 1, 0, False
    try:
        for part in (part for chunk in chunks for part in _LINE.findall(chunk)):
            pending += len(part)
            try:
                reader.send(part)
            except wrong:
                is_bad = True
            for kind, value in found:
                yield _Event(kind, value, line)
                pending = 0
            found.clear()
            if is_bad:
                raise ManifestError("not well-formed JSON", line=line)
            if pending > _MAX_TOKEN:
                raise ManifestError(f"a token of more than {_MAX_TOKEN} bytes", line=line)
            line += part.endswith(b"\n")
        try:
            reader.close()
        except ijson.IncompleteJSONError:
            raise ManifestError("the JSON has no end; it is truncated", line=line) from None
        except wrong:  # some readers judge the last token only now
            raise ManifestError("not well-formed JSON", line=line) from None
    finally:
        # Left open it would complain of the missing end when it is collected.
        with suppress(*wrong):
            reader.close()
