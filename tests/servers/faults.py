"""Answers that go wrong in a known way, each made of a few steps."""

from __future__ import annotations

from collections.abc import Iterable

from tests.servers.conversation import Cut
from tests.servers.steps import (
    Fields,
    Script,
    cut,
    drip,
    field_pairs,
    head,
    head_bytes,
    hold,
    next_request_begins,
    pause,
    repeat,
    reply,
    response_bytes,
    send,
    steps,
)

BLOCK = bytes(65536)
INTERIM = b"HTTP/1.1 100 Continue\r\n\r\n"
MANY = 256  # small pieces in one send, so that an endless answer does not starve its client


def truncated(
    body: bytes, *, sent: int, how: Cut = Cut.FIN, headers: Fields = (), status: int = 200
) -> Script:
    """Announce the whole body, send ``sent`` bytes of it, end the connection."""
    return steps(send(response_prefix(status, body, sent, headers)), cut(how))


def response_prefix(status: int, body: bytes, sent: int, headers: Fields = ()) -> bytes:
    """The head that announces all of ``body``, and its first ``sent`` bytes."""
    whole = response_bytes(status, body, headers)
    return whole[: len(whole) - len(body) + sent]


def cut_response(at: int, *, body: bytes = b"", how: Cut = Cut.FIN) -> Script:
    """A good response whose first ``at`` bytes arrive, counted from the status line's first."""
    return steps(send(response_bytes(200, body)[:at]), cut(how))


def until_close(body: bytes, *, how: Cut = Cut.FIN, headers: Fields = ()) -> Script:
    """A body whose only end is the end of the connection: no length, no chunks."""
    return steps(head(200, headers), send(body), cut(how))


def stalled_before_head() -> Script:
    """Take the request and never answer."""
    return hold


def stalled_in_head() -> Script:
    """A status line and half a header, then silence."""
    return steps(send(b"HTTP/1.1 200 OK\r\nContent-Le"), hold)


def stalled_body(body: bytes, *, sent: int = 0, headers: Fields = ()) -> Script:
    """The head, ``sent`` bytes of the announced body, then silence."""
    return steps(send(response_prefix(200, body, sent, headers)), hold)


def dripped_body(body: bytes, *, every: float, size: int = 1) -> Script:
    """The head at once, then the body in pieces of ``size`` bytes, one every few seconds."""
    return steps(head(200, {"Content-Length": str(len(body))}), drip(body, every=every, size=size))


def dripped_head(*, every: float, body: bytes = b"") -> Script:
    """A good response whose head comes byte by byte."""
    whole = response_bytes(200, body)
    return steps(drip(whole[: len(whole) - len(body)], every=every), send(body))


def endless_body(
    *, length: int | None = None, status: int = 200, headers: Fields = (), block: bytes = BLOCK
) -> Script:
    """A body that never ends; ``length`` is a Content-Length to announce, however untrue."""
    pairs = field_pairs(headers)
    if length is not None:
        pairs.append(("Content-Length", str(length)))
    return steps(head(status, pairs), repeat(block))


def endless_trickle(*, every: float, status: int = 200, headers: Fields = ()) -> Script:
    """A body of single bytes that never ends."""
    return steps(head(status, headers), repeat(b".", every=every))


def endless_continue(*, every: float = 0.0) -> Script:
    """``100 Continue`` for ever, and no answer; without ``every`` as fast as they are read."""
    return repeat(INTERIM if every else INTERIM * MANY, every=every)


def endless_headers(*, every: float = 0.0, status: int = 200) -> Script:
    """A header block without an end; without ``every`` as fast as it is read."""
    more = b"X-More: and more\r\n"
    lines = repeat(more if every else more * MANY, every=every)
    return steps(send(head_bytes(status)[:-2]), lines)


def interim(status: int, then: Script, *, headers: Fields = (), times: int = 1) -> Script:
    """Informational responses before the real answer (RFC 9110 15.2)."""
    return steps(repeat(head_bytes(status, headers), times=times), then)


def chunk(data: bytes, *, size_line: bytes | None = None) -> bytes:
    """One chunk (RFC 9112 7.1) as bytes; ``size_line`` replaces the right hexadecimal length."""
    line = b"%x" % len(data) if size_line is None else size_line
    return line + b"\r\n" + data + b"\r\n"


LAST_CHUNK = b"0\r\n\r\n"


def chunked(
    pieces: Iterable[bytes], *, end: bytes = LAST_CHUNK, headers: Fields = (), keep: bool = True
) -> Script:
    """A chunked response of already framed ``pieces`` (see ``chunk``) and the bytes of its end.

    ``keep=False`` ends the connection after them, as a missing or broken end wants it.
    """
    pairs = field_pairs(headers)
    start = head(200, [*pairs, ("Transfer-Encoding", "chunked")])
    sent = send(b"".join(pieces) + end)
    return steps(start, sent) if keep else steps(start, sent, cut())


def redirect(location: str, *, status: int = 302, body: bytes = b"") -> Script:
    """A redirect to ``location``, put into the header as it is."""
    return reply(status, body, headers={"Location": location})


def surplus(then_sent: bytes, *, after: Script, wait: float | None = None) -> Script:
    """Answer with ``after``, and then send bytes that belong to no response.

    They go out when the first bytes of the next request on the connection have come, so that a
    client which looks before it sends sees nothing; or, with ``wait``, that many seconds later.
    """
    moment = next_request_begins if wait is None else pause(wait)
    return steps(after, moment, send(then_sent))
