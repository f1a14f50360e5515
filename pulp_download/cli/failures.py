"""What failed, in a file that ``mirror`` takes as SOURCE."""

from __future__ import annotations

import json
import os
import stat
import threading
from pathlib import Path
from typing import TextIO
from urllib.parse import quote

import click

from pulp_download.download import Download
from pulp_download.errors import InvalidInput
from pulp_download.paths import safe_path
from pulp_download.urls import SCHEMES, URL
from pulp_download.validations import DigestValidation, expected_size


class Failures:
    """The file of ``--failures``: JSON lines that the format ``jsonl`` reads back.

    Holds URLs as they are asked for, queries included, so only its owner may read it. Left out is
    what no manifest may hold: one bad line would have all the others refused.
    """

    def __init__(self, path: Path | None):
        self._file = None if path is None else _private(path)
        self._lock = threading.Lock()

    def add(self, download: Download) -> None:
        """Write down a download that failed."""
        url = download.url
        if self._file is None or not isinstance(url, URL) or url.scheme not in SCHEMES:
            return
        entry = {
            "path": _listed(download),
            "url": download.source,
            "size": expected_size(download.validations),
            "digests": {
                validation.algorithm: validation.hexdigest
                for validation in download.validations
                if isinstance(validation, DigestValidation)
            },
        }
        with self._lock:
            self._file.write(json.dumps(entry) + "\n")
            self._file.flush()

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        if self._file is not None:
            self._file.close()


def _private(path: Path) -> TextIO:
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        file = os.fdopen(os.open(path, flags, 0o600), "w", encoding="utf-8")
        if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            os.fchmod(file.fileno(), 0o600)  # it may have been there with another mode
    except OSError as error:
        raise click.UsageError(f"cannot write {str(path)!r}: {error.strerror}") from None
    return file


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
