"""What a client is told before the body, as values that any framework can write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from urllib.parse import quote

from pulp_download.content import Content
from pulp_download.errors import UnverifiableLength
from pulp_download.streamer.asked import Asked
from pulp_download.streamer.conditions import is_unchanged
from pulp_download.streamer.failures import Refusal
from pulp_download.streamer.headers import Fields, forwarded, of_not_modified, without_date

# The head of a small file waits for its body, which usually comes with it: a body that does not
# verify is then refused in words, and one that came in one read wakes the loop once. Bytes, less
# than a stream holds, and seconds at most.
SMALL = 65_536
HEAD_WAITS = 0.003


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
    fields = forwarded(content.fields, accept_ranges=forwards_ranges)
    if content.status in (200, 206) and is_unchanged(
        content.header("etag"),
        content.header("last-modified"),
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


def head_of_folder(asked: Asked) -> Head:
    """Return the head that leads from a folder's name to its page, whose links are relative to it.

    The place is a relative one, of what was asked for, so it is right wherever this is mounted and
    leads nowhere else.
    """
    place = f"{quote(asked.path.rpartition('/')[2], safe='')}/"
    return Head(301, ((b"Location", place.encode("ascii")), (b"Content-Length", b"0")))


def measured(head: Head, begin: Sequence[bytes], *, is_all: bool) -> Head:
    """Return the head with a Content-Length, which is known where ``begin`` is all of the body.

    For connections whose end is the body's, whyever it comes (RFC 9112 section 6.3): there only a
    length tells a whole body from a broken one. Raises UnverifiableLength.
    """
    if not head.has_body or head.size is not None:
        return head
    if not is_all:
        raise UnverifiableLength("upstream does not tell the length, and this client needs it")
    size = sum(map(len, begin))
    fields = (*head.fields, (b"Content-Length", b"%d" % size))
    return replace(head, fields=fields, size=size)


def passed_on(content: Content) -> list[tuple[str, str]]:
    """Return the fields that a view of your own gives its client with this answer.

    Content-Length is one of them where upstream tells it: by it a client sees that a body is cut.
    """
    pairs = without_date(forwarded(content.fields, accept_ranges=False))
    fields = [(name.decode("ascii"), value.decode("ascii")) for name, value in pairs]
    if content.size is not None:
        fields.append(("Content-Length", str(content.size)))
    return fields


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
