"""A resource for twisted.web that passes files on from wherever its supplier has them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

from twisted.internet.defer import Deferred
from twisted.web.resource import IResource, Resource
from twisted.web.server import NOT_DONE_YET, Request, Site

from pulp_download.streamer.answers import Answering, Ranges, checked_ranges
from pulp_download.streamer.asked import Asked, BadTarget, asked_of
from pulp_download.streamer.failures import ALLOW, FULL, NOT_ALLOWED, STOPPING, Refusal
from pulp_download.streamer.heads import Head
from pulp_download.streamer.pool import Pool
from pulp_download.streamer.served import Observer, Served, tell
from pulp_download.streamer.supplier import Supplier
from pulp_download.streamer.twisted_calls import Calls
from pulp_download.streamer.twisted_reply import Reply
from pulp_download.streamer.twisted_site import LimitedSite

# Seconds that connections have at the end to send what they were told last, and between two looks.
_TO_LEAVE = 1.0
_LOOK_EVERY = 0.01


class StreamerResource(Resource):
    """Serves whatever ``supplier`` finds for a path, as it comes, verified and never on disk.

    At most ``max_streams`` requests are answered at a time; others get 503 at once. ``threads``
    bounds the threads that may block in opening and reading, beside the one that opens (by default
    one for each stream, made on demand). A client that takes nothing for ``stall_timeout`` seconds
    is dropped. ``ranges`` is "ignore", or "forward" to relay parts of files, which are not
    verified. ``observer`` is called with a ``Served`` for each request, in the reactor's thread. A
    stream holds up to 128 KiB, and 65 KiB in Twisted; it has one of the places that its remote
    allows at a host until it is over, so a remote for slow clients wants ``per_host`` as large as
    ``max_streams``. ``pages`` are heads with texts of their own, made when they are asked for, by
    paths that are no supplier's.

    A leaf; may be mounted anywhere. To be used in the reactor's thread, like all of Twisted. Ends
    with its reactor; :meth:`stop` or :meth:`close` it where it goes earlier.
    """

    isLeaf = True

    def __init__(
        self,
        supplier: Supplier,
        *,
        max_streams: int = 100,
        threads: int | None = None,
        stall_timeout: float = 60.0,
        ranges: Ranges = "ignore",
        observer: Observer | None = None,
        pages: Mapping[str, Callable[[], Head]] = MappingProxyType({}),
        reactor: Any = None,
    ):
        super().__init__()  # type: ignore[no-untyped-call]
        if reactor is None:
            from twisted.internet import reactor
        self.supplier = supplier
        self._max_streams = max_streams
        self._stall_timeout = stall_timeout
        self._ranges = checked_ranges(ranges)
        self._observer = observer
        self._pages = pages
        self._reactor = reactor
        self._calls = Calls(reactor)
        self._pool = Pool(threads or max_streams, partial(reactor.callLater, 0))
        self._streams: set[Reply] = set()
        self._waiting: list[Deferred[None]] | None = None  # for all streams to be over
        self._overdue: Any = None
        self._leaving: list[Reply] = []
        self._leave_by = 0.0
        self._at_shutdown: Any = reactor.addSystemEventTrigger("before", "shutdown", self._ends)

    @property
    def open_streams(self) -> int:
        """The requests for files that are being answered."""
        return len(self._streams)

    def render(self, request: Request) -> int:
        """Answer a request, now or little by little."""
        reply = Reply(
            request,
            reactor=self._reactor,
            calls=self._calls,
            stall_timeout=self._stall_timeout,
            over=self._over,
        )
        if request.method not in (b"GET", b"HEAD"):
            reply.refuse(NOT_ALLOWED, ALLOW)
            return NOT_DONE_YET
        try:
            asked = _asked(request)
        except BadTarget as bad:
            reply.refuse(Refusal(bad.status, bad.reason))
            return NOT_DONE_YET
        if (page := self._pages.get(asked.path)) is not None:
            reply.answer(page())
        elif self._waiting is not None:
            reply.refuse(STOPPING)
        elif len(self._streams) >= self._max_streams:
            reply.refuse(FULL)
        else:
            self._streams.add(reply)
            reply.pass_on(self._pool, Answering(self.supplier, asked, self._ranges))
        return NOT_DONE_YET

    def stop(self, patience: float = 30.0) -> Deferred[None]:
        """Take no more files; fire when none is being sent, ``patience`` seconds from now at most.

        What is not over by then is aborted. Whoever listens is to stop listening before.
        """
        done: Deferred[None] = Deferred()
        if self._waiting is None:
            self._waiting = []
            self._overdue = self._reactor.callLater(patience, self._abort)
            if self._at_shutdown is not None:
                self._reactor.removeSystemEventTrigger(self._at_shutdown)
        self._waiting.append(done)
        self._look_for_the_end()
        return done

    def close(self) -> Deferred[None]:
        """Abort what is being sent; fire when that is done."""
        done = self.stop(0.0)
        self._abort()
        return done

    def _ends(self) -> Deferred[None]:
        """Close with the reactor, which waits for it."""
        self._at_shutdown = None
        return self.close()

    def _abort(self) -> None:
        self._leaving += self._streams
        self._leave_by = self._reactor.seconds() + _TO_LEAVE
        for reply in tuple(self._streams):
            reply.abort("the server stops")

    def _over(self, reply: Reply, served: Served) -> None:
        self._streams.discard(reply)
        tell(served, self._observer)
        self._look_for_the_end()

    def _look_for_the_end(self) -> None:
        if self._waiting is None or self._streams:
            return
        self._leaving = [reply for reply in self._leaving if not reply.is_settled]
        if self._leaving and self._reactor.seconds() < self._leave_by:
            self._reactor.callLater(_LOOK_EVERY, self._look_for_the_end)
            return
        if self._overdue.active():
            self._overdue.cancel()
        self._pool.close()
        waiting, self._waiting = self._waiting, []
        for done in waiting:
            done.callback(None)


def site(
    served: IResource | Supplier,
    *,
    max_connections: int = 1000,
    head_timeout: float = 10.0,
    idle_timeout: float = 60.0,
    reactor: Any = None,
) -> Site:
    """Return a site for a resource, or a supplier, for ``listenTCP`` or a ``.tac`` file.

    Connections beyond ``max_connections`` are closed at once. A request must be complete
    ``head_timeout`` seconds after its first byte, however steadily it drips; a connection without
    one is closed after ``idle_timeout`` seconds. Request lines and fields may have 16 KiB in all;
    what a request brings as a body is dropped. HTTP/2 is spoken where TLS negotiates it.
    """
    resource: Any = (
        served if IResource.providedBy(served) else StreamerResource(served, reactor=reactor)
    )
    return LimitedSite(
        resource,
        max_connections=max_connections,
        head_timeout=head_timeout,
        timeout=idle_timeout,
        reactor=reactor,
    )


def _asked(request: Request) -> Asked:
    """Return what is asked for; raises BadTarget."""

    fields = {
        name.lower().decode("latin-1"): raw
        for name, raw in request.requestHeaders.getAllRawHeaders()
    }

    def values(name: str) -> list[str]:
        return [value.decode("latin-1") for value in fields.get(name, ())]

    return asked_of(
        request.method.decode("latin-1"),
        request.uri,
        values,
        version=request.clientproto.decode("latin-1").removeprefix("HTTP/"),
        below=len(request.prepath or ()),
    )
