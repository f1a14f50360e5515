"""A folder for lists until they are published."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from pulp_download.errors import WriteError
from pulp_download.partials import hold

_PREFIX = "pulp-download-"


@contextmanager
def staging() -> Iterator[Path]:
    """Make a folder (in ``TMPDIR``) that vanishes with the block; raises WriteError.

    A killed process leaves its own; the next one of the same user removes it.
    """
    _remove_nobodys()
    with ExitStack() as stack:
        try:
            folder = stack.enter_context(_held_folder())
        except OSError as error:
            raise WriteError.from_oserror(error, tempfile.gettempdir()) from None
        yield folder


@contextmanager
def _held_folder() -> Iterator[Path]:
    while True:
        with tempfile.TemporaryDirectory(prefix=_PREFIX) as folder:
            lock = _opened(folder)
            try:
                if hold(lock):  # else somebody has just taken it for nobody's
                    yield Path(folder)
                    return
            finally:
                os.close(lock)


def _remove_nobodys() -> None:
    with suppress(OSError), os.scandir(tempfile.gettempdir()) as there:
        for entry in there:
            if not entry.name.startswith(_PREFIX):
                continue
            with suppress(OSError):
                if entry.stat(follow_symlinks=False).st_uid != os.geteuid():
                    continue
                lock = _opened(entry.path)
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(entry.path)
                finally:
                    os.close(lock)


def _opened(folder: str) -> int:
    return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
