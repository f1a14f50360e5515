"""Whether a block of a test leaves threads or descriptors behind."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator


def descriptors() -> dict[str, str]:
    """The open file descriptors of this process and what they lead to (Linux)."""
    found = {}
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):  # the listing's own descriptor is gone
            found[name] = os.readlink(f"/proc/self/fd/{name}")
    return found


@contextlib.contextmanager
def nothing_left() -> Iterator[None]:
    """Fail with ``AssertionError`` if the block leaves a thread or a descriptor open."""
    threads, before = set(threading.enumerate()), descriptors()
    yield
    new_threads = [thread.name for thread in threading.enumerate() if thread not in threads]
    new_files = {fd: path for fd, path in descriptors().items() if before.get(fd) != path}
    assert not new_threads, f"threads left: {new_threads}"
    assert not new_files, f"descriptors left: {new_files}"
