"""How long it takes to leave a loop while 64 connections stall in mid-body."""

from __future__ import annotations

import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pulp_download import Batch, Download
from tests.servers import FaultServer, reply, stalled_body

CONNECTIONS = 64
ROUNDS, QUICK_ROUNDS = 15, 5

# Names of figures.
MEDIAN = f"seconds to leave {CONNECTIONS} stalled connections, median"
WORST = f"seconds to leave {CONNECTIONS} stalled connections, worst"


def measure(*, quick: bool) -> dict[str, Any]:
    """Return the median time from ``break`` until threads and connections are gone."""
    times = [once() for _ in range(QUICK_ROUNDS if quick else ROUNDS)]
    return {MEDIAN: round(statistics.median(times), 4), WORST: round(max(times), 4)}


def once() -> float:
    with tempfile.TemporaryDirectory() as folder, FaultServer() as server:
        server.default(stalled_body(bytes(1000), sent=100))
        server.on("/done", reply(200, b"x"))

        def downloads() -> Iterator[Download]:
            for number in range(CONNECTIONS):
                yield Download(server.url(f"/{number}"), Path(folder, str(number)))
            yield Download(server.url("/done"), Path(folder, "done"))

        def workers() -> int:
            return sum(thread.name.startswith("pulp-") for thread in threading.enumerate())

        with Batch(downloads(), concurrency=CONNECTIONS + 1, window=200) as batch:
            for _result in batch:
                server.wait_for(lambda: server.held == CONNECTIONS)
                began = time.perf_counter()
                break
        took = time.perf_counter() - began
        assert workers() == 0
        assert sorted(path.name for path in Path(folder).iterdir()) == ["done"]
        server.wait_for(lambda: server.open == 0)
        return took
