"""Side by side with peers: the same work, in one run, taking turns.

Each contender runs in a process of its own, in alternating rounds, so that a slow minute of the
machine hits all of them. Each round begins with another one: who comes first finds colder caches.
Ratios are of medians. After every round the harness checks each file's
SHA-256 itself: a contender that left one out or let one through is marked, and has no ratio.
"""

from __future__ import annotations

import shutil
import statistics
from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import probe
from benchmarks.job import Item, Job, make_files
from benchmarks.mirrored import serving_mirrors
from benchmarks.peers import US, Contender
from benchmarks.turns import destination, folder, take
from benchmarks.upstream import Upstream, delaying, serving, serving_ftp
from benchmarks.workloads import Workload


@dataclass
class Outcome:
    """One contender's rounds on one workload."""

    contender: Contender
    fault: str = ""
    seconds: list[float] = field(default_factory=list)
    server_share: list[float] = field(default_factory=list)
    connections: list[int] = field(default_factory=list)
    served: list[list[int]] = field(default_factory=list)  # bytes, per round and mirror

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


def measure(
    workload: Workload,
    contenders: Mapping[str, Contender],
    *,
    cheaters: Collection[str] = (),
    quick: bool,
    rounds: int,
) -> dict[str, Any]:
    """Run the contenders in turn; return the workload's figures.

    Those that were found to cheat are listed, and have no turn.
    """
    outcomes = {
        key: Outcome(contender, fault=probe.CHEATS if key in cheaters else "")
        for key, contender in contenders.items()
        if (key in workload.only if workload.only else not contender.only_ftp)
    }
    with folder() as here:
        items = _items(workload, here / "root", quick=quick)
        _touch(here)
        with _upstream(workload, here / "root") as upstream:
            for number in range(rounds):
                for outcome in _begun_with(number, list(outcomes.values())):
                    if not outcome.fault:
                        _turn(outcome, upstream, items, workload, here)
            return _figures(workload, items, upstream, outcomes)


def _touch(here: Path) -> None:
    """Write as much as a turn does, once: a virtual machine's memory is slow when it is first used.

    Who came first would pay for that: large files took twice as long.
    """
    with destination(here) as path:
        shutil.copytree(here / "root", path)


def _begun_with(number: int, outcomes: list[Outcome]) -> list[Outcome]:
    first = number % len(outcomes)
    return outcomes[first:] + outcomes[:first]


def _items(workload: Workload, root: Path, *, quick: bool) -> tuple[Item, ...]:
    """Make the workload's files, and name some that are not there in the place of others."""
    items = make_files(root, workload.sizes(quick))
    if not workload.missing:
        return items
    return tuple(
        Item(f"missing-{number}", 0, "") if number % workload.missing == 0 else item
        for number, item in enumerate(items)
    )


def _upstream(workload: Workload, root: Path) -> AbstractContextManager[Upstream]:
    if workload.mirrors:
        return serving_mirrors(root, workload.mirrors)
    if workload.delay:
        return delaying(root, workload.delay)
    return serving_ftp(root) if workload.ftp else serving(root, tls=workload.tls)


def _turn(
    outcome: Outcome,
    upstream: Upstream,
    items: tuple[Item, ...],
    workload: Workload,
    here: Path,
) -> None:
    with destination(here) as path:
        job = Job(
            upstream.url, items, str(path), workload.connections, upstream.ca, upstream.mirrors
        )
        busy, opened = upstream.cpu_seconds(), upstream.connections()
        served = upstream.served()
        turn = take(outcome.contender, job)
        if turn.fault:
            outcome.fault = turn.fault
        elif wrong := job.faults():
            outcome.fault = f"CHEATS: {len(wrong)} files wrong or missing, {wrong[0]}"
        else:
            outcome.seconds.append(turn.seconds)
            outcome.server_share.append((upstream.cpu_seconds() - busy) / turn.seconds)
            if opened is not None and (now := upstream.connections()) is not None:
                outcome.connections.append(now - opened)
            pairs = zip(upstream.served(), served, strict=True)
            outcome.served.append([now - before for now, before in pairs])


def _figures(
    workload: Workload,
    items: tuple[Item, ...],
    upstream: Upstream,
    outcomes: Mapping[str, Outcome],
) -> dict[str, Any]:
    us = outcomes[US]
    size = sum(item.size for item in items)
    ideal = workload.ideal_seconds(len(items), size)
    rows = [_row(outcome, items, us, ideal) for outcome in outcomes.values()]
    rows.sort(key=lambda row: -row.get("files_per_second", 0))
    return {
        "workload": workload.name,
        "files": len(items),
        "megabytes": round(size / 1e6, 1),
        "connections": workload.connections,
        "upstream": upstream.name,
        "unit": workload.unit,
        "ideal_files_per_second": len(items) / ideal if ideal else None,
        "mirrors": [rate / 1e6 for rate in workload.mirrors.rates] if workload.mirrors else None,
        "rows": rows,
    }


def _row(
    outcome: Outcome, items: tuple[Item, ...], us: Outcome, ideal: float | None
) -> dict[str, Any]:
    """Return one contender's figures; only the fault where there is one."""
    row: dict[str, Any] = {"contender": outcome.contender.name, "fault": outcome.fault}
    if outcome.fault:
        return row
    size = sum(item.size for item in items)
    row["seconds"] = [round(value, 4) for value in outcome.seconds]
    row["files_per_second"] = round(len(items) / outcome.median, 1)
    row["mb_per_second"] = round(size / 1e6 / outcome.median, 1)
    row["server_cpu_share"] = round(statistics.median(outcome.server_share), 2)
    row["connections_opened"] = outcome.connections or None
    if ideal:
        row["times_the_ideal"] = round(outcome.median / ideal, 3)
    if any(outcome.served):
        # Of the files' bytes: what is above 1 in all was fetched for nothing.
        each = zip(*outcome.served, strict=True)
        row["mirror_shares"] = [round(statistics.median(sent) / size, 3) for sent in each]
    if not us.fault:
        row["we_are"] = round(outcome.median / us.median, 2)
    return row
