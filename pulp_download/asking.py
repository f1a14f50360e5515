"""One request on a session, in one of two ways that end in the same exchange.

*Directly*, where nothing that was set on the session needs a ``PreparedRequest``: no response
hooks, cookies, params or proxies, no auth object but Basic and Bearer, and for the URL's scheme the
session's own adapter. Then a request is a few lines of text and costs as much, or, over FTP, a path
and a name. *Through the
session*, as requests does it, for everything else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

import requests
from requests.auth import HTTPBasicAuth
from requests.structures import CaseInsensitiveDict
from urllib3 import HTTPHeaderDict

from pulp_download.adapters.answer import Answer, answer_of
from pulp_download.adapters.awaited import Awaited
from pulp_download.adapters.head import Head
from pulp_download.adapters.http import HttpAdapter
from pulp_download.adapters.watched import WatchedTimeout
from pulp_download.auth import AsAskedFor, BearerAuth
from pulp_download.fields import HARMLESS, Fields, as_fields, keep_only
from pulp_download.session import Session, guarded
from pulp_download.urls import FTP_SCHEMES, URL, Credentials
from pulp_download.watch import Watch

if TYPE_CHECKING:
    from pulp_download.adapters.ftp.adapter import FtpAdapter


class Question:
    """What is asked of whom: ``is_known`` origins get secrets, ``is_first`` gets params.

    ``authorization`` is what was sent to prove who asks, for whoever renews a token that was
    rejected.
    """

    __slots__ = ("auth", "authorization", "headers", "is_first", "is_known", "method", "url")

    def __init__(
        self,
        method: str,
        url: URL,
        headers: Mapping[str, str],
        auth: Any,
        *,
        is_known: bool,
        is_first: bool,
    ):
        self.method = method
        self.url = url
        self.headers = headers
        self.auth = auth
        self.is_known = is_known
        self.is_first = is_first
        self.authorization: str | None = None


def headers_of(fields: Head | HTTPHeaderDict) -> HTTPHeaderDict:
    """Return fields as a dictionary without case that keeps repeats."""
    return fields.headers if isinstance(fields, Head) else fields


def pairs_of(fields: Head | HTTPHeaderDict) -> list[tuple[str, str]]:
    """Return fields in their order, repeats kept, which is cheaper than a dictionary."""
    return fields.pairs() if isinstance(fields, Head) else list(fields.iteritems())


class Opened:
    """An answer whose head is there: its facts, its body, and the URL it came from.

    ``header(name)`` returns one field's value by its lower-case name, or None; ``fields`` are all,
    as cheap to have as the answer came.
    """

    __slots__ = ("_head", "answer", "fields", "header", "method", "reason", "status", "url")

    fields: Head | HTTPHeaderDict
    header: Callable[[str], str | None]

    def __init__(self, question: Question, answer: Answer, head: Head | requests.Response):
        self.method = question.method
        self.url = question.url
        self.answer = answer
        self._head = head  # a response that nobody holds closes itself
        if isinstance(head, Head):
            self.status, self.reason = head.status, head.reason
            self.header, self.fields = head.get, head
        else:
            self.status, self.reason = head.status_code, head.reason or ""
            self.header = head.headers.get
            raw = getattr(head.raw, "headers", None)
            self.fields = raw if isinstance(raw, HTTPHeaderDict) else HTTPHeaderDict(head.headers)


def ask(session: requests.Session, question: Question, watch: Watch) -> Awaited | Opened:
    """Ask once; raises what requests, urllib3, the socket and the auth object raise.

    What was asked directly is still awaited then.
    """
    auth = question.auth
    if type(session) is Session and (auth is None or type(auth) in (BearerAuth, HTTPBasicAuth)):
        adapter = session.direct_adapter(question.url)
        if isinstance(adapter, HttpAdapter):
            awaited = _directly(session, adapter, question, watch)
            if awaited is not None:
                return awaited
        elif adapter is not None:
            return _over_ftp(session, adapter, question, watch)
    return _through_session(session, question, watch)


def _directly(
    session: Session, adapter: HttpAdapter, question: Question, watch: Watch
) -> Awaited | None:
    """Ask without the session, or return None where its fields are more than lines of text."""
    fields = as_fields(session.headers)
    if question.headers or not question.is_known:
        fields = _fields_for(fields, question)
    lines, authorization = fields.sent
    if lines is None:
        return None
    if question.auth is not None:
        if authorization is not None:
            fields = Fields(fields)
            del fields["Authorization"]
            lines = fields.sent.lines
        authorization = _signature(question.auth, watch)
        lines = f"{lines}Authorization: {authorization}\r\n"
    question.authorization = authorization
    return adapter.ask(
        question.method,
        question.url,
        lines,
        watch,
        verify=session.verify,
        cert=session.cert if question.is_known else None,
    )


def _over_ftp(session: Session, adapter: FtpAdapter, question: Question, watch: Watch) -> Opened:
    """Ask without the session: of what it knows, FTP takes who asks, and TLS."""
    watch.may_block()
    credentials = None
    if isinstance(question.auth, HTTPBasicAuth):
        pair = (question.auth.username, question.auth.password)
        credentials = Credentials(*(_text(part) for part in pair))
    exchange = adapter.ask(
        question.method,
        question.url,
        CaseInsensitiveDict(question.headers),
        credentials,
        watch,
        verify=session.verify,
        cert=session.cert if question.is_known else None,
    )
    return Opened(question, exchange, exchange.head)


def _text(part: str | bytes) -> str:
    return part.decode("utf-8", "replace") if isinstance(part, bytes) else part


def _fields_for(fields: Fields, question: Question) -> Fields:
    """Return the session's fields with the question's own, but for those that are secrets."""
    chosen = Fields(fields)
    chosen.update(question.headers)
    if not question.is_known:
        keep_only(chosen, HARMLESS)
    return chosen


def _signature(auth: Any, watch: Watch) -> str:
    """Return what Basic or Bearer puts into the Authorization field."""
    if isinstance(auth, BearerAuth) and not auth.is_current:
        watch.may_block()  # in the token's source
    signed = _Signed()
    auth(signed)
    return signed.headers["Authorization"]


class _Signed:
    """As much of a request as Basic and Bearer look at."""

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}


def _through_session(session: requests.Session, question: Question, watch: Watch) -> Opened:
    watch.may_block()
    url = question.url
    has_params = question.is_first and question.is_known and bool(session.params)
    exactly = AsAskedFor(None if has_params else str(url), question.auth)
    request = requests.Request(
        question.method, str(url), headers=dict(question.headers), auth=exactly
    )
    prepared = session.prepare_request(request)
    prepared.hooks["response"] = [guarded(prepared.hooks["response"])]
    is_ftp = url.scheme in FTP_SCHEMES
    if is_ftp or not question.is_known:
        kept = HARMLESS | {"authorization"} if is_ftp and question.auth is not None else HARMLESS
        keep_only(prepared.headers, kept)
    response = session.send(
        prepared,
        stream=True,
        allow_redirects=False,
        timeout=cast(Any, WatchedTimeout(watch)),
        verify=session.verify,
        cert=session.cert if question.is_known else None,
        proxies=session.proxies,
    )
    if response.request is None:  # the adapter's contract does not ask for it
        response.request = prepared
    sent = response.request.headers.get("Authorization")
    question.authorization = None if sent is None else str(sent)
    return Opened(question, answer_of(response, watch), response)
