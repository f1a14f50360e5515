"""Side by side with peers: the same work, in one run, taking turns.

Each contender runs in a process of its own, in alternating rounds, so that a slow minute of the
machine hits all of them; ratios are of medians. After every round the harness checks each file's
SHA-256 itself: a contender that left one out or let one through is marked, and has no ratio.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.job import Item, Job, make_files, small_sizes
from benchmarks.upstream import Upstream, delaying, serving

US = "ours"

# A contender's module, its name in reports, and what must be there for it to run.
CONTENDERS = {
    "ours": ("pulp_download", "pulp_download"),
    "requests_loop": ("requests loop", "requests"),
    "urllib3_pool": ("urllib3", "urllib3"),
    "httpx_client": ("httpx", "httpx"),
    "aiohttp_client": ("aiohttp", "aiohttp"),
    "pooch_threads": ("pooch", "pooch"),
    "pycurl_threads": ("pycurl", "pycurl"),
    "aria2c": ("aria2c", "/aria2c"),
    "curl_parallel": ("curl -Z", "/curl"),
    "wget2_input": ("wget2", "/wget2"),
    "librepo_packages": ("librepo", "/librepo"),
}

# Nobody waits longer than this for one round, in seconds.
PATIENCE = 600


@dataclass(frozen=True)
class Workload:
    """What is fetched: sizes of files, connections, and from what kind of upstream."""

    name: str
    sizes: Callable[[bool], list[int]]
    connections: int
    tls: bool = False
    delay: float = 0.0
    missing: int = 0  # every n-th file is not there
    only: tuple[str, ...] = ()


WORKLOADS = (
    Workload("small", lambda quick: small_sizes(500 if quick else 5000), 8),
    Workload("tiny", lambda quick: [1000] * (1000 if quick else 20_000), 16),
    Workload("large", lambda quick: [(16 if quick else 256) << 20] * 8, 4),
    Workload("latency", lambda quick: small_sizes(1000 if quick else 5000), 64, delay=0.05,
             only=("ours", "requests_loop", "aiohttp_client", "pycurl_threads", "aria2c")),
    Workload("TLS small", lambda quick: small_sizes(300 if quick else 5000), 8, tls=True),
    Workload("404 storm", lambda quick: small_sizes(500 if quick else 5000), 8, missing=3,
             only=("ours", "requests_loop", "aiohttp_client", "pycurl_threads")),
)  # fmt: skip


@dataclass
class Outcome:
    """One contender's rounds on one workload."""

    contender: str
    seconds: list[float] = field(default_factory=list)
    server_share: list[float] = field(default_factory=list)
    fault: str = ""

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


def is_available(contender: str) -> bool:
    """Tell whether a contender can run here."""
    needs = CONTENDERS[contender][1]
    if needs == "/librepo":
        probe = ["/usr/bin/python3", "-c", "import librepo"]
        return subprocess.run(probe, capture_output=True, check=False).returncode == 0
    if needs.startswith("/"):
        return shutil.which(needs[1:]) is not None
    return importlib.util.find_spec(needs) is not None


def measure(workload: Workload, *, quick: bool, rounds: int) -> dict[str, Any]:
    """Run every contender in turn; return the workload's figures."""
    names = [name for name in workload.only or CONTENDERS if is_available(name)]
    with _folder() as folder:
        items = make_files(folder / "root", workload.sizes(quick))
        if workload.missing:
            items = tuple(
                Item(f"missing-{number}", 0, "") if number % workload.missing == 0 else item
                for number, item in enumerate(items)
            )
        outcomes = {name: Outcome(name) for name in names}
        with _upstream(workload, folder / "root") as upstream:
            for _ in range(rounds):
                for name in names:
                    if not outcomes[name].fault:
                        _round(outcomes[name], upstream, items, workload, folder)
            return _figures(workload, items, upstream, outcomes)


def _round(
    outcome: Outcome,
    upstream: Upstream,
    items: tuple[Item, ...],
    workload: Workload,
    folder: Path,
) -> None:
    destination = folder / "destination"
    job = Job(upstream.url, items, str(destination), workload.connections, upstream.ca)
    job.save(folder / "job.json")
    command = [sys.executable, "-m", "benchmarks.contenders", outcome.contender]
    busy = upstream.cpu_seconds()
    try:
        done = subprocess.run(
            [*command, str(folder / "job.json")],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        if done.returncode:
            outcome.fault = (done.stderr.strip().splitlines() or ["failed"])[-1][:120]
            return
        if wrong := job.faults():
            outcome.fault = f"CHEATS: {len(wrong)} files wrong or missing, {wrong[0]}"
            return
        seconds = float(done.stdout.split()[-1])
        outcome.seconds.append(seconds)
        outcome.server_share.append((upstream.cpu_seconds() - busy) / seconds)
    except subprocess.TimeoutExpired:
        outcome.fault = f"not done within {PATIENCE} s"
    finally:
        shutil.rmtree(destination, ignore_errors=True)


def _figures(
    workload: Workload, items: tuple[Item, ...], upstream: Upstream, outcomes: dict[str, Outcome]
) -> dict[str, Any]:
    us = outcomes[US]
    rows = []
    for name, outcome in outcomes.items():
        row: dict[str, Any] = {"contender": CONTENDERS[name][0], "fault": outcome.fault}
        if not outcome.fault:
            row["seconds"] = [round(value, 4) for value in outcome.seconds]
            row["files_per_second"] = round(len(items) / outcome.median, 1)
            row["mb_per_second"] = round(sum(i.size for i in items) / 1e6 / outcome.median, 1)
            row["server_cpu_share"] = round(statistics.median(outcome.server_share), 2)
            if not us.fault:
                row["we_are"] = round(outcome.median / us.median, 2)
        rows.append(row)
    rows.sort(key=lambda row: -row.get("files_per_second", 0))
    return {
        "workload": workload.name,
        "files": len(items),
        "connections": workload.connections,
        "upstream": upstream.name,
        "ideal_files_per_second": workload.connections / workload.delay if workload.delay else None,
        "rows": rows,
    }


def table(figures: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of a table for the terminal."""
    yield (
        f"{figures['workload']}: {figures['files']} files, {figures['connections']} connections,"
        f" {figures['upstream']}"
    )
    yield f"  {'contender':15} {'files/s':>9} {'MB/s':>9} {'we are':>8} {'server CPU':>11}"
    for row in figures["rows"]:
        if row["fault"]:
            yield f"  {row['contender']:15} {row['fault']}"
            continue
        times = f"{row['we_are']:.2f} x" if "we_are" in row else ""
        yield (
            f"  {row['contender']:15} {row['files_per_second']:9.0f} {row['mb_per_second']:9.1f}"
            f" {times:>8} {row['server_cpu_share']:>10.0%}"
        )


@contextmanager
def _folder() -> Iterator[Path]:
    """Yield a folder in memory if there is one: the disk is not what is compared."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="bench-", dir=memory) as folder:
        yield Path(folder)


def _upstream(workload: Workload, root: Path) -> AbstractContextManager[Upstream]:
    if workload.delay:
        return delaying(root, workload.delay)
    return serving(root, tls=workload.tls)
