"""The names of one manifest, compared with each other in flat memory.

They go into a temporary table on disk, unsorted, and are read back sorted once: SQLite sorts in
runs that it merges from disk, so a million names cost a few megabytes of memory, whatever their
order. The file is private and unlinked from the start; nothing is left of it, not even after a
kill.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from itertools import starmap
from typing import NamedTuple
from unicodedata import normalize

from pulp_download.errors import WriteError
from pulp_download.manifests.entry import ManifestEntry

# Durability is not wanted: nobody opens this file a second time.
_SCHEMA = """
    PRAGMA temp_store = FILE;
    PRAGMA journal_mode = OFF;
    PRAGMA synchronous = OFF;
    PRAGMA cache_size = -4096; -- KiB; bounds the sorter's memory too
    CREATE TABLE names (key BLOB, number INTEGER, size INTEGER, identity BLOB);
    CREATE TABLE repeats (number INTEGER PRIMARY KEY);
"""


class Clash(NamedTuple):
    """Two entries, by number, of which a destination can hold but one; the first is the smaller."""

    first: int
    second: int


class Totals(NamedTuple):
    """What all distinct entries come to; ``size`` is None if one of them tells none."""

    entries: int
    size: int | None
    repeats: int


def folded(path: str) -> bytes:
    """Return what is equal for names that some file system takes for one.

    Equal are names that differ only by case or Unicode normalisation (Unicode 15 D145: canonical
    caseless matching). A zero byte separates components: it sorts before all else, so that what
    lies under a path follows right after it.
    """
    plain = path.isascii()
    same = path.lower() if plain else normalize("NFC", normalize("NFD", path).casefold())
    return same.replace("/", "\0").encode("utf-8")


def _row(number: int, entry: ManifestEntry) -> tuple[bytes, int, int | None, bytes]:
    places = [(str(each.url), each.priority, each.location) for each in entry.mirrors]
    # An index may name a file twice, at two places; one digest says that it is one file.
    reference = None if entry.digests else entry.reference
    told = (
        *(entry.path, entry.url, entry.size, sorted(entry.digests), places, entry.pieces),
        *(() if reference is None else (reference.text, reference.base)),
    )
    identity = blake2b(repr(told).encode("utf-8"), digest_size=16).digest()
    return folded(entry.path), number, entry.size, identity


class Names:
    """The table. ``close()`` removes it; may be used by different threads, one at a time."""

    def __init__(self) -> None:
        import sqlite3  # 5 ms that importing the package need not pay

        self._error = sqlite3.Error
        with self._translated():
            self._table = sqlite3.connect("", isolation_level=None, check_same_thread=False)
            self._table.executescript(_SCHEMA)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Tell a full disk, or a table that was closed, as the local trouble it is."""
        try:
            yield
        except self._error as error:
            raise WriteError(f"temporary table of names: {error}") from None

    def add_all(self, entries: Iterable[ManifestEntry]) -> None:
        """Take every entry's name; what the iterable raises passes through.

        They are numbered from 1: several may stand on one line.
        """
        rows = starmap(_row, enumerate(entries, 1))
        with self._translated():
            self._table.execute("BEGIN")
            self._table.executemany("INSERT INTO names VALUES (?, ?, ?, ?)", rows)
            self._table.execute("COMMIT")

    def settled(self) -> Clash | Totals:
        """Compare all names: return the first clash found, or what the entries come to.

        Clashes are: one name for different entries, names that differ only by case or
        normalisation, and a name that is the folder of another. Entries that say the same of the
        same name are one entry; the later ones are its repeats.
        """
        with self._translated():
            self._table.execute("BEGIN")
            outcome = self._compared()
            self._table.execute("COMMIT")
            return outcome

    def _compared(self) -> Clash | Totals:
        previous, previous_number, previous_identity = b"", 0, b""
        count, repeats, total = 0, 0, 0
        sized = True
        rows = self._table.execute(
            "SELECT key, number, size, identity FROM names ORDER BY key, number"
        )
        for key, number, size, identity in rows:
            if key == previous:
                if identity != previous_identity:
                    return Clash(*sorted((previous_number, number)))
                self._table.execute("INSERT INTO repeats VALUES (?)", (number,))
                repeats += 1
                continue
            if count and key.startswith(previous + b"\0"):
                return Clash(*sorted((previous_number, number)))
            previous, previous_number, previous_identity = key, number, identity
            count += 1
            sized = sized and size is not None
            total += size or 0
        return Totals(count, total if sized else None, repeats)

    def repeats(self) -> Iterator[int]:
        """Yield the numbers of the entries that only repeat earlier ones, in order."""
        with self._translated():
            for (number,) in self._table.execute("SELECT number FROM repeats ORDER BY number"):
                yield number

    def close(self) -> None:
        """Remove the table; a second call does nothing."""
        self._table.close()
