"""requests-ftp's verbs for what is no download, over a connection that is lent."""

from __future__ import annotations

import ftplib
import io
import threading
import warnings
from collections.abc import Callable
from typing import cast

from requests import PreparedRequest, Response

from pulp_download.adapters.ftp.conditions import size_of
from pulp_download.adapters.ftp.control import Control
from pulp_download.adapters.ftp.replies import Reply, refusal
from pulp_download.errors import ProtocolViolation, TransferError

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # it imports cgi
    from requests_ftp.ftp import FTPAdapter

Verb = Callable[[str, PreparedRequest], Response]


class Verbs(FTPAdapter):
    """LIST, NLST, RETR and SIZE, whose answers are held in memory. Thread-safe.

    There is no STOR: that of requests-ftp does not work with Python 3.
    """

    def __init__(self) -> None:
        super().__init__()
        del self.func_table["STOR"]
        self._local = threading.local()  # which connection is lent

    def verb(self, name: str | None) -> Verb:
        """Return what answers a request of this method; raises TransferError where nothing does."""
        verb = self.func_table.get(name or "")
        if verb is None:
            raise TransferError(f"{name} is no verb of FTP's here")
        return verb

    def by_verb(
        self, verb: Verb, path: str, request: PreparedRequest, control: Control
    ) -> Response:
        """Answer by a verb, over a connection that is closed then: it may be anywhere."""
        self._local.control = control
        try:
            return verb(path, request)
        except ftplib.Error as error:
            raise refusal(Reply.parse(str(error))) from None
        finally:
            control.close()

    @property
    def conn(self) -> ftplib.FTP:
        """The connection that requests-ftp works with in this thread."""
        return cast(ftplib.FTP, self._local.control)

    def size(self, path: str, request: PreparedRequest) -> Response:
        """Answer SIZE by its number; requests-ftp would make a body of as many zeros."""
        control: Control = self._local.control
        size = size_of(control.ask(f"SIZE {path}", 213).text)
        if size is None:
            raise ProtocolViolation("SIZE was answered by what is no size")
        response = Response()
        response.status_code, response.encoding = 213, "ascii"
        response.headers["Content-Length"] = str(size)
        response.raw = io.BytesIO(str(size).encode())
        response.url, response.request = request.url or "", request
        return response
