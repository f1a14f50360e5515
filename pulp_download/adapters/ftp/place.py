"""What a URL means to an FTP server: which connections lead there, and under which name."""

from __future__ import annotations

import re
from typing import Any, NamedTuple
from urllib.parse import unquote_to_bytes

from pulp_download import tls
from pulp_download.errors import InvalidURL, TransferError
from pulp_download.settings import FtpSettings, TLSSettings
from pulp_download.urls import URL, Credentials

_EXPLICIT_PORT = 21
_CONTROL_CHARACTER = re.compile(r"[\x00-\x1f\x7f]")


class Place(NamedTuple):
    """Which connections are alike: same server, same user, same TLS.

    ``tls`` is None where there is none; ``is_implicit``: from the first byte on (RFC 4217 calls
    the other way explicit).
    """

    host: str
    port: int
    credentials: Credentials | None
    tls: TLSSettings | None
    is_implicit: bool


def place_of(
    url: URL, credentials: Credentials | None, settings: FtpSettings, verify: Any, cert: Any
) -> Place:
    """Return where a URL leads to; ``verify`` and ``cert`` are as requests takes them."""
    if credentials is not None and any(map(_CONTROL_CHARACTER.search, credentials)):
        raise InvalidURL("control character in a user name or password", url=url.redacted)
    origin = url.origin
    assert origin.port is not None
    is_tls = url.scheme == "ftps" or settings.is_tls
    is_implicit = url.scheme == "ftps" and origin.port != _EXPLICIT_PORT
    if url.scheme == "ftps" and settings.ftps_mode is not None:
        is_implicit = settings.ftps_mode == "implicit"
    return Place(
        origin.host,
        origin.port,
        credentials,
        tls.as_asked(settings.tls, verify, cert) if is_tls else None,
        is_implicit,
    )


def path_of(url: URL, *, may_be_folder: bool = False) -> str:
    """Return a URL's path as a server is told it: relative to where one is after logging in.

    An escaped slash at its beginning makes it absolute (RFC 1738 section 3.2.2). Bytes that are not
    UTF-8 go out as they came. Raises InvalidURL for control characters, TransferError for a folder.
    """
    path = unquote_to_bytes(url.target.removeprefix("/")).decode("utf-8", "surrogateescape")
    if _CONTROL_CHARACTER.search(path):
        raise InvalidURL("control character in the path", url=url.redacted)
    if not may_be_folder and (not path or path.endswith("/")):
        raise no_file()
    return path


def no_file() -> TransferError:
    """Return the error for a URL that names a folder."""
    return TransferError("names a folder; a listing is no download")
