"""Mirror lists: documents that name places which all have the same repository.

Two kinds are read: one base URL a line, as dnf and yum know them, and the metalink of a
repository's ``repomd.xml``, as Fedora's mirrors serve it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from io import BytesIO
from itertools import islice
from types import MappingProxyType

from pulp_download.errors import InvalidURL, ManifestError
from pulp_download.lines import numbered_lines
from pulp_download.mirrors import metalink
from pulp_download.mirrors.mirror import Mirror
from pulp_download.urls import SCHEMES, URL

# Bytes of a list; Fedora's metalink of 200 mirrors has 60 KB.
MAX_BYTES = 16 * 2**20

# Distinct mirrors that are kept; nobody asks the thousandth.
MAX_MIRRORS = metalink.MAX_MIRRORS

# Bytes of a line; a URL has at most that.
_LINE_LIMIT = 64 * 1024

# Bytes of a metalink parsed at a time; not measured.
_CHUNK = 64 * 1024

_VARIABLE = re.compile(r"\$(?:\{([A-Za-z0-9_]+)\}|([A-Za-z0-9_]+))")

# What a metalink is for whose places are those of a repository (createrepo's layout).
_INDEX = "repodata/repomd.xml"

_NONE: Mapping[str, str] = MappingProxyType({})


def parse(
    document: bytes, *, local: bool = False, variables: Mapping[str, str] = _NONE
) -> tuple[Mirror, ...]:
    """Return the learnt base URLs that a mirror list names, each once, in its order.

    Blank lines and lines that begin with ``#`` are skipped; ``$name`` and ``${name}`` stand for
    what ``variables`` say. Of a metalink the priorities and locations are kept, and the best come
    first. ``local``: the list is the caller's own and may name ``file:`` URLs. The first 1,000 are
    kept. Raises ManifestError, with the line and never with a URL, for what cannot be read, and for
    a list without a mirror.
    """
    if len(document) > MAX_BYTES:
        raise ManifestError(f"a mirror list of more than {MAX_BYTES} bytes")
    found: dict[object, Mirror] = {}
    is_xml = document.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"<"
    each = _of_repomd(document) if is_xml else _of_lines(document, variables)
    for line, mirror in each:
        if mirror.absolute.scheme == "file" and not local:
            raise ManifestError("a fetched list may not name local files", line=line)
        if len(found) < MAX_MIRRORS:
            found.setdefault(mirror.url, mirror)
    if not found:
        raise ManifestError("a mirror list without a mirror")
    return tuple(found.values())


def _of_lines(document: bytes, variables: Mapping[str, str]) -> Iterator[tuple[int, Mirror]]:
    for line, given in numbered_lines(BytesIO(document), limit=_LINE_LIMIT):
        text = given.strip()
        if text and not text.startswith("#"):
            yield line, Mirror(_url(_substituted(text, variables, line), line), is_learnt=True)


def _substituted(text: str, variables: Mapping[str, str], line: int) -> str:
    def value(found: re.Match[str]) -> str:
        name = found[1] or found[2]
        if name not in variables:
            raise ManifestError(f"nobody said what ${name[:80]} is", line=line)
        return variables[name]

    return _VARIABLE.sub(value, text)


def _url(text: str, line: int) -> URL:
    try:
        url = URL.parse(text)
    except InvalidURL as error:
        # What follows the reason quotes the URL.
        raise ManifestError(error.reason.partition(": ")[0], line=line) from None
    if url.scheme not in SCHEMES:
        raise ManifestError(f"the URL's scheme is none of {', '.join(SCHEMES)}", line=line)
    return url


def _of_repomd(document: bytes) -> Iterator[tuple[int, Mirror]]:
    """Yield what stands before ``repodata/repomd.xml`` in the places of the only file."""
    chunks = (document[at : at + _CHUNK] for at in range(0, len(document), _CHUNK))
    files = tuple(islice(metalink.parse(chunks), 2))
    if len(files) != 1 or files[0].name != "repomd.xml":
        raise ManifestError("a metalink that is not of one repomd.xml is no mirror list")
    (file,) = files
    for mirror in file.mirrors:
        url = mirror.url
        if not isinstance(url, URL) or not url.target.endswith(f"/{_INDEX}"):
            raise ManifestError(f"a URL that does not end in /{_INDEX}", line=file.line)
        base = URL(url.origin, url.target.removesuffix(_INDEX), url.credentials)
        yield (
            file.line,
            Mirror(base, priority=mirror.priority, location=mirror.location, is_learnt=True),
        )
