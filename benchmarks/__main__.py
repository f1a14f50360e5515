"""``./dev bench [NAME ...]``: run the named measurements, or the usual ones; print figures."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from benchmarks import (
    books,
    cancel,
    chart,
    compare,
    machine,
    memory,
    peers,
    probe,
    startup,
    streamer,
    tables,
)
from benchmarks.targets import judged
from benchmarks.workloads import WORKLOADS

# Measurements of this project alone, or with peers of their own; each returns figures by name.
ALONE = {
    "memory": memory.measure,
    "cancel": cancel.measure,
    "start-up": startup.measure,
    "books": books.measure,
    "streamer large": streamer.large,
    "streamer small": streamer.small,
    "streamer first byte": streamer.first_byte,
}
COMPARED = {workload.name: workload for workload in WORKLOADS}
BY_DEFAULT = [name for name, workload in COMPARED.items() if workload.by_default] + [*ALONE]

# Turns of each contender, without --rounds.
ROUNDS, QUICK_ROUNDS = 5, 1


def main() -> None:
    arguments = parse()
    rounds = arguments.rounds or (QUICK_ROUNDS if arguments.quick else ROUNDS)
    head = machine.head()
    show(tables.machine(head))
    if machine.is_busy(head["load"]):
        print(
            f"WARNING: the machine is busy, with a load of {head['load'][0]} before this began.\n"
        )
    report: dict[str, Any] = {
        "machine": head,
        "quick": arguments.quick,
        "rounds": rounds,
        "comparisons": [],
        "figures": {},
    }
    for lines in measure(report, arguments, rounds):
        report["targets"] = judged(report)
        save(report, arguments)  # each time: who stops a long run keeps what there is
        show(lines)
    show(tables.targets(report["targets"]))
    if arguments.quick:
        print("From small numbers: a hint, no verdict.")


def measure(
    report: dict[str, Any], arguments: argparse.Namespace, rounds: int
) -> Iterator[Iterable[str]]:
    """Measure what was asked for, one after the other; put it into the report and yield tables."""
    contenders = peers.available(arguments.contenders)
    compared = [COMPARED[name] for name in arguments.names if name in COMPARED]
    cheaters = probe.cheaters(contenders) if compared else set()
    for workload in compared:
        found = compare.measure(
            workload, contenders, cheaters=cheaters, quick=arguments.quick, rounds=rounds
        )
        report["comparisons"].append(found)
        yield tables.comparison(found)
    for name in arguments.names:
        if name in ALONE:
            report["figures"][name] = ALONE[name](quick=arguments.quick)
            yield tables.alone(name, report["figures"][name])


def parse() -> argparse.Namespace:
    """Return the arguments, with the usual measurements and all contenders where none are named."""
    names = [*COMPARED, *ALONE]
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(names)}")
    parser.add_argument("--quick", action="store_true", help="smaller numbers, under two minutes")
    parser.add_argument("--rounds", type=int, help="turns of each contender (5, quick 1)")
    parser.add_argument(
        "--contenders",
        metavar="NAME,NAME",
        type=lambda text: text.split(","),
        default=list(peers.CONTENDERS),
        help=f"compare with these only: {', '.join(peers.CONTENDERS)}; ours always takes part",
    )
    parser.add_argument("--json", type=Path, help="write the figures to this file as well")
    parser.add_argument("--svg", type=Path, help="write a chart of the comparisons to this file")
    arguments = parser.parse_args()
    arguments.names = arguments.names or BY_DEFAULT
    # In the order of the table, and ours whether it is named or not.
    chosen = {peers.US, *arguments.contenders}
    for what, given, known in (
        ("measurement", arguments.names, names),
        ("contender", chosen, peers.CONTENDERS),
    ):
        if unknown := set(given).difference(known):
            parser.error(
                f"no such {what}: {', '.join(sorted(unknown))} (there are {', '.join(known)})"
            )
    arguments.contenders = [key for key in peers.CONTENDERS if key in chosen]
    return arguments


def show(lines: Iterable[str]) -> None:
    print("\n".join(lines), end="\n\n", flush=True)


def save(report: dict[str, Any], arguments: argparse.Namespace) -> None:
    """Write the files that were asked for."""
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=2) + "\n")
    if arguments.svg:
        arguments.svg.write_text(chart.chart(report["comparisons"]))


if __name__ == "__main__":
    main()
