"""Any adapter's response as a stream of bytes that can be watched."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Protocol, cast

import requests
import urllib3

from pulp_download.adapters.raw import RawAnswer
from pulp_download.errors import TransferError
from pulp_download.printable import printable
from pulp_download.validations import Chunk
from pulp_download.watch import Watch


class Answer(Protocol):
    """The body of an open answer, received piece by piece, by one thread at a time."""

    @property
    def length(self) -> int | None:
        """Bytes that the framing announces, or None."""

    @property
    def end_is_marked(self) -> bool:
        """The framing tells where the body ends, so that a cut one is noticed."""

    @property
    def is_complete(self) -> bool:
        """The body is known to have been read to its end; else only an empty read tells."""

    @property
    def is_at_hand(self) -> bool:
        """All that is left has been received, and is only to be taken."""

    def receive(self, limit: int) -> Chunk:
        """Return the next bytes, at most ``limit``; empty at the end. Valid until the next call."""

    def drain(self) -> None:
        """Close, keeping the connection if that costs little."""

    def close(self) -> None:
        """Let go of the connection; it is used again only if the body was read to its end."""

    def abandon(self) -> None:
        """Close, and never use the connection again."""


def answer_of(response: requests.Response, watch: Watch) -> Answer:
    """Return the answer behind a response, whichever adapter made it.

    What a response hook has read already is served from ``response.content``; raises TransferError
    where that was decoded, for digests describe the bytes as sent.
    """
    raw = response.raw
    if isinstance(raw, urllib3.HTTPResponse) and raw.tell() > 0:
        coding = response.headers.get("Content-Encoding", "identity")
        if coding.lower() != "identity":
            response.close()
            raise TransferError(
                f"a hook read the body, which decoded it ({printable(coding)[:60]})"
            )
        return ForeignAnswer(response, watch, read=True)
    if isinstance(raw, RawAnswer):
        return raw.exchange
    if hasattr(raw, "receive"):
        return cast(Answer, raw)
    return ForeignAnswer(response, watch)


class ForeignAnswer:
    """The answer of an adapter that is not ours: anything whose ``raw`` can be read."""

    is_complete = False
    is_at_hand = False

    def __init__(self, response: requests.Response, watch: Watch, *, read: bool = False):
        self._response = response
        self._watch = watch
        self._raw: Any = response.raw
        self._content = memoryview(response.content) if read else None
        self._taken = 0
        watch.begin_body()

    @property
    def length(self) -> int | None:
        value = self._response.headers.get("Content-Length", "")
        if self._response.request.method == "HEAD":
            return 0
        return int(value) if value.isascii() and value.isdigit() and len(value) < 20 else None

    @property
    def end_is_marked(self) -> bool:
        return self.length is not None or "Transfer-Encoding" in self._response.headers

    def receive(self, limit: int) -> Chunk:
        if self._content is not None:
            piece = self._content[self._taken : self._taken + limit]
            self._taken += len(piece)
            return piece
        self._watch.begin_read()
        count = 0
        try:
            chunk = self._read(limit)
            count = len(chunk)
        finally:
            self._watch.end_read(count)
        self._watch.check()
        return chunk

    def _read(self, limit: int) -> bytes:
        if not isinstance(self._raw, urllib3.HTTPResponse):
            return cast(bytes, self._raw.read(limit))
        with suppress(AttributeError):  # a body whose file has no read1
            return self._raw.read1(limit, decode_content=False)
        return self._raw.read(limit, decode_content=False)

    def drain(self) -> None:
        self.close()

    def close(self) -> None:
        self._response.close()

    abandon = close
