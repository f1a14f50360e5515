"""Files in a destination that no source lists."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from pulp_download.errors import WriteError
from pulp_download.folders import walked
from pulp_download.importer import house
from pulp_download.importer.bulk import in_bulk
from pulp_download.importer.repository import Repository
from pulp_download.importer.selection import Selection
from pulp_download.sweeping import is_partial


def extras(
    destination: Path, repository: Repository, selection: Selection
) -> Iterator[tuple[str, int]]:
    """Yield path and size of every file that is selected and listed by no source.

    As rsync does: what the selection leaves out is left alone. So are the importer's own folder,
    partial files of other runs, and what is neither a file nor a symbolic link. Holds the names of
    one folder at a time.
    """
    for bulk in in_bulk(_files(destination)):
        candidates = {path: size for path, size in bulk if selection.wants(path)}
        listed = repository.listed(list(candidates)) if candidates else set()
        yield from ((path, size) for path, size in candidates.items() if path not in listed)


def delete(destination: Path, path: str) -> None:
    """Delete a file below the destination, and the folders that become empty by it.

    No symbolic link is followed on the way. Raises WriteError.
    """
    folder, _, name = path.rpartition("/")
    try:
        directory = walked(destination, path, make=False)
        try:
            os.unlink(name, dir_fd=directory)
        finally:
            os.close(directory)
    except FileNotFoundError:
        return
    except OSError as error:
        raise WriteError.from_oserror(error, str(destination / path)) from None
    with suppress(OSError):  # the first folder that is not empty
        while folder:
            os.rmdir(destination / folder)
            folder = folder.rpartition("/")[0]


def _files(destination: Path) -> Iterator[tuple[str, int]]:
    try:
        top = os.open(destination, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        for folder, below, names, directory in os.fwalk(".", dir_fd=top):
            if folder == ".":
                below[:] = [name for name in below if not house.is_own(name)]
            prefix = "" if folder == "." else f"{folder[2:]}/"
            for name in (*names, *below):  # among these are links that lead to folders
                if is_partial(name):
                    continue
                with suppress(FileNotFoundError):
                    facts = os.stat(name, dir_fd=directory, follow_symlinks=False)
                    if stat.S_ISREG(facts.st_mode) or stat.S_ISLNK(facts.st_mode):
                        yield f"{prefix}{name}", facts.st_size
    finally:
        os.close(top)
