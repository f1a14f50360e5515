"""The format ``debian-packages``: a Debian repository's index ``Packages``.

Reference: deb822(5), and "Packages Indices" of the Debian repository format. Paths are relative to
the repository's root, the folder above ``dists/``. Every stanza is one file and needs Filename,
Size and a digest; other fields are read over. A compressed index is always known to be whole; a
plain one that was cut between two fields of its last stanza may merely lack some of its digests.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pulp_download.errors import ManifestError
from pulp_download.lines import Lines
from pulp_download.manifests import fields
from pulp_download.manifests.entry import ManifestEntry

# Debian 12 has a Provides field of 75,649 bytes in one line (librust-winapi-dev).
LINE_LIMIT = 2**20

# Debian's stanzas have about 25 fields; their names are remembered to notice duplicates.
_MAX_FIELDS = 1000

# The field's name in lower case -> hashlib's name; strongest first.
DIGESTS = {"sha512": "sha512", "sha256": "sha256", "sha1": "sha1", "md5sum": "md5"}
_WANTED = {"filename", "size", *DIGESTS}

# Printable ASCII but space and colon, and no "#" or "-" at the start.
FIELD = re.compile(r"([!\"$-,.-9;-~][!-9;-~]*):(.*)")


def parse(lines: Lines, name: str) -> Iterator[ManifestEntry]:
    """Yield an entry per stanza, holding one stanza's wanted fields at a time."""
    stanza: _Stanza | None = None
    for number, text in lines:
        if text.strip():
            if stanza is None:
                stanza = _Stanza(number)
            stanza.add(text, number)
        elif stanza is not None:
            yield stanza.entry()
            stanza = None
    if stanza is not None:
        yield stanza.entry()


class _Stanza:
    """One paragraph, as far as it has been read."""

    def __init__(self, line: int):
        self._line = line
        self._names: set[str] = set()
        self._last = ""
        self._wanted: dict[str, tuple[str, int]] = {}

    def add(self, text: str, line: int) -> None:
        """Take one line: a field, or the continuation of the last one."""
        if text[0] in " \t":
            if not self._last or self._last in _WANTED:
                raise ManifestError("a continuation of no field or of a simple one", line=line)
            return
        match = FIELD.fullmatch(text)
        if match is None:
            raise ManifestError(f"{fields.shown(text)} is no field", line=line)
        self._last = field = match[1].lower()
        if field in self._names:
            raise ManifestError(f"a second {fields.shown(match[1])} in one stanza", line=line)
        if len(self._names) >= _MAX_FIELDS:
            raise ManifestError(f"more than {_MAX_FIELDS} fields in one stanza", line=line)
        self._names.add(field)
        if field in _WANTED:
            self._wanted[field] = (match[2].strip(), line)

    def entry(self) -> ManifestEntry:
        """Return what the stanza lists, or refuse it with the number of its first line."""
        path, path_line = self._required("filename", "Filename")
        size, size_line = self._required("size", "Size")
        digests = tuple(
            fields.digest(algorithm, self._wanted[field][0], line=self._wanted[field][1])
            for field, algorithm in DIGESTS.items()
            if field in self._wanted
        )
        if not digests:
            raise ManifestError("a stanza without a digest", line=self._line)
        return ManifestEntry(
            fields.path(path, line=path_line),
            size=fields.size(size, line=size_line),
            digests=digests,
            line=self._line,
        )

    def _required(self, field: str, spelling: str) -> tuple[str, int]:
        try:
            return self._wanted[field]
        except KeyError:
            raise ManifestError(f"a stanza without {spelling}", line=self._line) from None
