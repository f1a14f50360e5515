"""``./dev bench [NAME ...]``: run the named measurements, or all, and print what they found."""

from __future__ import annotations

import argparse
import json
import platform
import sys
from pathlib import Path
from typing import Any

from benchmarks import cancel, chart, compare, memory, startup

# Measurements of this project alone; each returns figures by name.
ALONE = {
    "memory": memory.measure,
    "cancel": cancel.measure,
    "start-up": startup.measure,
}
COMPARED = {workload.name: workload for workload in compare.WORKLOADS}


def main() -> None:
    names = [*COMPARED, *ALONE]
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(names)}")
    parser.add_argument("--quick", action="store_true", help="smaller numbers, under two minutes")
    parser.add_argument("--rounds", type=int, help="turns of each contender (5, quick 1)")
    parser.add_argument("--json", type=Path, help="write the figures to this file as well")
    parser.add_argument("--svg", type=Path, help="write a chart of the comparisons to this file")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(names):
        parser.error(f"no such measurement: {', '.join(sorted(unknown))}")
    wanted = arguments.names or names
    rounds = arguments.rounds or (1 if arguments.quick else 5)
    comparisons: list[dict[str, Any]] = []
    figures: dict[str, Any] = {}
    for name in wanted:
        if name in COMPARED:
            found = compare.measure(COMPARED[name], quick=arguments.quick, rounds=rounds)
            comparisons.append(found)
            print("\n".join(compare.table(found)), flush=True)
        else:
            figures[name] = ALONE[name](quick=arguments.quick)
            for what, value in figures[name].items():
                print(f"{name:9} {what:58} {value}", flush=True)
    if arguments.json:
        machine = {"python": sys.version.split()[0], "machine": platform.platform()}
        report = {"machine": machine, "comparisons": comparisons, "figures": figures}
        arguments.json.write_text(json.dumps(report, indent=2) + "\n")
    if arguments.svg:
        arguments.svg.write_text(chart.chart(comparisons))


if __name__ == "__main__":
    main()
