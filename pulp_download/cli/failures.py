"""What failed, in a file that ``mirror`` takes as SOURCE."""

from __future__ import annotations

import json
import os
import stat
import threading
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import quote

import click

from pulp_download.download import Download
from pulp_download.errors import InvalidInput
from pulp_download.mirrors.mirror import LOWEST_PRIORITY, Mirror
from pulp_download.paths import safe_path
from pulp_download.urls import SCHEMES, URL
from pulp_download.validations import DigestValidation, expected_size


class Failures:
    """The file of ``--failures``: JSON lines that the format ``jsonl`` reads back.

    Holds URLs as they are asked for, queries included, so only its owner may read it. Left out is
    what no manifest may hold: one bad line would have all the others refused.

    What is in the file stays there until :meth:`begin`: it may be the list that is to be read.
    """

    def __init__(self, path: Path | None):
        self._file = None if path is None else _private(path)
        self._lock = threading.Lock()

    def begin(self) -> None:
        """Empty the file, if it is one and no pipe."""
        if self._file is not None and _is_regular(self._file.fileno()):
            self._file.truncate(0)

    def add(self, download: Download) -> None:
        """Write down a download that failed."""
        places = [each for each in download.mirrors if _can_be_listed(each)]
        if self._file is None or not places:
            return
        entry: dict[str, Any] = {
            "path": _listed(download),
            "url": str(places[0]),
            "size": expected_size(download.validations),
            "digests": {
                validation.algorithm: validation.hexdigest
                for validation in download.validations
                if isinstance(validation, DigestValidation)
            },
        }
        if len(places) > 1 or places[0].is_learnt:
            entry["mirrors"] = [_told(mirror) for mirror in places]
        with self._lock:
            self._file.write(json.dumps(entry) + "\n")
            self._file.flush()

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        if self._file is not None:
            self._file.close()


def _can_be_listed(mirror: Mirror) -> bool:
    return isinstance(mirror.url, URL) and mirror.url.scheme in SCHEMES


def _told(mirror: Mirror) -> dict[str, Any]:
    """Return a mirror as the format ``jsonl`` has it: what was learnt stays so when read back."""
    told: dict[str, Any] = {"url": str(mirror)}
    if mirror.priority != LOWEST_PRIORITY:
        told["priority"] = mirror.priority
    if mirror.location is not None:
        told["location"] = mirror.location
    if mirror.is_learnt:
        told["learnt"] = True
    return told


def _private(path: Path) -> TextIO:
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC
        file = os.fdopen(os.open(path, flags, 0o600), "w", encoding="utf-8")
        if _is_regular(file.fileno()):
            os.fchmod(file.fileno(), 0o600)  # it may have been there with another mode
    except OSError as error:
        raise click.UsageError(f"cannot write {str(path)!r}: {error.strerror}") from None
    return file


def _is_regular(descriptor: int) -> bool:
    return stat.S_ISREG(os.fstat(descriptor).st_mode)


def _listed(download: Download) -> str:
    """Return the path for the list: of a file with a name of its own choice, its last part."""
    path = str(download.attachment)
    try:
        return safe_path(path)
    except InvalidInput:
        name = os.path.basename(path)
    try:
        return safe_path(name)
    except InvalidInput:
        return f"_{quote(name, safe='')}"
