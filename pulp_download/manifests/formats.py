"""The formats, one row each, and which of them a manifest is written in."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from itertools import chain
from typing import BinaryIO, NamedTuple

from pulp_download.errors import InvalidInput, ManifestError
from pulp_download.lines import Lines, numbered_lines
from pulp_download.manifests import (
    armor,
    checksums,
    compression,
    debian_packages,
    debian_release,
    jsonl,
    metalink,
    pulp_manifest,
    pypi,
    rpm,
    rpm_primary,
    url_list,
)
from pulp_download.manifests.entry import ManifestEntry

# Bytes of a line; a path has at most 4,096 of them on Linux, a URL 8,000 on most servers.
_LINE_LIMIT = 64 * 1024

# Bytes of content that recognition looks at: the first line that says something.
HEAD_SIZE = 64 * 1024

# Bytes read from a file at a time; not measured.
_CHUNK = 64 * 1024


class Format(NamedTuple):
    """One row: how it is named and parsed, and known by its file name, first line, or head.

    ``is_head`` is asked where no first line is enough; it gets the first characters of the content.
    """

    name: str
    parse: Callable[[BinaryIO, str], Iterator[ManifestEntry]]
    file_name: re.Pattern[str]
    first_line: re.Pattern[str]
    is_head: Callable[[str], bool] = lambda head: False


def _by_lines(
    parse: Callable[[Lines, str], Iterator[ManifestEntry]], *, limit: int = _LINE_LIMIT
) -> Callable[[BinaryIO, str], Iterator[ManifestEntry]]:
    """Return what parses a stream by its lines, each of ``limit`` bytes at most."""
    return lambda stream, name: parse(numbered_lines(stream, limit=limit), name)


# For a format that has no usual name, or no first line of its own.
_NEVER = re.compile(r"(?!)")

# A first line is tried against the rows from the top.
TABLE = (
    Format(
        "pulp-manifest",
        _by_lines(pulp_manifest.parse),
        re.compile(r"PULP_MANIFEST"),
        re.compile(r".+,\s*[0-9A-Fa-f]{64}\s*,\s*[0-9]+\s*"),
    ),
    Format(
        "checksums",
        _by_lines(checksums.parse),
        re.compile(
            rf"{checksums.NAMED.pattern}|(?:.*[^a-z0-9])?checksums?(?:\.txt|\.asc)?", re.IGNORECASE
        ),
        re.compile(r"\\?(?:[0-9A-Fa-f]{32,128} [ *].+|[A-Za-z0-9/-]+ \(.+\) = [0-9A-Za-z+/=]+\s*)"),
    ),
    Format(
        "debian-packages",
        _by_lines(debian_packages.parse, limit=debian_packages.LINE_LIMIT),
        re.compile(r"(?:.*_)?Packages"),
        re.compile(r"Package:.*", re.IGNORECASE),
    ),
    Format(
        "debian-release",
        _by_lines(debian_release.parse),
        re.compile(r"(?:.*_)?(?:In)?Release"),
        re.compile(
            r"(?:Origin|Label|Archive|Suite|Codename|Date|Valid-Until|Architectures|Components"
            r"|Changelogs|Acquire-By-Hash|NotAutomatic|ButAutomaticUpgrades):.*"
            r"|(?:MD5Sum|SHA1|SHA256|SHA512):\s*",
            re.IGNORECASE,
        ),
    ),
    # Before jsonl, for such a page may be one line.
    Format("pypi", pypi.parse, _NEVER, _NEVER, pypi.is_page),
    Format(
        "jsonl",
        _by_lines(jsonl.parse),
        re.compile(r".*\.jsonl", re.IGNORECASE),
        re.compile(r'\s*\{.*"path"\s*:.*\}\s*'),
    ),
    Format(
        "metalink",
        metalink.parse,
        re.compile(r".*\.(?:meta4|metalink)", re.IGNORECASE),
        re.compile(r"<(?:[\w.-]+:)?metalink(?:[\s/>].*)?"),
    ),
    Format(
        "rpm",
        rpm.parse,
        re.compile(r"repomd\.xml"),
        re.compile(r"<(?:[\w.-]+:)?repomd(?:[\s/>].*)?"),
    ),
    Format(
        "rpm-primary",
        rpm_primary.parse,
        re.compile(r"(?:.*-)?primary\.xml"),
        re.compile(r"<(?:[\w.-]+:)?metadata(?:[\s/>].*)?"),
    ),
    Format(
        "urls",
        _by_lines(url_list.parse),
        re.compile(r"(?:.*[._-])?urls?(?:[._-]?list)?(?:\.txt)?", re.IGNORECASE),
        re.compile(r"\s*[A-Za-z][A-Za-z0-9+.-]*://.*"),
    ),
)

FORMATS = tuple(sorted(row.name for row in TABLE))

_ROWS = {row.name: row for row in TABLE}

_COMPRESSED_NAME = re.compile(r"\.(?:gz|xz|bz2|zst)$")

# What may stand before the root element of an XML document without a document type.
_XML_PROLOG = re.compile(r"(?:\s*+<(?:\?.*?\?|!--.*?--)>)++\s*+", re.DOTALL)

# What is fetched by mistake in place of a manifest, by its first character.
_LINK = "<a href="
_IMPOSTORS = {"<": "HTML or XML", "{": "JSON", "[": "JSON"}


def recognise(name: str, head: bytes) -> str:
    """Return the name of the format that ``name`` (of the file) and its first bytes tell.

    ``head`` is the first 64 KiB, or all there is, compressed or not. The name decides where it is
    a format's usual one, and the content must not speak for another; else the content decides.
    Raises ManifestError for a contradiction, and where nothing tells.
    """
    text = _plain(head).decode("utf-8", "replace").removeprefix("\ufeff")
    line = _first_line(text)
    by_name = _row_by_name(name)
    by_content = next(
        (row for row in TABLE if row.first_line.fullmatch(line) or row.is_head(text)), None
    )
    if by_content is None and (impostor := _IMPOSTORS.get(line.lstrip()[:1])):
        # pages of an index need not say that they are one
        hint = "; if it is a page of a Python index, say the format pypi" if _LINK in text else ""
        raise ManifestError(f"looks like {impostor}, not like a list of files{hint}")
    if by_name and by_content and by_name is not by_content:
        raise ManifestError(
            f"named like the format {by_name.name}, but its content is {by_content.name};"
            " say which format it is"
        )
    row = by_name or by_content
    if row is None:
        what = "unknown format" if line else "empty, and its name tells no format"
        raise ManifestError(f"{what}; say which of {', '.join(FORMATS)} it is")
    return row.name


def parse(file: BinaryIO, *, name: str, format: str | None = None) -> Iterator[ManifestEntry]:
    """Read a manifest once, from where ``file`` stands, and return its entries as they come.

    ``name`` is the manifest's file name; ``format``, one of FORMATS, overrides recognition. What
    is wrong further down is raised after the entries before it, and lines that contradict each
    other are not noticed: see :class:`~pulp_download.manifests.Manifest`. The file stays open.
    """
    return entries(iter(partial(file.read, _CHUNK), b""), name=name, format=format)


def entries(
    chunks: Iterable[bytes],
    *,
    name: str,
    format: str | None = None,
    limit: int = compression.MAX_BYTES,
) -> Iterator[ManifestEntry]:
    """Do what :func:`parse` does for the chunks of a manifest, of ``limit`` bytes decompressed."""
    checked_name(format)
    rest = iter(chunks)
    first = next(rest, b"")
    if not first and _COMPRESSED_NAME.search(name):
        raise ManifestError("truncated: empty, which no compressed file is")
    stream = compression.opened(chain([first], rest), limit=limit)
    row = _ROWS[format or recognise(name, stream.peek(HEAD_SIZE))]
    return row.parse(stream, _base_name(name))


def checked_name(format: str | None) -> None:
    """Refuse a format's name that is not in the table (InvalidInput: the caller's mistake)."""
    if format is not None and format not in _ROWS:
        raise InvalidInput(f"unknown manifest format {format!r}; known: {', '.join(FORMATS)}")


def _row_by_name(name: str) -> Format | None:
    base = _base_name(name)
    return next((row for row in TABLE if row.file_name.fullmatch(base)), None)


def _base_name(name: str) -> str:
    return _COMPRESSED_NAME.sub("", name.rpartition("/")[2])


def _plain(head: bytes) -> bytes:
    """Return the head decompressed; that it ends too early is no wonder, damage shows later."""
    pieces = compression.decompressed([head])
    plain = b""
    with suppress(ManifestError):
        for piece in pieces:
            plain += piece
            if len(plain) >= HEAD_SIZE:
                break
    return plain


def _first_line(text: str) -> str:
    """Return the first line that says something.

    Inside a signature's header, if there is one; of XML, the line of the root element.
    """
    if prolog := _XML_PROLOG.match(text):
        text = text[prolog.end() :]
    lines = iter(text.split("\n"))
    for line in lines:
        if line.rstrip() == armor.BEGIN:
            for header in lines:
                if not header.strip():
                    break
        elif line.strip() and not line.startswith("#"):
            return line
    return ""
