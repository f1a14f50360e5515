"""The smallest scripts, and how they are put together.

A script is called with the conversation and the request and says what happens on the wire. When
it returns and has not ended the connection, the server waits for the next request on it.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import TypeVar

from tests.servers.conversation import Conversation, Cut
from tests.servers.request import Request

Script = Callable[[Conversation, Request], None]
Step = Callable[[Conversation, object], None]
"""A script that does not look at what was asked: good for every kind of server."""
Answer = Script | Sequence[Script]
"""One script for every request, or a list: one for each, the last one repeats."""

C = TypeVar("C", bound=Conversation)
R = TypeVar("R")
Fields = Mapping[str, str] | Sequence[tuple[str, str]]
"""Header fields; a sequence of pairs where a name repeats."""


def field_pairs(headers: Fields) -> list[tuple[str, str]]:
    """The fields as a new list of pairs."""
    return list(headers.items() if isinstance(headers, Mapping) else headers)


def head_bytes(status: int = 200, headers: Fields = ()) -> bytes:
    """The bytes of a status line and header block, with nothing added."""
    try:
        reason = HTTPStatus(status).phrase
    except ValueError:
        reason = "Unnamed"
    fields = (f"{name}: {value}" for name, value in field_pairs(headers))
    lines = [f"HTTP/1.1 {status} {reason}", *fields]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def response_bytes(status: int = 200, body: bytes = b"", headers: Fields = ()) -> bytes:
    """A complete response as bytes, with a Content-Length unless ``headers`` frame it.

    A status that never has a body (1xx, 204, 304) gets no Content-Length.
    """
    pairs = field_pairs(headers)
    framed = {"content-length", "transfer-encoding"} & {name.lower() for name, _ in pairs}
    if not framed and status >= 200 and status not in (204, 304):
        pairs.append(("Content-Length", str(len(body))))
    return head_bytes(status, pairs) + body


def reply(
    status: int = 200, body: bytes = b"", *, headers: Fields = (), close: bool = False
) -> Script:
    """A proper answer, kept alive unless ``close`` or the client says otherwise.

    HEAD gets the same head and no body.
    """
    pairs = field_pairs(headers)
    kept = response_bytes(status, body, pairs)
    last = response_bytes(status, body, [*pairs, ("Connection", "close")])

    def script(conn: Conversation, request: Request) -> None:
        ends = close or request.wants_close
        data = last if ends else kept
        conn.send(data.removesuffix(body) if request.method == "HEAD" and body else data)
        if ends:
            conn.close()

    return script


def head(status: int = 200, headers: Fields = ()) -> Step:
    """A status line and header block, exactly these fields."""
    return send(head_bytes(status, headers))


def send(data: bytes) -> Step:
    """Exactly these bytes; the connection stays open."""
    return lambda conn, request: conn.send(data)


def send_raw(data: bytes) -> Step:
    """Exactly these bytes on the TCP connection, below TLS."""
    return lambda conn, request: conn.send_raw(data)


def drip(data: bytes, *, every: float, size: int = 1) -> Step:
    """Send ``data`` in pieces of ``size`` bytes, ``every`` seconds one; ends with its server."""

    def script(conn: Conversation, request: object) -> None:
        for start in range(0, len(data), size):
            if start:
                conn.pause(every)
            conn.send(data[start : start + size])

    return script


def repeat(data: bytes, *, every: float = 0.0, times: int | None = None) -> Step:
    """Send ``data`` again and again, for ever unless ``times`` says how often."""

    def script(conn: Conversation, request: object) -> None:
        for turn in itertools.count() if times is None else range(times):
            if turn and every:
                conn.pause(every)
            conn.send(data)

    return script


def pause(seconds: float) -> Step:
    """Let time pass, unless the client leaves or the server stops before."""
    return lambda conn, request: conn.pause(seconds)


def hold(conn: Conversation, request: object) -> None:
    """Stall until the client leaves or the server stops; counted in ``server.held``."""
    conn.hold()


def next_request_begins(conn: Conversation, request: object) -> None:
    """Wait until the first bytes of the client's next request are here; they are not lost."""
    conn.wait_readable()


def cut(how: Cut = Cut.FIN) -> Step:
    """End the connection: in order, without close_notify, or by reset."""
    return lambda conn, request: conn.cut(how)


def steps(*scripts: Callable[[C, R], None]) -> Callable[[C, R], None]:
    """One script after the other on the same request, until one ends the connection."""

    def script(conn: C, request: R) -> None:
        for step in scripts:
            if conn.closed:
                return
            step(conn, request)

    return script


def in_turn(*scripts: Callable[[C, R], None]) -> Callable[[C, R], None]:
    """The first script for the first request, and so on; the last one repeats."""
    if not scripts:
        raise ValueError("no scripts given")
    lock = threading.Lock()
    turns = itertools.chain(scripts[:-1], itertools.repeat(scripts[-1]))

    def script(conn: C, request: R) -> None:
        with lock:
            chosen = next(turns)
        chosen(conn, request)

    return script


def as_script(
    answer: Callable[[C, R], None] | Sequence[Callable[[C, R], None]],
) -> Callable[[C, R], None]:
    """One script of whatever a server can be told to answer."""
    return answer if callable(answer) else in_turn(*answer)


def when(condition: Callable[[Request], bool], then: Script, otherwise: Script) -> Script:
    """Choose by the request: ``when(lambda r: "Range" in r.headers, partial, whole)``."""

    def script(conn: Conversation, request: Request) -> None:
        (then if condition(request) else otherwise)(conn, request)

    return script
