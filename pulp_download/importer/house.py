"""An importer's own folder in its destination: the lock and the catalog.

::

    DEST/.pulp-download/
        lock              held by the run that is at work here
        catalog.sqlite    unless another catalog is used
        staging/          lists that were fetched and not published; gone when nothing runs
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path

from pulp_download.errors import DestinationBusy, WriteError

NAME = ".pulp-download"

# URLs and names of what is mirrored are nobody's business, also where DEST is published.
_MODE = 0o700

# Bytes of a process number in the lock.
_PID_SIZE = 20


class House:
    """The folder of one destination; nothing is made before it is entered or asked for."""

    def __init__(self, destination: Path):
        self._folder = destination / NAME

    @property
    def exists(self) -> bool:
        """Tell whether it has been made; raises WriteError for what is planted in its place."""
        self._fail_if_planted()
        return self._folder.is_dir()

    @property
    def catalog(self) -> Path:
        """Where the catalog is, if no other is used."""
        return self._folder / "catalog.sqlite"

    def make(self) -> None:
        """Make the folder; raises WriteError."""
        self._fail_if_planted()
        try:
            self._folder.mkdir(mode=_MODE, parents=True, exist_ok=True)
        except OSError as error:
            raise WriteError.from_oserror(error, str(self._folder)) from None

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Be the only run in this destination; raises DestinationBusy if another one is.

        The lock goes with the process, also with one that is killed.
        """
        path = self._folder / "lock"
        try:
            lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise WriteError.from_oserror(error, str(path)) from None
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                owner = os.pread(lock, _PID_SIZE, 0).decode("ascii", "replace").strip()
                whose = f"another run (process {owner})" if owner else "another run"
                raise DestinationBusy(
                    f"{whose} is at work here", path=str(self._folder.parent)
                ) from None
            if not _is_at(lock, path):  # its holder has just unmade it
                raise DestinationBusy("another run was at work", path=str(self._folder.parent))
            os.ftruncate(lock, 0)
            os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
            yield
        finally:
            os.close(lock)

    @contextmanager
    def provisional(self) -> Iterator[Callable[[], None]]:
        """Make the folder if it is not there, be the only run in it, and give what keeps it.

        Unless that is called, a folder that was made is unmade at the end, and the destination
        with it if that was made as well: nothing is to stay of what came to nothing.
        """
        is_new, is_new_destination = not self.exists, not self._folder.parent.exists()
        self.make()
        with self.locked(), ExitStack() as undo:
            if is_new_destination:
                undo.callback(_removed, self._folder.parent)
            if is_new:
                undo.callback(_removed, self._folder)
                undo.callback((self._folder / "lock").unlink, missing_ok=True)
            yield partial(_kept, undo)

    @contextmanager
    def staging(self) -> Iterator[Path]:
        """Give an empty folder for lists, removed at the end; for whoever holds the lock.

        What a killed run left in it goes first.
        """
        folder = self._folder / "staging"
        try:
            with suppress(FileNotFoundError):
                shutil.rmtree(folder)
            folder.mkdir(mode=_MODE)
        except OSError as error:
            raise WriteError.from_oserror(error, str(folder)) from None
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _fail_if_planted(self) -> None:
        for path in (self._folder, self.catalog):
            try:
                is_link = path.is_symlink()
            except OSError as error:
                raise WriteError.from_oserror(error, str(path)) from None
            if is_link:
                raise WriteError("a symbolic link, which is not followed", path=str(path))


def _is_at(file: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file), os.lstat(path))
    except FileNotFoundError:
        return False


def _kept(undo: ExitStack) -> None:
    undo.pop_all()


def _removed(folder: Path) -> None:
    with suppress(OSError):  # somebody else has put something there
        folder.rmdir()


def is_own(path: str) -> bool:
    """Tell whether a relative path leads into the folder, on whatever file system."""
    return path.partition("/")[0].casefold() == NAME
