"""``./dev bench [NAME ...]``: run the named measurements, or all, and print what they found."""

from __future__ import annotations

import argparse
import json
import platform
import sys
from pathlib import Path

from benchmarks import cancel, memory, startup

# Name, what it measures, and the function; each returns figures by name.
MEASUREMENTS = {
    "memory": memory.measure,
    "cancel": cancel.measure,
    "start-up": startup.measure,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[[], *MEASUREMENTS], metavar="NAME",
                        help=f"one of {', '.join(MEASUREMENTS)}")  # fmt: skip
    parser.add_argument("--quick", action="store_true", help="smaller numbers, under two minutes")
    parser.add_argument("--json", type=Path, help="write the figures to this file as well")
    arguments = parser.parse_args()
    figures = {}
    for name in arguments.names or MEASUREMENTS:
        figures[name] = MEASUREMENTS[name](quick=arguments.quick)
        for what, value in figures[name].items():
            print(f"{name:9} {what:58} {value}", flush=True)
    if arguments.json:
        machine = {"python": sys.version.split()[0], "machine": platform.platform()}
        arguments.json.write_text(json.dumps({"machine": machine, "figures": figures}, indent=2))


if __name__ == "__main__":
    main()
