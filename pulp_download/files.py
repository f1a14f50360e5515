"""Files as they must be written: whole, verified, and at once.

Bytes go to a temporary file in the target's directory, which is renamed over the target by the
sink's clean exit and removed by any other. Every OSError becomes a WriteError that names the path.
"""

from __future__ import annotations

import errno
import io
import os
import random
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from pulp_download.errors import WriteError
from pulp_download.paths import safe_path
from pulp_download.validations import Chunk

# Read size when hashing what is on disk: large enough that system calls do not show.
_READ_SIZE = 1 << 20

_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

# Seeded anew in a forked child, which would else go through the same names as its parent.
_chance = random.Random()
os.register_at_fork(after_in_child=_chance.seed)

# Absent, a symbolic link, a socket, or unreadable: fetched, and replaced.
_NOTHING_TO_KEEP = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO, errno.EACCES})


@dataclass(frozen=True, slots=True, init=False)
class FileWriter:
    """Write to ``path``, by way of a temporary file beside it and an atomic rename.

    Parent directories are made; the mode follows the umask; a symbolic link at ``path`` is
    replaced, never followed. ``fsync`` puts file and directory on disk before success is told.
    With ``within``, ``path`` is relative, may not leave that directory, and is walked from it
    without following symbolic links, so that nothing planted there leads outside. With ``keep``, a
    file that is already there is kept, and nothing fetched, if it meets the download's validations
    or, where no digest tells, if upstream says that it has not changed since; what is fetched bears
    upstream's Last-Modified, for the next time.
    """

    target: str
    within: str | os.PathLike[str] | None
    fsync: bool
    keep: bool
    shown: str = field(repr=False, compare=False)  # the path as errors name it
    _given: Path | None = field(repr=False, compare=False)

    def __init__(
        self,
        target: str | os.PathLike[str],
        *,
        within: str | os.PathLike[str] | None = None,
        fsync: bool = False,
        keep: bool = False,
    ):
        path = shown = os.fspath(target)
        if not isinstance(path, str):
            raise TypeError("a path is text")
        if within is not None:
            path = safe_path(path)
            shown = os.path.join(within, path)
        elif not path or "\0" in path or path[-1] == "/":
            raise WriteError("not the name of a file", path=path)
        fill = object.__setattr__
        fill(self, "target", path)
        fill(self, "within", within)
        fill(self, "fsync", fsync)
        fill(self, "keep", keep)
        fill(self, "shown", shown)
        fill(self, "_given", target if within is None and isinstance(target, Path) else None)

    @property
    def path(self) -> Path:
        return Path(self.shown) if self._given is None else self._given

    def open(self) -> FileSink:
        return FileSink(self)


class FileSink:
    """One run's temporary file and its rename."""

    def __init__(self, writer: FileWriter):
        self._writer = writer
        self._shown = writer.shown
        self._directory: int | None = None
        self._file: int | None = None
        self._temporary = ""
        self._kept = False
        self.is_dated = writer.keep
        self.mtime: float | None = None

    def __enter__(self) -> Self:
        try:
            if stat.S_ISDIR(os.lstat(self._shown).st_mode):
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        except FileNotFoundError:
            pass
        except (OSError, ValueError) as error:
            raise _ours(error, self._shown) from None
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
                self._discard()

    def existing(self) -> ExistingFile | None:
        if not self._writer.keep:
            return None
        try:
            descriptor = self._open_target()
        except OSError as error:
            if error.errno in _NOTHING_TO_KEEP:
                return None
            raise _ours(error, self._shown) from None
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            os.close(descriptor)
            return None
        return ExistingFile(descriptor, facts, self._shown)

    def write(self, chunk: Chunk) -> None:
        try:
            if self._file is None:
                self._create()
            assert self._file is not None
            written = os.write(self._file, chunk)
            while written < len(chunk):
                written += os.write(self._file, memoryview(chunk)[written:])
        except (OSError, ValueError) as error:
            raise _ours(error, self._shown) from None

    def restart(self) -> None:
        if self._file is not None:
            try:
                os.ftruncate(self._file, 0)
                os.lseek(self._file, 0, os.SEEK_SET)
            except OSError as error:
                raise _ours(error, self._shown) from None

    def keep(self) -> None:
        self._kept = True

    def _open_target(self) -> int:
        # O_NONBLOCK: a FIFO planted at the target must not hang the run.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        if self._writer.within is None:
            return os.open(self._shown, flags)
        directory = self._walk(make=False)
        try:
            return os.open(os.path.basename(self._shown), flags, dir_fd=directory)
        finally:
            os.close(directory)

    def _create(self) -> None:
        if self._writer.within is not None:
            self._directory = self._walk(make=True)
            self._open_temporary("")
            return
        folder, slash, _ = self._shown.rpartition("/")
        try:
            self._open_temporary(folder + slash)
        except (FileNotFoundError, NotADirectoryError):
            _make_directories(folder or slash)
            self._open_temporary(folder + slash)

    def _open_temporary(self, folder: str) -> None:
        # Short and independent of the final name, which may already be as long as a name can be.
        # Not a secret: O_EXCL decides, and one that is taken is as likely as UUIDs that collide.
        self._temporary = f"{folder}.{_chance.getrandbits(64):016x}.part"
        try:
            # The kernel applies the umask, so that no window with another mode exists.
            self._file = os.open(self._temporary, _NEW_FILE, 0o666, dir_fd=self._directory)
        except BaseException:
            self._temporary = ""  # whatever has that name is not ours
            raise

    def _walk(self, *, make: bool) -> int:
        """Return a descriptor of the target's directory, reached without any symbolic link."""
        assert self._writer.within is not None
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
        if make:
            _make_directories(self._writer.within)
        current = os.open(self._writer.within, flags)
        for component in os.fspath(self._writer.target).split("/")[:-1]:
            try:
                if make:
                    _make_directory(component, current)
                below = os.open(component, flags | os.O_NOFOLLOW, dir_fd=current)
            finally:
                os.close(current)
            current = below
        return current

    def _commit(self) -> None:
        try:
            if self._file is None:
                self._create()  # an empty file
            assert self._file is not None
            if self.mtime is not None:
                os.utime(self._file, (self.mtime, self.mtime))
            if self._writer.fsync:
                os.fsync(self._file)
            descriptor, self._file = self._file, None
            os.close(descriptor)  # NFS tells here that the disk is full
            if self._directory is None:
                os.rename(self._temporary, self._shown)
            else:
                name, directory = os.path.basename(self._shown), self._directory
                os.rename(self._temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
            self._temporary = ""
            if self._writer.fsync:
                self._sync_directory()
        except (OSError, ValueError) as error:
            raise _ours(error, self._shown) from None

    def _sync_directory(self) -> None:
        if self._directory is not None:
            os.fsync(self._directory)
            return
        directory = os.open(os.path.dirname(self._shown) or ".", os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def _discard(self) -> None:
        """Close everything, and remove the temporary file if it is still one."""
        # Gone already, or a disk that fails: the first error is the one to tell.
        if self._file is not None:
            with suppress(OSError):
                os.close(self._file)
            self._file = None
        if self._temporary:
            with suppress(OSError):
                os.unlink(self._temporary, dir_fd=self._directory)
            self._temporary = ""
        if self._directory is not None:
            os.close(self._directory)
            self._directory = None


class ExistingFile:
    """A regular file at the target, open for reading."""

    def __init__(self, descriptor: int, facts: os.stat_result, shown: str):
        self._file = io.FileIO(descriptor)
        self._shown = shown
        self.size = facts.st_size
        self.mtime = facts.st_mtime

    def chunks(self) -> Iterator[bytes]:
        try:
            while chunk := self._file.read(_READ_SIZE):
                yield chunk
        except OSError as error:
            raise _ours(error, self._shown) from None

    def close(self) -> None:
        self._file.close()


def _ours(error: OSError | ValueError, path: str) -> WriteError:
    """Return a WriteError that names the path."""
    if isinstance(error, WriteError):
        return error
    if isinstance(error, OSError):
        return WriteError.from_oserror(error, path)
    return WriteError(str(error), path=path)  # a NUL, a lone surrogate


def _make_directories(path: str | os.PathLike[str]) -> None:
    try:
        os.makedirs(path, exist_ok=True)
    except FileExistsError:  # a file, or a symbolic link that leads nowhere
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)) from None


def _make_directory(name: str, parent: int) -> None:
    with suppress(FileExistsError):
        os.mkdir(name, dir_fd=parent)
