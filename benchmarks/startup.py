"""What it costs to begin: importing, asking for help, fetching one small file."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import requests

from benchmarks.job import make_files
from benchmarks.upstream import serving
from pulp_download import Download

ROUNDS = 9
FETCHES = 200

COMMANDS = {
    "nothing": ["-c", "pass"],
    "import requests": ["-c", "import requests"],
    "import pulp_download": ["-c", "import pulp_download"],
    "pulp-download --help": ["-m", "pulp_download", "--help"],
}


def measure(*, quick: bool) -> dict[str, Any]:
    """Return medians of fresh interpreters, measured in turn, and of single small files."""
    rounds = 5 if quick else ROUNDS
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    with tempfile.TemporaryDirectory() as folder:
        # Byte code of all from one place, written by a first round that is not counted.
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": folder}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        for number in range(rounds + 1):
            for name, command in COMMANDS.items():
                took = _seconds(
                    partial(
                        subprocess.run,
                        [sys.executable, *command],
                        check=True,
                        env=environment,
                        stdout=subprocess.DEVNULL,
                    )
                )
                if number:
                    times[name].append(took)
    nothing, *others = (1000 * statistics.median(values) for values in times.values())
    figures: dict[str, Any] = {
        f"{name} (ms, median of {rounds})": round(value - nothing, 1)
        for name, value in zip(list(COMMANDS)[1:], others, strict=True)
    }
    figures["import: ratio"] = round((others[1] - nothing) / (others[0] - nothing), 2)
    return figures | _single_file()


def _single_file() -> dict[str, Any]:
    """Return what one file of 10 KB costs when each call makes its own session."""
    with tempfile.TemporaryDirectory() as folder:
        (item,) = make_files(Path(folder, "root"), [10_000])
        with serving(Path(folder, "root")) as upstream:
            url, target = f"{upstream.url}/{item.path}", Path(folder, "target")
            calls = {
                "requests.get": partial(requests.get, url, timeout=30),
                "Download(...).run()": Download(url, target).run,
            }
            times: dict[str, list[float]] = {name: [] for name in calls}
            for number in range(FETCHES + 1):
                for name, call in calls.items():
                    took = _seconds(call)
                    if number:
                        times[name].append(took)
    theirs, ours = (1000 * statistics.median(values) for values in times.values())
    return {
        f"one small file, requests.get (ms, median of {FETCHES})": round(theirs, 2),
        f"one small file, Download.run (ms, median of {FETCHES})": round(ours, 2),
        "one small file: ratio": round(ours / theirs, 2),
    }


def _seconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began
