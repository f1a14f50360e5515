"""Removing what runs left behind that nobody will go on with."""

from __future__ import annotations

import logging
import os
import re
import time

from pulp_download.partials import LIFETIME, claim, remove_nobodys

log = logging.getLogger(__name__)

_PARTIAL = re.compile(r"\.([0-9a-f]{24})(?:\.facts)?\.part")
_TEMPORARY = re.compile(r"\.[0-9a-f]{16}(\.free)?\.part")

# Seconds after which a temporary file is nobody's where it is not held, or cannot be. A transfer
# that writes nothing for a minute has stalled; a day is for clocks and consumers.
_ABANDONED = 86_400.0


def sweep_partials(
    folder: str | os.PathLike[str], *, is_deep: bool = True, unused_since: float | None = None
) -> int:
    """Remove what interrupted downloads left in a folder, and return how many there were.

    What a living process works on stays, and what a later run could go on with, unless that was
    last used before ``unused_since`` (epoch seconds; a week ago unless given). Other files are
    never touched and symbolic links never followed. ``is_deep`` takes the folders below as well.
    What cannot be read or removed is passed over.
    """
    since = time.time() - LIFETIME if unused_since is None else unused_since
    removed = 0
    try:
        top = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        log.debug("%s is not swept: %s", os.fspath(folder), error.strerror)
        return 0
    try:
        for _, below, names, directory in os.fwalk(".", dir_fd=top):
            removed += _swept(names, directory, since)
            if not is_deep:
                below.clear()
    except OSError as error:
        log.debug("%s is swept in part: %s", os.fspath(folder), error.strerror)
    finally:
        os.close(top)
    return removed


def is_partial(name: str) -> bool:
    """Tell whether a file is named as those that a download has under way."""
    return bool(_PARTIAL.fullmatch(name) or _TEMPORARY.fullmatch(name))


def _swept(names: list[str], directory: int, since: float) -> int:
    stems = {match[1] for name in names if (match := _PARTIAL.fullmatch(name))}
    temporaries = [name for name in names if _TEMPORARY.fullmatch(name)]
    removed = sum(_is_dropped(stem, directory, since) for stem in stems)
    return removed + sum(_is_removed(name, directory) for name in temporaries)


def _is_dropped(stem: str, directory: int, since: float) -> bool:
    partial = claim("", stem, directory, make=True)
    if partial is None:
        return False
    used_at = partial.used_at()
    if partial.facts() and used_at is not None and used_at >= since:
        partial.keep()
        return False
    partial.drop()
    return True


def _is_removed(name: str, directory: int) -> bool:
    try:
        held = not name.endswith(".free.part")
        return remove_nobodys(name, directory, held=held, before=time.time() - _ABANDONED)
    except OSError:
        return False
