"""requests-ftp's adapter with connections that are shared and bodies that are streamed."""

from __future__ import annotations

import binascii
import ssl
from base64 import b64decode
from collections.abc import Mapping
from functools import partial
from typing import Any, cast

from requests import PreparedRequest, Response
from requests.exceptions import InvalidHeader
from requests.utils import select_proxy

from pulp_download.adapters.exchange import Exchange
from pulp_download.adapters.ftp.body import FtpBody, NoBody
from pulp_download.adapters.ftp.conditions import (
    Facts,
    Part,
    is_unchanged,
    moment_of,
    size_of,
    wanted_part,
)
from pulp_download.adapters.ftp.control import Control
from pulp_download.adapters.ftp.place import Place, no_file, path_of, place_of
from pulp_download.adapters.ftp.pool import Pool
from pulp_download.adapters.ftp.replies import refusal
from pulp_download.adapters.ftp.verbs import Verbs
from pulp_download.adapters.head import Head
from pulp_download.adapters.http import HttpAdapter
from pulp_download.adapters.raw import RawAnswer
from pulp_download.adapters.watched import watched, watching
from pulp_download.errors import (
    BadStatus,
    ProxyFailed,
    ServerFailed,
    TransferError,
)
from pulp_download.fields import HARMLESS, keep_only
from pulp_download.settings import FtpSettings
from pulp_download.urls import URL, Credentials
from pulp_download.watch import Watch

_PHRASES = {200: "OK", 206: "Partial Content", 304: "Not Modified", 416: "Range Not Satisfiable"}


class FtpAdapter(Verbs):
    """Answers GET and HEAD as an HTTP server would: 200, 206, 304, 416; refusals are raised.

    SIZE and MDTM become Content-Length and Last-Modified. Other verbs are those of requests-ftp,
    over connections of ours. ``http`` sends what goes through a proxy.
    """

    def __init__(self, settings: FtpSettings, http: HttpAdapter):
        super().__init__()
        self._settings = settings
        self._http = http
        self._pool = Pool(http.idle)

    def renew(self) -> None:
        """Start with no connections; those that there are belong to another process."""
        self._pool.renew()

    def close(self) -> None:
        """Close every idle connection; those in use are closed when they come back."""
        self._pool.close()

    def send(
        self,
        request: PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> Response:
        """Send a request and return the answer once it begins; ``raw`` is its body.

        Raises this library's errors, and those of the socket and TLS layers as they come.
        """
        url = URL.parse(request.url or "")
        proxy = select_proxy(str(url), dict(proxies or {}))
        if proxy is not None:
            _check_proxy(url, proxy)
            known = self._without_http_secrets(request)
            return self._http.send(known, stream, timeout, verify, cert, proxies)
        found = self.get_username_password_from_header(request)
        place = place_of(url, found and Credentials(*found), self._settings, verify, cert)
        if request.method not in ("GET", "HEAD"):
            verb, path = self.verb(request.method), path_of(url, may_be_folder=True)
            with watching(timeout) as watch:
                return self.by_verb(verb, path, request, self._pool.take(place, watch))
        headers = cast(Mapping[str, str], request.headers)
        exchange = watched(
            timeout, partial(self._exchange, request.method, place, path_of(url), headers)
        )
        response = _response(request, exchange)
        if not stream:
            _ = response.content
        return response

    def ask(
        self,
        method: str,
        url: URL,
        headers: Mapping[str, str],
        credentials: Credentials | None,
        watch: Watch,
        *,
        verify: Any,
        cert: Any,
    ) -> Exchange:
        """Ask without a PreparedRequest: the same exchange. Never by way of a proxy."""
        place = place_of(url, credentials, self._settings, verify, cert)
        return self._exchange(method, place, path_of(url), headers, watch)

    def get_username_password_from_header(self, request: PreparedRequest) -> tuple[str, str] | None:
        """Return who to be: Basic credentials as the session puts them into a header, or None."""
        kind, _, value = str(request.headers.get("Authorization", "")).partition(" ")
        if kind.lower() != "basic":
            return None
        try:
            pair = b64decode(value, validate=True).decode("utf-8", "replace")
        except binascii.Error:
            raise InvalidHeader("Authorization is not Basic credentials") from None
        username, _, password = pair.partition(":")
        return username, password

    def _without_http_secrets(self, request: PreparedRequest) -> PreparedRequest:
        """Return a request without what is configured for HTTP: of secrets, FTP takes Basic."""
        is_basic = self.get_username_password_from_header(request) is not None
        kept = HARMLESS | {"authorization"} if is_basic else HARMLESS
        known = request.copy()
        keep_only(known.headers, kept)
        return known

    def _exchange(
        self, method: str, place: Place, path: str, headers: Mapping[str, str], watch: Watch
    ) -> Exchange:
        """Answer; a reused connection that proves dead is replaced by a fresh one, once."""
        control = self._pool.take(place, watch)
        try:
            return _answered(control, method, path, headers, watch)
        except Exception as error:
            if not (control.is_reused and _is_farewell(error)):
                raise
        watch.check()
        control = self._pool.take_fresh(place, watch)
        return _answered(control, method, path, headers, watch)


def _check_proxy(url: URL, proxy: str) -> None:
    """Raise what no further try would mend; to requests, a proxy without a scheme speaks HTTP."""
    scheme = proxy.partition("://")[0].lower() if "://" in proxy else "http"
    if url.scheme != "ftp" or scheme not in ("http", "https"):
        error = ProxyFailed("only ftp:// goes through a proxy, and only one that speaks HTTP")
        error.retryable = False
        raise error


def _is_farewell(error: Exception) -> bool:
    """Tell whether a connection had been given up by the server before it was used again."""
    if isinstance(error, (ConnectionError, ssl.SSLError)):
        return True
    return isinstance(error, ServerFailed) and error.status == 421


def _answered(
    control: Control, method: str, path: str, headers: Mapping[str, str], watch: Watch
) -> Exchange:
    """Answer by a connection, which goes back where it came from when that fails."""
    try:
        return _answer(control, method, path, headers, watch)
    except BaseException as error:
        watch.detach()
        # Whatever was refused, the dialogue is in step; but 421 is its end.
        is_in_step = isinstance(error, BadStatus) and error.status != 421
        control.give_back(reusable=is_in_step)
        raise


def _answer(
    control: Control, method: str, path: str, headers: Mapping[str, str], watch: Watch
) -> Exchange:
    facts = _facts(control, path, is_all=method == "HEAD")
    if method == "HEAD":
        return _exchange_of(control, watch, 200, facts)
    if is_unchanged(headers, facts):
        return _exchange_of(control, watch, 304, facts)
    part = wanted_part(headers, facts)
    if part is not None and part.last < part.first:
        return _exchange_of(control, watch, 416, facts)
    control.connect_data()
    if part is not None and part.first and not control.restart_at(part.first):
        part = None
    try:
        control.start(f"RETR {path}")
    except BadStatus as error:
        _check_no_folder(control, path, error)
        raise
    return _exchange_of(control, watch, 206 if part else 200, facts, part)


def _facts(control: Control, path: str, *, is_all: bool) -> Facts:
    """Return what SIZE and MDTM say; ``is_all``: nothing else will tell that there is no file."""
    size = control.fact("SIZE", path)
    is_absent = size is not None and size.code == 550
    modified = None if is_absent else control.fact("MDTM", path)
    known = [reply for reply in (size, modified) if reply is not None]
    if is_all and not any(reply.code == 213 for reply in known):
        error = refusal(known[0]) if known else BadStatus(502, "neither SIZE nor MDTM is known")
        _check_no_folder(control, path, error)
        raise error
    return Facts(
        size_of(size.text) if size is not None and size.code == 213 else None,
        moment_of(modified.text) if modified is not None and modified.code == 213 else None,
    )


def _check_no_folder(control: Control, path: str, error: TransferError) -> None:
    """Raise that this is a folder, if the server lets us go there."""
    if error.status == 550 and control.command(f"CWD {path}").is_complete:
        raise no_file()


def _exchange_of(
    control: Control, watch: Watch, status: int, facts: Facts, part: Part | None = None
) -> Exchange:
    ranges = "bytes" if control.can_restart else None
    lines = {"Last-Modified": facts.last_modified, "Accept-Ranges": ranges}
    size = facts.size
    if part is not None:
        lines["Content-Range"] = f"bytes {part.first}-{part.last}/{size}"
        lines["Content-Length"] = str(part.last - part.first + 1)
    elif status == 416:
        lines["Content-Range"] = f"bytes */{size}"
    elif status == 200 and size is not None:
        lines["Content-Length"] = str(size)
    text = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value is not None)
    head = Head(1, status, _PHRASES[status], f"\n{text}")
    watch.begin_body()
    if not control.has_data:
        return Exchange(head, NoBody(), control, watch)
    if part is None or size is None:
        return Exchange(head, FtpBody(control, size), control, watch)
    is_early = part.last < size - 1
    most = part.last - part.first + 1 if is_early else None
    return Exchange(head, FtpBody(control, size - part.first, most=most), control, watch)


def _response(request: PreparedRequest, exchange: Exchange) -> Response:
    response = Response()
    response.raw = RawAnswer(exchange, request.method)
    response.status_code, response.reason = exchange.head.status, exchange.head.reason
    response.headers.update(exchange.head.headers)
    response.url, response.request = request.url or "", request
    return response
