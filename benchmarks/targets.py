"""What this project wants to reach, judged from the figures of one run.

Ratios are of medians. Against several peers the fastest counts. Where a figure or a peer is not
there, the target is not measured, unless it is missed already.
"""

from __future__ import annotations

import operator
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks import books, cancel, memory, startup, streamer
from benchmarks.peers import CONTENDERS, US

MET, NOT_MET, NOT_MEASURED = "met", "NOT met", "not measured"

Report = Mapping[str, Any]


@dataclass(frozen=True)
class Found:
    """A figure, what to say about it, and whether all is known that a good verdict needs."""

    value: float | None
    note: str = ""
    complete: bool = True


@dataclass(frozen=True)
class Bound:
    """What a figure has to keep."""

    sign: str
    limit: float
    unit: str
    holds: Callable[[float, float], bool]

    def verdict(self, found: Found) -> str:
        if found.value is None:
            return NOT_MEASURED
        if not self.holds(found.value, self.limit):
            return NOT_MET
        return MET if found.complete else NOT_MEASURED


def at_least(limit: float, unit: str = "") -> Bound:
    return Bound(">=", limit, unit, operator.ge)


def above(limit: float, unit: str = "") -> Bound:
    return Bound(">", limit, unit, operator.gt)


def at_most(limit: float, unit: str = "") -> Bound:
    return Bound("<=", limit, unit, operator.le)


def below(limit: float, unit: str = "") -> Bound:
    return Bound("<", limit, unit, operator.lt)


@dataclass(frozen=True)
class Target:
    """A bound, and how the figure is found in a report that has to keep it."""

    name: str
    bound: Bound
    find: Callable[[Report], Found]

    def judge(self, report: Report) -> dict[str, Any]:
        """Return the target as a row: what was wanted, what was found, the verdict."""
        found = self.find(report)
        return {
            "target": self.name,
            "wanted": f"{self.bound.sign} {self.bound.limit:g}",
            "found": None if found.value is None else round(found.value, 3),
            "unit": self.bound.unit,
            "verdict": self.bound.verdict(found),
            "note": found.note,
        }


def judged(report: Report) -> list[dict[str, Any]]:
    """Return a row for each target."""
    return [target.judge(report) for target in TARGETS]


def _workload(report: Report, workload: str) -> Mapping[str, Any] | None:
    return next((found for found in report["comparisons"] if found["workload"] == workload), None)


def _row(report: Report, workload: str, contender: str) -> Mapping[str, Any] | None:
    """Return a contender's row, if it has figures there."""
    rows: Sequence[Mapping[str, Any]] = (_workload(report, workload) or {"rows": ()})["rows"]
    return next((r for r in rows if r["contender"] == contender and not r["fault"]), None)


def _seconds(report: Report, workload: str, contender: str) -> float | None:
    row = _row(report, workload, contender)
    return None if row is None else statistics.median(row["seconds"])


def _rate(report: Report, workload: str) -> float | None:
    """Return our files per second."""
    figures, seconds = _workload(report, workload), _seconds(report, workload, CONTENDERS[US].name)
    return None if figures is None or seconds is None else figures["files"] / seconds


def _times_as_fast(workload: str, *peers: str) -> Callable[[Report], Found]:
    """Find how many times as fast as the fastest of the peers we are."""

    def find(report: Report) -> Found:
        ours = _seconds(report, workload, CONTENDERS[US].name)
        measured = {peer: _seconds(report, workload, peer) for peer in peers}
        theirs = {peer: seconds for peer, seconds in measured.items() if seconds is not None}
        if ours is None or not theirs:
            return Found(None)
        best = min(theirs, key=lambda peer: theirs[peer])
        missing = [peer for peer in peers if peer not in theirs]
        notes = [best] * (len(peers) > 1) + [f"without {peer}" for peer in missing]
        return Found(theirs[best] / ours, ", ".join(notes), complete=not missing)

    return find


def _share_of_ideal(workload: str) -> Callable[[Report], Found]:
    def find(report: Report) -> Found:
        figures, rate = _workload(report, workload), _rate(report, workload)
        if figures is None or rate is None:
            return Found(None)
        return Found(rate / figures["ideal_files_per_second"])

    return find


def _times_the_ideal(workload: str) -> Callable[[Report], Found]:
    """Find how many times as long we took as nobody can do without."""
    share_of_ideal = _share_of_ideal(workload)

    def find(report: Report) -> Found:
        share = share_of_ideal(report).value
        return Found(None if share is None else 1 / share)

    return find


def _against(workload: str, other: str) -> Callable[[Report], Found]:
    """Find our files per second in one workload, as a share of those in another."""

    def find(report: Report) -> Found:
        rate, usual = _rate(report, workload), _rate(report, other)
        return Found(None if rate is None or usual is None else rate / usual)

    return find


def _connections(workload: str) -> Callable[[Report], Found]:
    """Find how many connections we opened, in the round with most of them."""

    def find(report: Report) -> Found:
        row = _row(report, workload, CONTENDERS[US].name)
        opened = row["connections_opened"] if row else None
        return Found(max(opened) if opened else None)

    return find


def _figure(measurement: str, name: str) -> Callable[[Report], Found]:
    return lambda report: Found(report["figures"].get(measurement, {}).get(name))


def _growth(report: Report) -> Found:
    """Find how memory grows over as many items as the target names; fewer only give a hint."""
    figures = report["figures"].get("memory", {})
    items = figures.get(memory.COUNT, 0)
    note = f"{items:,} items" if 0 < items < memory.ITEMS else ""
    return Found(figures.get(memory.GROWTH), note, complete=items >= memory.ITEMS)


PYTHON_PEERS = ("urllib3", "requests loop", "httpx", "aiohttp", "pooch", "pycurl")

TARGETS = (
    Target("small: against the requests loop", at_least(5, "x"),
           _times_as_fast("small", "requests loop")),
    Target("small: against aiohttp", at_least(1.1, "x"), _times_as_fast("small", "aiohttp")),
    Target("small: against aiohttp, then", at_least(1.3, "x"), _times_as_fast("small", "aiohttp")),
    Target("small: against aria2c, then", at_least(1, "x"), _times_as_fast("small", "aria2c")),
    Target("tiny: against the requests loop", at_least(5, "x"),
           _times_as_fast("tiny", "requests loop")),
    Target("tiny: against aiohttp", at_least(1.1, "x"), _times_as_fast("tiny", "aiohttp")),
    Target("large: against the best Python peer", at_least(0.95, "x"),
           _times_as_fast("large", *PYTHON_PEERS)),
    Target("large: against aria2c", at_least(2, "x"), _times_as_fast("large", "aria2c")),
    Target("latency: share of the ideal rate", at_least(0.9), _share_of_ideal("latency")),
    Target("TLS small: against the requests loop", at_least(4, "x"),
           _times_as_fast("TLS small", "requests loop")),
    Target("404 storm: connections opened", at_most(8), _connections("404 storm")),
    Target("404 storm: share of our rate in small", at_least(0.8), _against("404 storm", "small")),
    Target("ftp small: against requests-ftp", at_least(3, "x"),
           _times_as_fast("ftp small", "requests-ftp")),
    Target("ftp small: against aria2c", at_least(1, "x"), _times_as_fast("ftp small", "aria2c")),
    Target("mirrors: time, against the ideal", at_most(1.25, "x"), _times_the_ideal("mirrors")),
    Target("mirrors: against aria2c", above(1, "x"), _times_as_fast("mirrors", "aria2c")),
    Target("mirrors: against librepo", above(1, "x"), _times_as_fast("mirrors", "librepo")),
    Target("memory: growth from item 10,000 to 1,000,000", below(10, "MB"), _growth),
    Target("memory: per connection", below(0.5, "MB"), _figure("memory", memory.PER_CONNECTION)),
    Target("cancel: median", at_most(0.3, "s"), _figure("cancel", cancel.MEDIAN)),
    Target("start-up: import, against requests", at_most(1.5, "x"),
           _figure("start-up", startup.IMPORT)),
    Target("start-up: single file, against requests.get", at_most(1.5, "x"),
           _figure("start-up", startup.SINGLE_FILE)),
    Target("books: share of the downloads' time", below(25, "%"),
           _figure("books", books.BOOKS)),
    Target("streamer large: time, against nginx", at_most(2, "x"),
           _figure("streamer large", streamer.LARGE_RATIO)),
    Target("streamer small: against the requests bridge", at_least(3, "x"),
           _figure("streamer small", streamer.SMALL_RATIO)),
    Target("streamer first byte: after upstream's", at_most(5, "ms"),
           _figure("streamer first byte", streamer.FIRST_BYTE)),
)  # fmt: skip
