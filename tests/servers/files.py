"""A well-behaved file server's answer: ranges and validators, as RFC 9110 has them."""

from __future__ import annotations

import re

from tests.servers.conversation import Conversation
from tests.servers.request import Request
from tests.servers.steps import Script, reply

RANGE = re.compile(r"bytes=(\d+)-(\d*)")  # one range with a start: all that a resume asks for


def published(
    body: bytes, *, etag: str | None = None, last_modified: str | None = None, ranges: bool = True
) -> Script:
    """Serve ``body`` as a good server does: 200, 206 with Content-Range, 304 and 416.

    If-Range holds only for an equal ``etag`` (quoted, strong) or ``last_modified``; a Range that
    it does not allow is ignored. ``ranges=False`` ignores every Range.
    """
    fields = [("Accept-Ranges", "bytes" if ranges else "none")]
    fields += [("ETag", etag)] if etag else []
    fields += [("Last-Modified", last_modified)] if last_modified else []

    def script(conn: Conversation, request: Request) -> None:
        if etag and request.headers.get("If-None-Match") == etag:
            return reply(304, headers=fields)(conn, request)
        asked = RANGE.fullmatch(request.headers.get("Range", ""))
        if_range = request.headers.get("If-Range")
        if not ranges or not asked or if_range not in (None, etag, last_modified):
            return reply(200, body, headers=fields)(conn, request)
        start = int(asked[1])
        stop = min(int(asked[2]) + 1, len(body)) if asked[2] else len(body)
        if start >= stop:
            unsatisfied = [*fields, ("Content-Range", f"bytes */{len(body)}")]
            return reply(416, headers=unsatisfied)(conn, request)
        part = [*fields, ("Content-Range", f"bytes {start}-{stop - 1}/{len(body)}")]
        return reply(206, body[start:stop], headers=part)(conn, request)

    return script
