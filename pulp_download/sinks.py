"""Files as they must be written: whole, verified, and at once.

Bytes go to a temporary file in the target's directory, which is renamed over the target by the
sink's clean exit and removed by any other, unless it is a partial that a later run can go on with.
Every OSError becomes a WriteError that names the path.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Self

from pulp_download import folders
from pulp_download.partials import Partial, claim, hold, nobodys_stem, stem_of, temporary_name
from pulp_download.standing import READ_SIZE, ExistingFile, write_error
from pulp_download.validations import Chunk

if TYPE_CHECKING:
    from pulp_download.files import FileWriter

_NEW_FILE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

# Absent, a symbolic link, a socket, or unreadable: fetched, and replaced.
_NOTHING_TO_KEEP = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO, errno.EACCES})


class FileSink:
    """One run's temporary file and its rename."""

    def __init__(self, writer: FileWriter):
        self._writer = writer
        self._shown = writer.shown
        self._directory: int | None = None
        self._file: int | None = None
        self._temporary = ""
        self._partial: Partial | None = None
        self._kept = False
        self.is_dated = writer.keep
        self.is_lasting = writer.resume
        # One that will be dated looks old to sweepers before it has its name.
        self._is_held = writer.keep or writer.resume
        self.mtime: float | None = None
        self.stat: os.stat_result | None = None

    def __enter__(self) -> Self:
        try:
            if stat.S_ISDIR(os.lstat(self._shown).st_mode):
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        except FileNotFoundError:
            pass
        except (OSError, ValueError) as error:
            raise write_error(error, self._shown) from None
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if kind is None and not self._kept:
                self._commit()
        finally:
            if self._file is not None or self._temporary or self._directory is not None:
                self._discard(is_kept=kind is not None)

    def existing(self) -> ExistingFile | None:
        if not self._writer.keep:
            return None
        try:
            descriptor = self._open_target()
        except OSError as error:
            if error.errno in _NOTHING_TO_KEEP:
                return None
            raise write_error(error, self._shown) from None
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            os.close(descriptor)
            return None
        self.stat = facts
        return ExistingFile(descriptor, facts, self._shown, self._writer.etag)

    def write(self, chunk: Chunk) -> None:
        try:
            if self._file is None:
                self._create()
            assert self._file is not None
            written = os.write(self._file, chunk)
            while written < len(chunk):
                written += os.write(self._file, memoryview(chunk)[written:])
        except (OSError, ValueError) as error:
            raise write_error(error, self._shown) from None

    def write_at(self, offset: int, chunk: Chunk) -> None:
        assert self._file is not None
        rest = memoryview(chunk)
        try:
            while rest:
                written = os.pwrite(self._file, rest, offset)
                offset, rest = offset + written, rest[written:]
        except OSError as error:
            raise write_error(error, self._shown) from None

    def chunks(self, offset: int = 0) -> Iterator[bytes]:
        try:
            while self._file is not None and (chunk := os.pread(self._file, READ_SIZE, offset)):
                yield chunk
                offset += len(chunk)
        except OSError as error:
            raise write_error(error, self._shown) from None

    def restart(self) -> None:
        if self._file is not None:
            try:
                os.ftruncate(self._file, 0)
                os.lseek(self._file, 0, os.SEEK_SET)
                if self._partial is not None:
                    self._partial.describe("")
            except OSError as error:
                raise write_error(error, self._shown) from None

    def keep(self) -> None:
        self._kept = True

    def found(self) -> str:
        if not self.is_lasting:
            return ""
        try:
            partial = claim(self._reached(make=False), self._stem, self._directory, make=False)
        except (OSError, ValueError):  # which the first write will tell
            return ""
        if partial is None:
            return ""
        self._partial, self._temporary = partial, partial.path
        try:
            self._file = partial.open()
            facts = partial.facts()
            if self._file is not None and facts and os.lseek(self._file, 0, os.SEEK_END):
                return facts
        except OSError as error:
            raise write_error(error, self._shown) from None
        self._remove()
        return ""

    def describe(self, facts: str) -> None:
        try:
            if self._partial is None:
                self._remove()
                self._begin_partial(facts)
            if self._partial is not None and self._partial.stem == self._stem:
                self._partial.describe(facts)
        except (OSError, ValueError) as error:
            raise write_error(error, self._shown) from None

    def _begin_partial(self, facts: str) -> None:
        """Have the bytes in a file that is found again, or else in one that is surely cleaned up.

        Where neither can be had, the first write makes a temporary file as ever.
        """
        prefix = self._reached(make=True)
        if prefix.rstrip("/"):
            folders.make_directories(prefix)
        stems = [self._stem, nobodys_stem()] if facts else [nobodys_stem()]
        for stem in stems:
            partial = claim(prefix, stem, self._directory, make=True)
            if partial is not None:
                self._partial, self._temporary = partial, partial.path
                self._file = partial.create()
                return

    @property
    def _stem(self) -> str:
        return stem_of(os.path.basename(self._shown))

    def _open_target(self) -> int:
        # O_NONBLOCK: a FIFO planted at the target must not hang the run.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        if self._writer.within is None:
            return os.open(self._shown, flags)
        self._reached(make=False)
        return os.open(os.path.basename(self._shown), flags, dir_fd=self._directory)

    def _create(self) -> None:
        prefix = self._reached(make=True)
        try:
            self._open_temporary(prefix)
        except (FileNotFoundError, NotADirectoryError):
            if self._directory is not None:
                raise
            folders.make_directories(prefix.rstrip("/") or prefix)
            self._open_temporary(prefix)

    def _open_temporary(self, prefix: str) -> None:
        # Short and independent of the final name, which may already be as long as a name can be.
        while True:
            self._temporary = prefix + temporary_name(held=self._is_held)
            try:
                # The kernel applies the umask, so that no window with another mode exists.
                self._file = os.open(self._temporary, _NEW_FILE, 0o666, dir_fd=self._directory)
            except (OSError, ValueError):
                self._temporary = ""  # whatever has that name is not ours
                raise
            if not self._is_held or hold(self._file):
                return
            os.close(self._file)
            self._file = None

    def _reached(self, *, make: bool) -> str:
        """Return what paths into the target's directory begin with.

        That is nothing where the directory is open then, as it is with ``within``.
        """
        if self._writer.within is None:
            folder, slash, _ = self._shown.rpartition("/")
            return folder + slash
        if self._directory is None:
            self._directory = folders.walked(self._writer.within, self._writer.target, make=make)
        return ""

    def _commit(self) -> None:
        try:
            if self._file is None:
                self._create()  # an empty file
            assert self._file is not None
            if self.mtime is not None:
                os.utime(self._file, (self.mtime, self.mtime))
            if self._writer.fsync:
                os.fsync(self._file)
            if self._writer.keep:
                self.stat = os.fstat(self._file)
            # The lock is needed until the file has its name.
            lock = os.dup(self._file) if self._is_held else None
            descriptor, self._file = self._file, None
            try:
                os.close(descriptor)  # NFS tells here that the disk is full
                self._rename()
            finally:
                if lock is not None:
                    os.close(lock)
            self._temporary = ""
            if self._partial is not None:
                partial, self._partial = self._partial, None
                partial.settle()
            if self._writer.fsync:
                self._sync_directory()
        except (OSError, ValueError) as error:
            raise write_error(error, self._shown) from None

    def _rename(self) -> None:
        if self._directory is None:
            os.rename(self._temporary, self._shown)
        else:
            name, directory = os.path.basename(self._shown), self._directory
            os.rename(self._temporary, name, src_dir_fd=directory, dst_dir_fd=directory)

    def _sync_directory(self) -> None:
        if self._directory is not None:
            os.fsync(self._directory)
        else:
            folders.sync(os.path.dirname(self._shown) or ".")

    def _discard(self, *, is_kept: bool) -> None:
        """Close everything, and remove the temporary file if it is still one."""
        self._remove(is_kept=is_kept)
        if self._directory is not None:
            os.close(self._directory)
            self._directory = None

    def _remove(self, *, is_kept: bool = False) -> None:
        # Gone already, or a disk that fails: the first error is the one to tell.
        if self._file is not None:
            with suppress(OSError):
                os.close(self._file)
            self._file = None
        if self._partial is not None:
            partial, self._partial = self._partial, None
            if is_kept and partial.is_described:
                partial.keep()
            else:
                partial.drop()
        elif self._temporary:
            with suppress(OSError):
                os.unlink(self._temporary, dir_fd=self._directory)
        self._temporary = ""
