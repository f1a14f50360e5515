"""A site with limits for clients that are slow, many, or talk too much."""

from __future__ import annotations

import io
from typing import Any

from twisted.web.http import HTTPChannel, _GenericHTTPChannelProtocol
from twisted.web.resource import IResource
from twisted.web.server import Request, Site


class LimitedSite(Site):
    """A site whose limits are told at :func:`~pulp_download.streamer.twisted.site`."""

    def __init__(
        self, resource: IResource, *, max_connections: int, head_timeout: float, **options: Any
    ):
        super().__init__(
            resource, requestFactory=_Request, parsePOSTFormSubmission=False, **options
        )  # type: ignore[no-untyped-call]
        self.max_connections = max_connections
        self.head_timeout = head_timeout
        self.connections = 0

    def buildProtocol(self, addr: Any) -> Any:
        if self.connections >= self.max_connections:
            return None
        return super().buildProtocol(addr)  # type: ignore[no-untyped-call]

    def protocol(self) -> Any:
        """Return what speaks HTTP/1 or HTTP/2, whichever is negotiated."""
        return _Connection(_Channel())  # type: ignore[no-untyped-call]

    def getContentFile(self, length: int | None) -> io.BytesIO:
        """Return where a request's body goes: nowhere, for Twisted would put it on disk."""
        return _Dropped()

    def log(self, request: Any) -> None:
        """Nothing: whoever wants a log has an observer."""


class _Connection(_GenericHTTPChannelProtocol):
    """A client's connection, counted from its beginning to its end."""

    _site: Any = None

    def makeConnection(self, transport: Any) -> None:
        self._site.connections += 1
        super().makeConnection(transport)

    def connectionLost(self, reason: Any) -> None:
        self._site.connections -= 1
        super().connectionLost(reason)


class _Channel(HTTPChannel):
    """An HTTP/1 connection on which the clock of a request is not put back by its every byte."""

    site: Any
    _has_begun = False
    _host: Any = None

    def getHost(self) -> Any:
        """Return this side's address, which Twisted asks for at every request: a system call."""
        if self._host is None:
            self._host = super().getHost()  # type: ignore[no-untyped-call]
        return self._host

    def resetTimeout(self) -> None:
        if not self._handlingRequest and not self._has_begun:
            self._has_begun = True
            self.setTimeout(self.site.head_timeout)  # type: ignore[no-untyped-call]

    def allContentReceived(self) -> None:
        self._has_begun = False
        self.timeOut = self.site.timeOut  # for what follows
        super().allContentReceived()  # type: ignore[no-untyped-call]


class _Request(Request):
    """A request that has what answers all else, and tells of it, answer ``OPTIONS *`` too."""

    site: Any

    def _handleStar(self) -> None:
        if self.site.resource.isLeaf:
            self.render(self.site.resource)  # type: ignore[no-untyped-call]
        else:
            super()._handleStar()  # type: ignore[no-untyped-call]


class _Dropped(io.BytesIO):
    """A request's body, which nobody reads."""

    def write(self, data: Any) -> int:
        return len(data)
