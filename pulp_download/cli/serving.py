"""The reactor that serves, from its start to the signal that ends it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import click
from twisted.internet import reactor as _reactor
from twisted.internet import tcp
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.task import LoopingCall
from twisted.python.failure import Failure

from pulp_download.cli.access_log import AccessLog
from pulp_download.cli.interruption import Interrupted, Interruption
from pulp_download.cli.status import Status
from pulp_download.streamer.answers import Ranges
from pulp_download.streamer.heads import Head
from pulp_download.streamer.metrics import Metrics
from pulp_download.streamer.served import Served
from pulp_download.streamer.supplier import Supplier
from pulp_download.streamer.twisted import StreamerResource, site

# zope's interfaces say nothing to a type checker.
reactor: Any = _reactor

# Seconds between two looks at what is still open, while it comes to its end.
_LOOK_EVERY = 0.02

# Connections that wait to be accepted; the kernel's own limit may be lower.
_BACKLOG = 4096

# Clients keep more connections than they have requests on: browsers six, package managers a few.
_CONNECTIONS = 1000


class Address(NamedTuple):
    """Where to listen; port 0 is any that is free."""

    host: str
    port: int

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}/"


@dataclass(frozen=True, kw_only=True)
class Service:
    """How clients are served; seconds are ``stall_timeout`` and ``grace``."""

    listen: Address
    max_streams: int
    stall_timeout: float
    ranges: Ranges
    metrics_path: str
    grace: float

    def run(self, supplier: Supplier, log: AccessLog, interruption: Interruption) -> Status:
        """Serve until a signal comes; raises ClickException where it cannot listen.

        At the signal nobody is let in any more, and open streams have ``grace`` seconds to end: if
        all did, the status is DONE, else the signal's. The process's one reactor runs, in this
        thread.
        """
        metrics = Metrics()

        def observe(served: Served) -> None:
            metrics(served)
            log(served)

        streamer = StreamerResource(
            supplier,
            max_streams=self.max_streams,
            stall_timeout=self.stall_timeout,
            ranges=self.ranges,
            observer=observe,
            pages={self.metrics_path[1:]: lambda: _page(metrics)},
        )
        metrics.watch(lambda: streamer.open_streams)
        port = self._listening(streamer)
        ending = _Ending(port, streamer, self.grace)
        log.listens(Address(self.listen.host, port.getHost().port).url)
        try:
            with interruption.stopping(lambda: reactor.callFromThread(ending.begin)):
                reactor.run(installSignalHandlers=False)
                ending.check()
        except Interrupted as interrupted:
            if not ending.is_clean:
                return interrupted.status
        return Status.DONE

    def _listening(self, root: Any) -> Any:
        try:
            served = site(root, max_connections=max(_CONNECTIONS, 2 * self.max_streams))
            return reactor.listenTCP(self.listen.port, served, _BACKLOG, self.listen.host)
        except (CannotListenError, OSError) as error:
            reason = getattr(error, "socketError", error)
            told = getattr(reason, "strerror", None) or reason
            raise click.ClickException(f"cannot listen at {self.listen.url}: {told}") from None


def _page(metrics: Metrics) -> Head:
    text = metrics.text()
    fields = (
        (b"Content-Type", metrics.content_type.encode("ascii")),
        (b"Content-Length", b"%d" % len(text)),
    )
    return Head(200, fields, text=text)


class _Ending:
    """How a server comes to its end. In the reactor's thread."""

    def __init__(self, port: Any, streamer: StreamerResource, grace: float):
        self._port = port
        self._streamer = streamer
        self._grace = grace
        self._looking = LoopingCall(self._look)
        self._deadline = 0.0
        self._failure: Failure | None = None
        self.is_clean = False

    def begin(self) -> None:
        """Let nobody in; end once those who are in have what they came for, or time is up.

        What goes wrong on the way, which is a bug, ends it at once, and is raised by :meth:`check`.
        """
        maybeDeferred(self._begin).addErrback(self._give_up)

    def check(self) -> None:
        """Raise what went wrong."""
        if self._failure is not None:
            self._failure.raiseException()

    def _begin(self) -> Deferred[LoopingCall]:
        self._port.stopListening()
        self._streamer.stop(self._grace + 1)  # it is closed before
        self._deadline = reactor.seconds() + self._grace
        return self._looking.start(_LOOK_EVERY)

    def _look(self) -> None:
        if not self._streamer.open_streams:
            self.is_clean = not _sending()
        if self.is_clean or reactor.seconds() >= self._deadline:
            self._looking.stop()
            self._streamer.close().addBoth(lambda _: reactor.stop())

    def _give_up(self, failure: Failure) -> None:
        self._failure = failure
        maybeDeferred(self._streamer.close).addBoth(lambda _: reactor.stop())


def _sending() -> bool:
    """Have clients' connections close once all is sent; tell whether some has not been."""
    for each in (*reactor.getReaders(), *reactor.getWriters()):
        if isinstance(each, tcp.Server):
            each.loseConnection()
    return any(isinstance(each, tcp.Server) for each in reactor.getWriters())
