"""The streamer beside peers: a large file, many small ones, and the first byte.

Upstream, a streamer and its client are processes of their own (the client is this one). Whoever is
compared takes turns, and each first gets a turn that is not counted, in which digests are checked.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any
from urllib.parse import urlsplit

from benchmarks import nginx
from benchmarks.job import Item, Job, make_files, small_sizes
from benchmarks.streamers.client import Connection, fetch, fetch_all
from benchmarks.streamers.servers import BRIDGE, NGINX, US, Streamer, streaming
from benchmarks.turns import folder
from benchmarks.upstream import serving

# Turns of each, and quick ones.
ROUNDS, QUICK_ROUNDS = 7, 2
LARGE, QUICK_LARGE = 1 << 30, 64 << 20  # bytes of the one large file
FILES, QUICK_FILES = 2000, 300  # small ones, as many for each connection in its turn
CONNECTIONS = 8
# Requests of each kind and file; and the files: within one read, and one that takes many.
ASKED, QUICK_ASKED = 300, 50
FIRST_BYTE_SIZES = (10_000, 1_000_000)

# Names of figures.
LARGE_RATIO = "one large file: seconds, pulp_download / nginx proxy_pass"
SMALL_RATIO = "small files a second: pulp_download / requests bridge"
FIRST_BYTE = "first byte after upstream's, of the worse size (ms)"


def large(*, quick: bool) -> dict[str, Any]:
    """Return how long one large file takes through ours and through nginx."""
    names = [US, NGINX] if nginx.is_installed() else [US]
    with _in_front_of([QUICK_LARGE if quick else LARGE], names) as (job, streamers):
        (item,) = job.items

        def once(streamer: Streamer, *, verifies: bool) -> float:
            return fetch_all(streamer.port, [item], 1, verifies=verifies)

        seconds, busy = _in_turn(streamers, once, QUICK_ROUNDS if quick else ROUNDS)
    figures: dict[str, Any] = {"megabytes": round(item.size / 1e6)}
    for name in names:
        figures |= _spread(f"{name} (s)", seconds[name])
        figures[f"{name}, processor time (s)"] = round(busy[name], 3)
    if NGINX in names:
        figures[LARGE_RATIO] = _ratio(seconds, US, NGINX)
    return figures


def small(*, quick: bool) -> dict[str, Any]:
    """Return how many small files a second pass through ours and through the obvious bridge."""
    names = [US, BRIDGE]
    with _in_front_of(small_sizes(QUICK_FILES if quick else FILES), names) as (job, streamers):

        def once(streamer: Streamer, *, verifies: bool) -> float:
            return fetch_all(streamer.port, job.items, CONNECTIONS, verifies=verifies)

        seconds, busy = _in_turn(streamers, once, QUICK_ROUNDS if quick else ROUNDS)
    count = len(job.items)
    figures: dict[str, Any] = {"files": count, "connections": CONNECTIONS}
    for name in names:
        figures |= _spread(f"{name} (files/s)", [count / took for took in seconds[name]])
        figures[f"{name}, processor time per file (ms)"] = round(1000 * busy[name] / count, 3)
    figures[SMALL_RATIO] = _ratio(seconds, BRIDGE, US)
    return figures


def first_byte(*, quick: bool) -> dict[str, Any]:
    """Return how much later the first byte of a body comes than from upstream directly."""
    figures: dict[str, Any] = {"requests of each": QUICK_ASKED if quick else ASKED}
    later = []
    with _in_front_of(FIRST_BYTE_SIZES, [US]) as (job, (ours,)), ExitStack() as stack:

        def connected(port: int | None) -> Connection:
            connection = Connection(port or 0, verifies=True)
            stack.callback(connection.close)
            return connection

        direct, through = connected(urlsplit(job.base_url).port), connected(ours.port)
        for item in job.items:
            waits = _first_bytes(item, (direct, through), figures["requests of each"])
            upstream, streamer = (1000 * statistics.median(each) for each in waits)
            later.append(streamer - upstream)
            what = f"{item.size:,} bytes: first byte"
            figures[f"{what} from upstream (ms)"] = round(upstream, 3)
            figures[f"{what} through pulp_download (ms)"] = round(streamer, 3)
    figures[FIRST_BYTE] = round(max(later), 3)
    return figures


def _first_bytes(item: Item, connections: Sequence[Connection], count: int) -> list[list[float]]:
    """Ask over one connection after the other; return the seconds of each, without the first."""
    waits: list[list[float]] = [[] for _ in connections]
    for number in range(count + 1):
        for connection, found in zip(connections, waits, strict=True):
            times = fetch(connection, item)
            if number:
                found.append(times.first_byte)
    return waits


@contextmanager
def _in_front_of(
    sizes: Sequence[int], names: Sequence[str]
) -> Iterator[tuple[Job, list[Streamer]]]:
    """Serve files of these sizes, with these streamers in front."""
    with folder() as here, ExitStack() as stack:
        items = make_files(here / "root", list(sizes))
        upstream = stack.enter_context(serving(here / "root"))
        job = Job(upstream.url, items, "", CONNECTIONS)
        yield job, [stack.enter_context(streaming(name, job)) for name in names]


def _in_turn(
    streamers: Sequence[Streamer], once: Callable[..., float], rounds: int
) -> tuple[dict[str, list[float]], dict[str, float]]:
    """Return each one's seconds, and its processor time in a turn, the median."""
    seconds: dict[str, list[float]] = {streamer.name: [] for streamer in streamers}
    busy: dict[str, list[float]] = {streamer.name: [] for streamer in streamers}
    for streamer in streamers:
        once(streamer, verifies=True)
    for number in range(rounds):
        first = number % len(streamers)
        for streamer in (*streamers[first:], *streamers[:first]):
            before = streamer.server.cpu_seconds()
            seconds[streamer.name].append(once(streamer, verifies=False))
            busy[streamer.name].append(streamer.server.cpu_seconds() - before)
    return seconds, {name: statistics.median(found) for name, found in busy.items()}


def _spread(what: str, values: Sequence[float]) -> dict[str, float]:
    return {
        f"{what}, median": round(statistics.median(values), 3),
        f"{what}, least": round(min(values), 3),
        f"{what}, most": round(max(values), 3),
    }


def _ratio(seconds: Mapping[str, Sequence[float]], one: str, other: str) -> float:
    return round(statistics.median(seconds[one]) / statistics.median(seconds[other]), 2)
