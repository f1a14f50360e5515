"""The format ``urls``: one absolute URL per line.

Blank lines and lines that begin with ``#`` are skipped, spaces around a URL are dropped. A file
lands under the URL's path, percent-decoded once (``https://host/a/b%20c?x=1`` is ``a/b c``). Where
the text ends without a newline its last URL may have been cut short, which cannot be noticed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pulp_download.errors import InvalidInput, InvalidURL, ManifestError
from pulp_download.lines import Lines
from pulp_download.manifests.entry import ManifestEntry
from pulp_download.paths import path_segments
from pulp_download.urls import SCHEMES, URL

_LATE_COMMENT = re.compile(r"\s#")


def parse(lines: Lines, name: str) -> Iterator[ManifestEntry]:
    """Yield an entry per URL; no error shows the URL itself, for it may hold a password."""
    for number, text in lines:
        text = text.strip()
        if text and not text.startswith("#"):
            yield ManifestEntry(_path(text, number), url=text, line=number)


def _path(text: str, line: int) -> str:
    if _LATE_COMMENT.search(text):
        raise ManifestError("a comment stands on a line of its own", line=line)
    try:
        url = URL.parse(text)
    except InvalidURL as error:
        # What follows the reason quotes the URL.
        raise ManifestError(error.reason.partition(": ")[0], line=line) from None
    if url.scheme not in SCHEMES:
        raise ManifestError(f"the URL's scheme is none of {', '.join(SCHEMES)}", line=line)
    if url.path.endswith("/"):
        raise ManifestError("the URL names a folder, not a file (its path ends in /)", line=line)
    try:
        return path_segments(url.path)
    except InvalidInput as error:
        raise ManifestError(error.reason, line=line) from None
