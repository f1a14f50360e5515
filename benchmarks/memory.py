"""Memory: of a million lazily generated downloads over ``file:``, and of one connection."""

from __future__ import annotations

import resource
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.job import make_files
from benchmarks.upstream import serving
from pulp_download import Batch, Download, Remote
from pulp_download.validations import Chunk
from pulp_download.writers import MemorySink

# Growth is counted from here: by then pools, caches and the allocator have their size.
WARM = 10_000
ITEMS, QUICK_ITEMS = 1_000_000, 50_000

CONNECTIONS = 64

# Names of figures.
COUNT = "items"
GROWTH = f"RSS growth since item {WARM:,} (MB)"
PER_CONNECTION = f"RSS per connection, of {CONNECTIONS} with large files (MB)"


class Nowhere:
    """A writer that keeps nothing, so that only the engine's own memory is seen."""

    path = None

    def open(self) -> MemorySink:
        return NowhereSink(lambda value: None)


class NowhereSink(MemorySink):
    def write(self, chunk: Chunk) -> None: ...


def resident() -> int:
    """Return this process's resident bytes."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def measure(*, quick: bool) -> dict[str, Any]:
    """Return how much resident memory grows with items, and with connections."""
    return _per_item(quick=quick) | _per_connection()


def _per_connection() -> dict[str, Any]:
    """Return what each of 64 connections and their threads add while large files come."""
    with tempfile.TemporaryDirectory() as folder:
        (item,) = make_files(Path(folder, "root"), [4 << 20])
        with serving(Path(folder, "root")) as upstream, Remote() as remote:
            url, writer = f"{upstream.url}/{item.path}", Nowhere()
            Download(url, writer, remote=remote).run()
            before = most = resident()
            downloads = (Download(url, writer, remote=remote) for _ in range(8 * CONNECTIONS))
            with Batch(downloads, concurrency=CONNECTIONS) as batch:
                for result in batch:
                    assert result.result().size == item.size
                    most = max(most, resident())
    each = (most - before) / CONNECTIONS / 1e6
    return {PER_CONNECTION: round(each, 3)}


def _per_item(*, quick: bool) -> dict[str, Any]:
    """Return how much resident memory grew between item 10,000 and the last."""
    count = QUICK_ITEMS if quick else ITEMS
    with tempfile.TemporaryDirectory() as folder, Remote() as remote:
        source = Path(folder, "source")
        source.write_bytes(bytes(1000))
        url, writer = source.as_uri(), Nowhere()

        def downloads() -> Iterator[Download]:
            for number in range(count):
                yield Download(url, writer, remote=remote, attachment=number)

        seen = warm = most = 0
        with Batch(downloads(), concurrency=8) as batch:
            for result in batch:
                assert result.result().size == 1000
                seen += 1
                if seen == WARM:
                    warm = resident()
                elif seen > WARM and seen % 1000 == 0:
                    most = max(most, resident())
    assert seen == count
    return {COUNT: count, GROWTH: round((most - warm) / 1e6, 2)}
