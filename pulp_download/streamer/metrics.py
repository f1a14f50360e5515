"""What a streamer does, counted for Prometheus."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from pulp_download.errors import ValidationError
from pulp_download.streamer.served import Served

# Seconds until an upstream's answer begins: loopback to the patience of a client.
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Metrics:
    """An observer of a streamer that counts what it is told. Thread-safe.

    ``registry`` is where the numbers are, and a new one unless given; two streamers need two.
    ``content_type`` belongs to :meth:`text`.
    """

    content_type = CONTENT_TYPE_LATEST

    def __init__(self, *, registry: CollectorRegistry | None = None):
        self.registry = CollectorRegistry() if registry is None else registry
        self._requests = Counter(
            "pulp_download_requests",
            "Requests of clients by the status that they were told.",
            ["code"],
            registry=self.registry,
        )
        self._bytes = Counter(
            "pulp_download_bytes", "Bytes of bodies sent to clients.", registry=self.registry
        )
        self._upstream = Histogram(
            "pulp_download_upstream_seconds",
            "Seconds until the answer began that was passed on.",
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self._failures = Counter(
            "pulp_download_validation_failures",
            "Requests that failed by a file's size or digest.",
            registry=self.registry,
        )
        self._open = Gauge(
            "pulp_download_open_streams", "Streams that are open.", registry=self.registry
        )

    def watch(self, open_streams: Callable[[], int]) -> None:
        """Ask ``open_streams`` how many there are whenever the numbers are read."""
        self._open.set_function(lambda: float(open_streams()))

    def __call__(self, served: Served) -> None:
        self._requests.labels(code=str(served.status)).inc()
        self._bytes.inc(served.sent)
        if served.upstream_seconds is not None:
            self._upstream.observe(served.upstream_seconds)
        if isinstance(served.error, ValidationError):
            self._failures.inc()

    def text(self) -> bytes:
        """Return the numbers in Prometheus's text format."""
        return generate_latest(self.registry)
