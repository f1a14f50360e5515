"""Directories of targets: made, reached without symbolic links, put on disk."""

from __future__ import annotations

import errno
import os
from contextlib import suppress


def make_directories(path: str | os.PathLike[str]) -> None:
    """Make a directory and its parents; raises OSErrors."""
    try:
        os.makedirs(path, exist_ok=True)
    except FileExistsError:  # a file, or a symbolic link that leads nowhere
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)) from None


def walked(root: str | os.PathLike[str], path: str, *, make: bool) -> int:
    """Return a descriptor of the directory of ``path`` below a root.

    Reached without any symbolic link but the root itself; ``make`` makes what is not there.
    """
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    if make:
        make_directories(root)
    current = os.open(root, flags)
    for component in path.split("/")[:-1]:
        try:
            if make:
                with suppress(FileExistsError):
                    os.mkdir(component, dir_fd=current)
            below = os.open(component, flags | os.O_NOFOLLOW, dir_fd=current)
        finally:
            os.close(current)
        current = below
    return current


def sync(path: str) -> None:
    """Put the entries of a directory on disk."""
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
