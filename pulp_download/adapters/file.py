"""``file://``: local files as a session sees them (RFC 8089).

Only regular files: a FIFO would hang and a device never end. Absent is 404, unreadable 403, so that
everything above needs no case of its own. The source is never changed.
"""

from __future__ import annotations

import email.utils
import errno
import io
import mimetypes
import os
import stat
from collections.abc import Mapping
from functools import cache
from typing import Any, BinaryIO, cast
from urllib.parse import unquote_to_bytes

import urllib3
from requests import PreparedRequest, Response
from requests.adapters import BaseAdapter

from pulp_download.errors import InvalidURL, TransferError
from pulp_download.retries import parse_http_date
from pulp_download.urls import URL

_STATUS = {
    errno.ENOENT: (404, "No such file"),
    errno.ENOTDIR: (404, "No such file"),
    errno.ENAMETOOLONG: (404, "No such file"),
    errno.ELOOP: (404, "No such file"),
    errno.EACCES: (403, "Permission denied"),
    errno.EPERM: (403, "Permission denied"),
}


# What a compressed file is, for its bytes are passed on as they are.
_COMPRESSED = {"gzip": "application/gzip", "bzip2": "application/x-bzip2", "xz": "application/x-xz"}


class FileAdapter(BaseAdapter):
    """Answers GET and HEAD with the file's bytes, Content-Length, Last-Modified and Content-Type.

    The last one as far as the name tells it. A time of zero is how systems write one that is not
    known.
    """

    def send(
        self,
        request: PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> Response:
        """Open the file and return the answer; ``raw`` is the open file.

        Raises InvalidURL for a path with a NUL, TransferError for what is not a regular file.
        """
        url = URL.parse(request.url or "")
        path = unquote_to_bytes(url.path)
        if b"\0" in path:
            raise InvalidURL("NUL in the path of a file", url=url.redacted)
        try:
            file, facts = _open_regular(path, url)
        except OSError as error:
            if error.errno == errno.ENXIO:
                raise _refused(url) from None  # a socket
            if error.errno not in _STATUS:
                raise
            return _answer(request, *_STATUS[error.errno], {}, None)
        modified = _last_modified(facts)
        headers = {
            "Content-Length": str(facts.st_size),
            **modified,
            **_content_type(os.fsdecode(path)),
        }
        since = parse_http_date(str(request.headers.get("If-Modified-Since", "")))
        if modified and since is not None and int(facts.st_mtime) <= since:
            file.close()
            return _answer(request, 304, "Not Modified", modified, None)
        if request.method == "HEAD":
            file.close()
            return _answer(request, 200, "OK", headers, None)
        response = _answer(request, 200, "OK", headers, _Snapshot(file, facts.st_size))
        if not stream:
            _ = response.content
        return response

    def close(self) -> None:
        """Nothing is kept open between requests."""


def _open_regular(path: bytes, url: URL) -> tuple[BinaryIO, os.stat_result]:
    # O_NONBLOCK: opening a FIFO must not wait for its writer.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    facts = os.fstat(descriptor)
    # What the kernel makes up as it is read (/proc) says that it is empty, and is not.
    if not stat.S_ISREG(facts.st_mode) or (not facts.st_size and os.pread(descriptor, 1, 0)):
        os.close(descriptor)
        raise _refused(url)
    return os.fdopen(descriptor, "rb", buffering=0), facts


def _refused(url: URL) -> TransferError:
    return TransferError("not a regular file", url=url.redacted)


def _last_modified(facts: os.stat_result) -> dict[str, str]:
    if not facts.st_mtime:
        return {}
    try:
        return {"Last-Modified": email.utils.formatdate(facts.st_mtime, usegmt=True)}
    except (ValueError, OverflowError, OSError):  # a year that HTTP cannot spell
        return {}


def _content_type(path: str) -> dict[str, str]:
    """Return what the name tells of the content, for those who pass it on."""
    kind, encoding = _types().guess_type(os.path.basename(path))
    told = kind if encoding is None else _COMPRESSED.get(encoding)
    return {} if told is None else {"Content-Type": told}


@cache
def _types() -> mimetypes.MimeTypes:
    """Python's own table; with the machine's, each machine would tell something else."""
    return mimetypes.MimeTypes()


class _Snapshot:
    """As many bytes as there were when the file was opened: one that grows would never end."""

    def __init__(self, file: BinaryIO, size: int):
        self._file = file
        self._left = size

    @property
    def closed(self) -> bool:
        return self._file.closed

    def read(self, amount: int | None = None) -> bytes:
        piece = self._file.read(self._left if amount is None else min(amount, self._left))
        self._left -= len(piece)
        return piece

    read1 = read

    def close(self) -> None:
        self._file.close()


def _answer(
    request: PreparedRequest,
    status: int,
    reason: str,
    headers: dict[str, str],
    body: _Snapshot | None,
) -> Response:
    raw = urllib3.HTTPResponse(
        body=cast(Any, body) if body is not None else io.BytesIO(),
        headers=headers,
        status=status,
        reason=reason,
        preload_content=False,
        decode_content=False,
        request_method=request.method,
    )
    response = Response()
    response.status_code = status
    response.reason = reason
    response.headers.update(headers)
    response.raw = raw
    response.url = request.url or ""
    response.request = request
    response.connection = cast(Any, FileAdapter)
    return response
