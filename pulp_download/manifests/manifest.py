"""A manifest on disk, read twice: once to judge it as a whole, then for its entries."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace
from tempfile import TemporaryFile
from typing import BinaryIO, NamedTuple, Self

from pulp_download.errors import ManifestError, WriteError
from pulp_download.manifests import compression, formats, layout
from pulp_download.manifests.entry import ManifestEntry
from pulp_download.manifests.fields import shown
from pulp_download.manifests.names import Clash, Names, Totals
from pulp_download.urls import URL

# Bytes read from the temporary file at a time; not measured.
_CHUNK = 64 * 1024


class _Part(NamedTuple):
    """A list on disk; ``path`` is where it stands in the repository."""

    file: BinaryIO
    name: str
    format: str
    path: str


class Manifest:
    """A list of files that is refused as a whole, or good to its end.

    ::

        with Manifest.spool(chunks, name="SHA256SUMS") as manifest:
            manifest.check()
            for entry in manifest.entries():
                ...

    Memory is flat in the number of entries; the bytes, and while checking the names, are in
    unnamed temporary files (in ``TMPDIR``) that vanish with :meth:`close` or the process. May be
    used by different threads, and several :meth:`entries` may be under way at once, but it is
    checked and closed by one.

    What truncation is noticed: a compressed or PGP-signed manifest's always. A plain one cannot
    tell where it should end; its last line, if it lost its newline, is taken only if it is whole
    by the format's rules, and may then still lack the end of what stands last in it (each
    format's documentation says what). Whoever fetches the manifest should compare its length.

    A manifest may name further lists (:meth:`lists`); those that are given to :meth:`add` before
    it is checked are read and judged as parts of it. ``root`` and ``path`` tell where it stands
    in its repository.
    """

    def __init__(
        self,
        file: BinaryIO,
        *,
        name: str,
        format: str | None = None,
        local: bool = True,
        max_bytes: int = compression.MAX_BYTES,
    ):
        """Own ``file``, a real one with a descriptor, and tell its format; see :meth:`spool`."""
        self._file = file
        self._local = local
        self._max_bytes = max_bytes
        self._names: Names | None = None
        self._totals: Totals | None = None
        formats.checked_name(format)
        self.format = format or formats.recognise(name, _head(file))
        self.root, self.path = layout.placed(self.format, name)
        self._parts = [_Part(file, name, self.format, self.path)]

    @classmethod
    def spool(
        cls,
        chunks: Iterable[bytes],
        *,
        name: str,
        format: str | None = None,
        local: bool = True,
        max_bytes: int = compression.MAX_BYTES,
    ) -> Self:
        """Write a manifest's bytes to a temporary file and recognise its format.

        ``name`` is its file name, or the path of its URL, ``format`` (one of FORMATS) overrides
        recognition. ``local``
        says that the list is the caller's own and may name ``file:`` URLs; one that was fetched
        must not make local files part of a mirror. ``max_bytes`` bounds the bytes as they come
        and again decompressed. Raises ManifestError, InvalidInput (no such format), WriteError
        (no space) and whatever ``chunks`` raises; then nothing is left.
        """
        try:
            file = TemporaryFile()  # noqa: SIM115 - it lives as long as the manifest
        except OSError as error:
            raise WriteError.from_oserror(error, "temporary file") from None
        try:
            _fill(file, chunks, max_bytes)
            return cls(file, name=name, format=format, local=local, max_bytes=max_bytes)
        except BaseException:
            with suppress(OSError):  # what it could not write, it cannot flush either
                file.close()
            raise

    def lists(self) -> Iterator[ManifestEntry]:
        """Yield the entries that are lists themselves, before anything is checked."""
        if layout.has_lists(self.format):
            yield from (each for each in self._of_part(self._parts[0]) if each.lists is not None)

    def add(self, entry: ManifestEntry, file: BinaryIO) -> None:
        """Take a list that the manifest names as a part of it; ``file`` is owned from now on."""
        assert entry.lists is not None
        self._parts.append(_Part(file, entry.path, entry.lists, entry.path))

    def check(self, *, judge: Callable[[ManifestEntry], None] | None = None) -> None:
        """Read it to its end; refuse all of it (ManifestError) if one line is bad.

        ``judge`` raises for an entry that this caller cannot take.

        Also refused: two different entries with one path, paths that differ only by case or
        Unicode normalisation, a path that is the folder of another. Done once; then free.
        """
        if self._totals is not None:
            return
        with ExitStack() as undo:
            names = Names()
            undo.callback(names.close)
            names.add_all(self._allowed(judge))
            outcome = names.settled()
            if isinstance(outcome, Clash):
                raise self._clash(outcome)
            if outcome.repeats:
                self._names = names
                undo.pop_all()
            self._totals = outcome

    def entries(self) -> Iterator[ManifestEntry]:
        """Return its entries in order, from the start each time, read as they are asked for.

        Checks the manifest first if that has not been done: no entry of a refused manifest is
        ever seen. A line that only repeats an earlier one is left out. On a closed manifest:
        ValueError.
        """
        self._fail_if_closed()
        self.check()
        return self._distinct()

    @property
    def count(self) -> int:
        """How many distinct entries there are; checks first."""
        return self._checked_totals().entries

    @property
    def total_size(self) -> int | None:
        """The sum of all sizes, or None if one entry tells none; checks first."""
        return self._checked_totals().size

    def close(self) -> None:
        """Remove the temporary files; a second call does nothing."""
        for part in self._parts:
            part.file.close()
        if self._names is not None:
            self._names.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _fail_if_closed(self) -> None:
        if self._file.closed:
            raise ValueError("the manifest is closed")

    def _checked_totals(self) -> Totals:
        self.check()
        assert self._totals is not None
        return self._totals

    def _parsed(self) -> Iterator[ManifestEntry]:
        yield from self._of_part(self._parts[0])
        for part in self._parts[1:]:
            try:
                yield from self._of_part(part)
            except ManifestError as error:
                raise error.at(part.path) from None

    def _of_part(self, part: _Part) -> Iterator[ManifestEntry]:
        entries = formats.entries(
            self._chunks(part.file), name=part.name, format=part.format, limit=self._max_bytes
        )
        folder = layout.folder_of_names(part.format, part.path)
        if not folder:
            return entries
        return (replace(entry, path=f"{folder}{entry.path}") for entry in entries)

    def _allowed(self, judge: Callable[[ManifestEntry], None] | None) -> Iterator[ManifestEntry]:
        for entry in self._parsed():
            if not self._local and _names_a_local_file(entry):
                raise ManifestError("a fetched list may not name local files", line=entry.line)
            if judge is not None:
                judge(entry)
            yield entry

    def _distinct(self) -> Iterator[ManifestEntry]:
        repeats = iter(()) if self._names is None else self._names.repeats()
        repeat = next(repeats, None)
        for number, entry in enumerate(self._parsed(), 1):
            if number == repeat:
                repeat = next(repeats, None)
            else:
                yield entry

    def _clash(self, clash: Clash) -> ManifestError:
        """Say what the two entries have against each other; reads them again, for it is rare."""
        pairs = ((entry, part) for part in self._parts for entry in self._of_part(part))
        first, second = (pair for number, pair in enumerate(pairs, 1) if number in clash)

        def line(pair: tuple[ManifestEntry, _Part]) -> str:
            of = "" if first[1] is second[1] else f" of {pair[1].path}"
            return f"line {pair[0].line}{of}"

        one, other = first[0], second[0]
        if one.path == other.path:
            reason = f"{shown(other.path)} is on {line(first)} with another URL, size or digest"
        elif one.path.count("/") == other.path.count("/"):
            reason = (
                f"{shown(other.path)} and {shown(one.path)} ({line(first)}) differ only by case"
                " or Unicode normalisation"
            )
        else:
            file, folder = sorted((first, second), key=lambda pair: pair[0].path.count("/"))
            reason = (
                f"{shown(file[0].path)} ({line(file)}) is the folder of {shown(folder[0].path)}"
                f" ({line(folder)})"
            )
        error = ManifestError(reason, line=other.line)
        return error if second[1] is self._parts[0] else error.at(second[1].path)

    def _chunks(self, file: BinaryIO) -> Iterator[bytes]:
        """Yield the file from its start with a position of its own: readers do not disturb."""
        at = 0
        while True:
            self._fail_if_closed()
            data = os.pread(file.fileno(), _CHUNK, at)
            if not data:
                return
            at += len(data)
            yield data


def _head(file: BinaryIO) -> bytes:
    return os.pread(file.fileno(), formats.HEAD_SIZE, 0)


def _names_a_local_file(entry: ManifestEntry) -> bool:
    if entry.url is not None and entry.url.lower().startswith("file:"):
        return True
    absolute = (mirror.url for mirror in entry.mirrors if isinstance(mirror.url, URL))
    return any(url.scheme == "file" for url in absolute)


def _fill(file: BinaryIO, chunks: Iterable[bytes], max_bytes: int) -> None:
    written = 0
    for chunk in chunks:
        written += len(chunk)
        if written > max_bytes:
            raise ManifestError(f"larger than {max_bytes} bytes")
        _write(file, chunk)
    try:
        file.flush()
    except OSError as error:
        raise WriteError.from_oserror(error, "temporary file") from None


def _write(file: BinaryIO, chunk: bytes) -> None:
    try:
        file.write(chunk)
    except OSError as error:
        raise WriteError.from_oserror(error, "temporary file") from None
