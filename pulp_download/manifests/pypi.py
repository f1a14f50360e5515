"""The format ``pypi``: one project's page of a Python package index, as JSON or as HTML.

Reference: the simple repository API of packaging.python.org, which collects PEP 503 (HTML), 592
(yanked files), 629 (versions), 691 (JSON), 700 (sizes) and 714 (metadata files). The first
character tells the form. Every file is an entry under its own name, without folders, yanked ones
like all others; signatures and metadata files that have no link of their own are not listed. Where
a file is may be told relative to the page's own URL, ``..`` included: see
:class:`~pulp_download.manifests.reference.Reference`.

A JSON page that was cut is always noticed. So is one of HTML that opens ``<html>`` or ``<body>``:
it must close one of them. HTML lets both be left out, and pages without either exist; one of those
that was cut between two links looks whole.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain
from typing import BinaryIO

from pulp_download.errors import ManifestError
from pulp_download.manifests import pypi_html, pypi_json
from pulp_download.manifests.entry import ManifestEntry

# Bytes parsed at a time. What has no end yet is looked at again with each, so that many small
# ones cost more; not measured.
_CHUNK = 16 * 1024

_BOM = b"\xef\xbb\xbf"

_FORMS: dict[bytes, Callable[[Iterator[bytes]], Iterator[ManifestEntry]]] = {
    b"{": pypi_json.parse,
    b"<": pypi_html.parse,
}

# In an index's own order of members "meta" may stand behind all the files.
_JSON_MARKS = (
    (re.compile(r'"meta"\s*:\s*\{'), re.compile(r'"api-version"\s*:')),
    (
        re.compile(r'"files"\s*:\s*\[\s*\{'),
        re.compile(r'"filename"\s*:'),
        re.compile(r'"hashes"\s*:\s*\{'),
    ),
)
_HTML_MARKS = ((re.compile(r"\bname\s*=\s*[\"']?pypi:repository-version\b", re.IGNORECASE),),)
_MARKS = {"{": _JSON_MARKS, "<": _HTML_MARKS}


def is_page(head: str) -> bool:
    """The first characters of a document are those of such a page, as far as it says so."""
    text = head.lstrip("\ufeff \t\r\n")
    return any(all(mark.search(text) for mark in marks) for marks in _MARKS.get(text[:1], ()))


def parse(stream: BinaryIO, name: str) -> Iterator[ManifestEntry]:
    """Yield an entry per file as the page comes, holding one file at a time."""
    chunks = iter(partial(stream.read, _CHUNK), b"")
    first = next(chunks, b"").removeprefix(_BOM)
    form = _FORMS.get(first.lstrip()[:1])
    if form is None:
        raise ManifestError("neither JSON nor HTML, so no page of a package index", line=1)
    yield from form(chain([first], chunks))
