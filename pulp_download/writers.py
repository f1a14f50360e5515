"""Where bytes go: values that open *sinks*.

:class:`~pulp_download.files.FileWriter` writes files; here are the contracts, and a buffer.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from pulp_download.validations import Chunk


class Existing(Protocol):
    """What already stands at the target; ``etag`` is upstream's validator of it, if known."""

    size: int
    mtime: float
    etag: str | None

    def chunks(self) -> Iterator[bytes]:
        """Yield its bytes from the start."""

    def close(self) -> None:
        """Let go of it."""


class Sink(Protocol):
    """One run's way to the target. Used by one thread at a time.

    Where ``is_dated``, ``mtime`` is set to upstream's Last-Modified before a commit, if known.
    Where ``is_lasting``, ``describe`` is called before the first write of a transfer that takes a
    while, and what is written then outlives a run that does not end cleanly. Behind the end,
    ``stat`` is what the operating system says of the file at the target, if there is one and
    whoever wanted it kept will want to know it again.
    """

    is_dated: bool
    is_lasting: bool
    mtime: float | None
    stat: os.stat_result | None

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Commit on a clean exit, discard on any other."""

    def existing(self) -> Existing | None:
        """Return what is to be kept if it is right, or None to fetch in any case."""

    def write(self, chunk: Chunk) -> None:
        """Take the next bytes, all of them."""

    def found(self) -> str:
        """Return the facts on what an earlier run left, empty if nothing; writing goes on behind.

        Called before the first write, if at all.
        """

    def describe(self, facts: str) -> None:
        """Have what is written from now on kept with these facts; empty: have nothing kept."""

    def write_at(self, offset: int, chunk: Chunk) -> None:
        """Write over what was written there; ``write`` goes on where it was."""

    def chunks(self, offset: int = 0) -> Iterator[bytes]:
        """Yield what has been written, from this byte on."""

    def restart(self) -> None:
        """Forget what was written, and its facts: another try begins at byte zero."""

    def keep(self) -> None:
        """Leave what already stands at the target as it is."""


class Writer(Protocol):
    """A place for one file. A value: ``open()`` gives each run a sink of its own."""

    @property
    def path(self) -> Path | None:
        """The file's final path, if it is a file."""

    def open(self) -> Sink:
        """Return a sink for one run; nothing is made or changed before its first write."""


class MemoryWriter:
    """Keep the file in memory; :meth:`getvalue` is what was last committed."""

    path: Path | None = None

    def __init__(self) -> None:
        self._committed: bytes | None = None

    def getvalue(self) -> bytes:
        """Return the bytes of the last run that succeeded, or raise ValueError before one did."""
        if self._committed is None:
            raise ValueError("nothing has been downloaded yet")
        return self._committed

    def open(self) -> MemorySink:
        return MemorySink(self._commit)

    def _commit(self, value: bytes) -> None:
        self._committed = value


class MemorySink:
    """One run's buffer."""

    is_dated = is_lasting = False
    stat: os.stat_result | None = None

    def __init__(self, commit: Callable[[bytes], None]):
        self._commit = commit
        self._buffer = io.BytesIO()
        self.mtime: float | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None:
            self._commit(self._buffer.getvalue())
        self._buffer.close()

    def existing(self) -> None:
        return None

    def found(self) -> str:
        return ""

    def describe(self, facts: str) -> None:
        """Memory outlives no run."""

    def write(self, chunk: Chunk) -> None:
        self._buffer.write(chunk)

    def write_at(self, offset: int, chunk: Chunk) -> None:
        self._buffer.seek(offset)
        self._buffer.write(chunk)
        self._buffer.seek(0, io.SEEK_END)

    def chunks(self, offset: int = 0) -> Iterator[bytes]:
        yield self._buffer.getvalue()[offset:]

    def restart(self) -> None:
        self._buffer = io.BytesIO()

    def keep(self) -> None:
        self._commit = lambda value: None
