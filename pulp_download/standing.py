"""A file that stands at a target, and what the operating system says about such files."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator

from pulp_download.errors import WriteError

# Read size when hashing what is on disk: large enough that system calls do not show.
READ_SIZE = 1 << 20


class ExistingFile:
    """A regular file at the target, open for reading."""

    def __init__(self, descriptor: int, facts: os.stat_result, shown: str, etag: str | None):
        self.etag = etag
        self._file = io.FileIO(descriptor)
        self._shown = shown
        self.size = facts.st_size
        self.mtime = facts.st_mtime

    def chunks(self) -> Iterator[bytes]:
        try:
            while chunk := self._file.read(READ_SIZE):
                yield chunk
        except OSError as error:
            raise write_error(error, self._shown) from None

    def close(self) -> None:
        self._file.close()


def write_error(error: OSError | ValueError, path: str) -> WriteError:
    """Return a WriteError that names the path."""
    if isinstance(error, WriteError):
        return error
    if isinstance(error, OSError):
        return WriteError.from_oserror(error, path)
    return WriteError(str(error), path=path)  # a NUL, a lone surrogate
