"""One request on a session, in one of two ways that end in the same exchange.

*Directly*, where nothing that was set on the session needs a ``PreparedRequest``: no response
hooks, cookies, params or proxies, no auth object but Basic and Bearer, and for the URL's scheme the
session's own adapter. Then a request is a few lines of text and costs as much. *Through the
session*, as requests does it, for everything else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

import requests
from requests.auth import HTTPBasicAuth
from requests.structures import CaseInsensitiveDict
from requests.utils import check_header_validity
from urllib3 import HTTPHeaderDict

from pulp_download.adapters.answer import Answer, answer_of
from pulp_download.adapters.exchange import Exchange
from pulp_download.adapters.framing import Head
from pulp_download.adapters.http import HttpAdapter, WatchedTimeout
from pulp_download.auth import AsAskedFor, BearerAuth
from pulp_download.session import Session, guarded
from pulp_download.urls import URL
from pulp_download.watchdog import Watch

# Fields that tell an origin nothing it may not know; all others stay with the origins that the
# caller named.
_HARMLESS = frozenset(
    {
        "accept",
        "accept-encoding",
        "accept-language",
        "if-modified-since",
        "if-none-match",
        "if-range",
        "range",
        "user-agent",
    }
)


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of whom: ``is_known`` origins get secrets, ``is_first`` gets params."""

    method: str
    url: URL
    headers: Mapping[str, str]
    auth: Any
    is_known: bool
    is_first: bool


def headers_of(fields: Head | HTTPHeaderDict) -> HTTPHeaderDict:
    """Return fields as a dictionary without case that keeps repeats."""
    return fields.headers if isinstance(fields, Head) else fields


class Opened:
    """An answer whose head is there: its facts, its body, and the URL it came from."""

    __slots__ = ("_source", "answer", "authorization", "method", "reason", "status", "url")

    def __init__(
        self, question: Question, answer: Answer, source: Exchange | requests.Response, sent: Any
    ):
        self.method = question.method
        self.url = question.url
        self.answer = answer
        self._source = source
        if isinstance(source, Exchange):
            self.status, self.reason = source.head.status, source.head.reason
        else:
            self.status, self.reason = source.status_code, source.reason or ""
        # What was sent to prove who asks, for whoever renews a token that was rejected.
        self.authorization: str | None = None if sent is None else str(sent)

    def header(self, name: str) -> str | None:
        """Return one field's value by its lower-case name, or None."""
        if isinstance(self._source, Exchange):
            return self._source.head.get(name)
        return self._source.headers.get(name)

    @property
    def fields(self) -> Head | HTTPHeaderDict:
        """All fields, as cheap to have as the answer came; either holds nothing else."""
        if isinstance(self._source, Exchange):
            return self._source.head
        raw = getattr(self._source.raw, "headers", None)
        return raw if isinstance(raw, HTTPHeaderDict) else HTTPHeaderDict(self._source.headers)


def ask(session: requests.Session, question: Question, watch: Watch) -> Opened:
    """Ask once; raises what requests, urllib3, the socket and the auth object raise."""
    adapter = _direct_adapter(session, question)
    opened = None if adapter is None else _directly(session, adapter, question, watch)
    return _through_session(session, question, watch) if opened is None else opened


def _direct_adapter(session: requests.Session, question: Question) -> HttpAdapter | None:
    """Return the adapter to ask by itself, or None where the session has to do it."""
    if type(session) is not Session or not session.is_plain:
        return None
    if question.auth is not None and type(question.auth) not in (BearerAuth, HTTPBasicAuth):
        return None
    adapter = session.get_adapter(str(question.url))
    return adapter if type(adapter) is HttpAdapter else None


def _directly(
    session: requests.Session, adapter: HttpAdapter, question: Question, watch: Watch
) -> Opened | None:
    """Ask without the session, or return None where its fields are more than lines of text."""
    if question.headers or question.auth is not None or not question.is_known:
        fields = CaseInsensitiveDict(session.headers)
        fields.update(question.headers)
        if question.auth is not None:
            question.auth(_Signed(fields))
        if not question.is_known:
            for name in [name for name in fields if name.lower() not in _HARMLESS]:
                del fields[name]
        block = _block(tuple(fields.items()))
        sent = fields.get("Authorization")
    else:
        block = _cached_block(tuple(session.headers.items()))
        sent = session.headers.get("Authorization")
    if block is None:
        return None
    exchange = adapter.ask(
        question.method,
        question.url,
        block,
        watch,
        verify=session.verify,
        cert=session.cert if question.is_known else None,
    )
    return Opened(question, exchange, exchange, sent)


def _block(fields: tuple[tuple[str, Any], ...]) -> str | None:
    """Return fields as lines, or None for a Host of one's own, bytes, and what is no field."""
    lines = []
    for name, value in fields:
        if value is None:  # requests: None takes a field of the session away
            continue
        if not isinstance(name, str) or not isinstance(value, str) or name.lower() == "host":
            return None
        if not value.isascii():
            return None
        check_header_validity((name, value))
        lines.append(f"{name}: {value}\r\n")
    return "".join(lines)


# The fields of a session hardly ever change; a few sessions at a time are many.
_cached_block = lru_cache(16)(_block)


class _Signed:
    """As much of a request as Basic and Bearer look at."""

    def __init__(self, headers: Any):
        self.headers = headers


def _through_session(session: requests.Session, question: Question, watch: Watch) -> Opened:
    url = question.url
    has_params = question.is_first and bool(session.params)
    exactly = AsAskedFor(None if has_params else str(url), question.auth)
    request = requests.Request(
        question.method, str(url), headers=dict(question.headers), auth=exactly
    )
    prepared = session.prepare_request(request)
    prepared.hooks["response"] = [guarded(prepared.hooks["response"])]
    if not question.is_known:
        for name in [name for name in prepared.headers if name.lower() not in _HARMLESS]:
            del prepared.headers[name]
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
    return Opened(question, answer_of(response, watch), response, sent)
