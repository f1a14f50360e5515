"""Names that are safe to write: relative paths that stay below where they are put."""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from pulp_download.errors import InvalidInput, InvalidURL
from pulp_download.printable import CONTROL, is_unicode, printable
from pulp_download.urls import URL


def file_name(url: str) -> str:
    """Return the name for a file fetched from ``url``: the last segment of its path, decoded.

    Raises InvalidURL where that is no name: an empty segment, ``..``, a separator or a control
    character behind a percent sign.
    """
    parsed = URL.parse(url)
    segment = parsed.path.rpartition("/")[2]
    try:
        return safe_path(unquote_to_bytes(segment).decode("utf-8"), single=True)
    except (InvalidInput, UnicodeDecodeError):
        raise InvalidURL(
            "its last segment is no file name; name the file", url=parsed.redacted
        ) from None


def safe_path(text: str, *, single: bool = False) -> str:
    """Return a relative path that stays below where it is put, or raise InvalidInput saying why.

    The names of a manifest pass here. Refused: absolute paths, ``.``, ``..`` and empty components,
    backslashes and drive letters (another system reads them as separators), control characters,
    lone surrogates, ``~`` and names that are too long. A leading ``./`` is dropped. ``single``
    refuses directories as well.
    """
    path = text if single else text.removeprefix("./")
    if reason := _unsafe(path, single=single):
        raise InvalidInput(f"unsafe path {printable(text[:200])!r}: {reason}")
    return path


_DRIVE = re.compile(r"[A-Za-z]:")
# What nearly every path of a real repository looks like; all the rest is looked at closely.
_PLAIN_PATH = re.compile(
    r"(?:[A-Za-z0-9_][A-Za-z0-9_+.~-]{0,200}/)*[A-Za-z0-9_][A-Za-z0-9_+.~-]{0,200}"
)


def _unsafe(text: str, *, single: bool) -> str | None:
    if _PLAIN_PATH.fullmatch(text) and not (single and "/" in text):
        return None
    parts = text.split("/")
    checks = (
        (not text, "it is empty"),
        (text.startswith("/"), "it is absolute"),
        (single and len(parts) > 1, "it has a directory"),
        (bool(CONTROL.search(text)), "it has a control character"),
        (not is_unicode(text), "it is not valid Unicode"),
        ("\\" in text, "it has a backslash"),
        (bool(_DRIVE.match(text)), "it has a drive letter"),
        (text.startswith("~"), "it starts with ~"),
        (text == "-", "it means a standard stream"),
        (".." in parts, "it leaves its folder by '..'"),
        ("." in parts or "" in parts, "it has an empty component"),
        (max(len(part.encode("utf-8", "replace")) for part in parts) > 255, "a name is too long"),
    )
    return next((reason for failed, reason in checks if failed), None)


def path_segments(url_path: str) -> str:
    """Return a URL's path as a relative file path: decoded once, then checked.

    Raises InvalidInput for what :func:`safe_path` refuses, and for escaped separators.
    """
    parts = [
        unquote_to_bytes(segment).decode("utf-8", "surrogateescape")
        for segment in url_path.lstrip("/").split("/")
    ]
    if any("/" in part for part in parts):
        raise InvalidInput(f"unsafe path {printable(url_path[:200])!r}: an escaped separator")
    return safe_path("/".join(parts))
