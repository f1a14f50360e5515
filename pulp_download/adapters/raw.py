"""What ``requests.Response.raw`` holds: an exchange, as requests and its hooks know answers."""

from __future__ import annotations

from typing import Any, cast

import urllib3

from pulp_download.adapters.exchange import Exchange


class RawAnswer(urllib3.HTTPResponse):
    """An exchange behind the file interface of ``urllib3.HTTPResponse``.

    ``exchange`` is this library's way to the bytes, the file interface that of hooks and auth
    objects; either reads the same stream.
    """

    def __init__(self, exchange: Exchange, method: str | None):
        self.exchange = exchange
        head = exchange.head
        super().__init__(
            body=cast(Any, _File(exchange)),
            headers=head.headers,
            status=head.status,
            version=10 + head.version,
            reason=head.reason,
            preload_content=False,
            enforce_content_length=False,
            request_method=method,
            original_response=cast(Any, _Original(head.headers)),
        )

    def close(self) -> None:
        self.exchange.close()
        super().close()


class _File:
    """The body as the file that ``urllib3.HTTPResponse`` reads."""

    closed = False

    def __init__(self, exchange: Exchange):
        self._exchange = exchange

    def read(self, amount: int | None = None) -> bytes:
        if amount is not None:
            return bytes(self._exchange.receive(amount))
        parts = []
        while part := bytes(self._exchange.receive(1 << 16)):
            parts.append(part)
        return b"".join(parts)

    read1 = read

    def close(self) -> None:
        self.closed = True
        self._exchange.close()


class _Original:
    """What requests' cookie handling asks of ``http.client``'s response: its message."""

    def __init__(self, headers: urllib3.HTTPHeaderDict):
        self.msg = headers

    def isclosed(self) -> bool:
        return True

    def close(self) -> None: ...
