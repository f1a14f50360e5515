"""The format ``debian-release``: a Debian repository's ``Release`` or ``InRelease``.

Reference: deb822(5), and "Release files" of the Debian repository format. What is listed are the
repository's indices, each relative to the folder of the Release file, where its digests of all
kinds are brought together. An archive also lists uncompressed and other forms of an index that it
does not serve: of the forms of one file only the best is an entry, xz before zst, bz2, gz and none.

**The signature of an InRelease is not verified**, and ``Valid-Until`` is not enforced: whoever has
the keys and the clock to judge that does so before. A signed file is always known to be whole; a
plain one that was cut may lack files, or digests of files, and the path that stands last in it may
lack its end.
"""

from __future__ import annotations

from collections.abc import Iterator

from pulp_download.errors import ManifestError
from pulp_download.lines import Lines
from pulp_download.manifests import fields
from pulp_download.manifests.armor import signed_text
from pulp_download.manifests.debian_packages import DIGESTS, FIELD
from pulp_download.manifests.entry import ManifestEntry

# apt reads no Release file that is larger, in bytes; here it is characters.
_MAX_LENGTH = 10_000_000

# Far more than an archive has; not measured.
_MAX_FILES = 100_000

# A Release has about 15 fields; their names are remembered to notice duplicates.
_MAX_FIELDS = 1000

# Best first. What is compressed by lzma alone is nowhere to be had but in very old archives.
_PREFERRED = (".xz", ".zst", ".bz2", ".gz", "", ".lzma")

_LISTS = {"Packages": "debian-packages"}


def parse(lines: Lines, name: str) -> Iterator[ManifestEntry]:
    """Yield an entry per index when all has been read; holds the list, which is bounded."""
    release = _Release()
    length = 0
    for number, text in signed_text(lines):
        length += len(text) + 1
        if length > _MAX_LENGTH:
            raise ManifestError(f"larger than {_MAX_LENGTH} characters", line=number)
        release.add(text, number)
    yield from release.entries()


class _File:
    """One listed file, as far as it has been read."""

    __slots__ = ("digests", "line", "path", "size")

    def __init__(self, path: str, size: int, line: int):
        self.path = path
        self.size = size
        self.line = line
        self.digests: dict[str, str] = {}

    def add(self, size: int, digest: tuple[str, str], line: int) -> None:
        """Take what another line says of the same file, which must not contradict."""
        algorithm, value = digest
        if size != self.size:
            raise ManifestError(
                f"{fields.shown(self.path)} has another size on line {self.line}", line=line
            )
        if self.digests.setdefault(algorithm, value) != value:
            raise ManifestError(f"a second {algorithm} of {fields.shown(self.path)}", line=line)

    def entry(self, stem: str) -> ManifestEntry:
        """Return it with the strongest digest first; ``stem`` is its path without compression."""
        return ManifestEntry(
            self.path,
            size=self.size,
            digests=tuple(
                (algorithm, self.digests[algorithm])
                for algorithm in DIGESTS.values()
                if algorithm in self.digests
            ),
            line=self.line,
            lists=_LISTS.get(stem.rpartition("/")[2]),
            is_metadata=True,
        )


class _Release:
    """The one stanza, as far as it has been read."""

    def __init__(self) -> None:
        self._names: set[str] = set()
        self._last = ""
        self._is_ended = False
        self._files: dict[str, _File] = {}

    def add(self, text: str, line: int) -> None:
        """Take one line: a field, a file of the last field's list, or the stanza's end."""
        if not text.strip():
            self._is_ended = bool(self._names)
        elif self._is_ended:
            raise ManifestError("text after the end of the only stanza", line=line)
        elif text[0] not in " \t":
            self._begin_field(text, line)
        elif not self._last:
            raise ManifestError("a continuation of no field", line=line)
        elif self._last in DIGESTS:
            self._add_file(text, DIGESTS[self._last], line)

    def _begin_field(self, text: str, line: int) -> None:
        match = FIELD.fullmatch(text)
        if match is None:
            raise ManifestError(f"{fields.shown(text)} is no field", line=line)
        self._last = field = match[1].lower()
        if field in self._names:
            raise ManifestError(f"a second {fields.shown(match[1])}", line=line)
        if len(self._names) >= _MAX_FIELDS:
            raise ManifestError(f"more than {_MAX_FIELDS} fields", line=line)
        self._names.add(field)
        if field in DIGESTS and match[2].strip():
            raise ManifestError(f"the list {match[1]} begins on the next line", line=line)

    def _add_file(self, text: str, algorithm: str, line: int) -> None:
        told = text.split()
        if len(told) != 3:
            raise ManifestError(f"{len(told)} fields instead of DIGEST SIZE PATH", line=line)
        digest = fields.digest(algorithm, told[0], line=line)
        size = fields.size(told[1], line=line)
        path = fields.path(told[2], line=line)
        file = self._files.get(path)
        if file is None:
            if len(self._files) == _MAX_FILES:
                raise ManifestError(f"more than {_MAX_FILES} files", line=line)
            file = self._files[path] = _File(path, size, line)
        file.add(size, digest, line)

    def entries(self) -> Iterator[ManifestEntry]:
        """Yield the best form of each file, in the order in which the files are first told."""
        if not self._names & DIGESTS.keys():
            raise ManifestError("no Release of a repository: it has no list of digests")
        forms: dict[str, dict[str, _File]] = {}
        for path, file in self._files.items():
            stem, ending = _split(path)
            forms.setdefault(stem, {})[ending] = file
        for stem, found in forms.items():
            yield min(found.items(), key=lambda form: _PREFERRED.index(form[0]))[1].entry(stem)


def _split(path: str) -> tuple[str, str]:
    """Return a path without its compression's ending, and that; a bare ``.xz`` is a name."""
    for ending in _PREFERRED:
        stem = path.removesuffix(ending)
        if ending and stem != path and stem and not stem.endswith("/"):
            return stem, ending
    return path, ""
