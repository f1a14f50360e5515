"""What a client is told before the body, as values that any framework can write."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

from pulp_download.content import Content
from pulp_download.streamer.asked import Asked
from pulp_download.streamer.conditions import is_unchanged
from pulp_download.streamer.failures import Refusal
from pulp_download.streamer.headers import Fields, forwarded, of_not_modified


@dataclass(frozen=True, slots=True)
class Head:
    """A status and the fields of an answer, Content-Length among them where it is known.

    ``has_body``: upstream's body follows. ``size`` is its length, if known. ``text`` is the body of
    an answer that has one of its own.
    """

    status: int
    fields: Fields
    has_body: bool = False
    size: int | None = None
    text: bytes = b""


def head_of(content: Content, asked: Asked, *, forwards_ranges: bool) -> Head:
    """Return the head for upstream's answer; 304 where the client has the file already."""
    headers = content.headers
    fields = forwarded(headers.iteritems(), accept_ranges=forwards_ranges)
    if content.status in (200, 206) and is_unchanged(
        headers.get("etag"),
        headers.get("last-modified"),
        if_none_match=asked.if_none_match,
        if_modified_since=asked.if_modified_since,
    ):
        return Head(304, of_not_modified(fields))
    if not forwards_ranges:
        fields = (*fields, (b"Accept-Ranges", b"none"))
    size = content.size
    if size is None and content.status == 200:
        size = content.expected_size  # a body of another length is broken off before its last byte
    if size is not None:
        fields = (*fields, (b"Content-Length", b"%d" % size))
    return Head(content.status, fields, has_body=asked.method != "HEAD", size=size)


def head_of_refusal(refusal: Refusal, *extra: tuple[bytes, bytes]) -> Head:
    """Return the head, and the text, of an answer that is no file."""
    text = f"{refusal.status} {HTTPStatus(refusal.status).phrase}: {refusal.reason}\n".encode()
    fields = [
        (b"Content-Type", b"text/plain; charset=utf-8"),
        (b"Content-Length", b"%d" % len(text)),
        (b"Cache-Control", b"no-store"),
        *extra,
    ]
    if refusal.retry_after is not None:
        fields.append((b"Retry-After", b"%d" % refusal.retry_after))
    return Head(refusal.status, tuple(fields), text=text)
