"""What it costs to begin: importing, asking for help, one small file."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import requests

from benchmarks.job import make_files
from benchmarks.upstream import serving
from pulp_download import Download

ROUNDS, QUICK_ROUNDS = 15, 5  # fresh interpreters of each kind
FETCHES, QUICK_FETCHES = 400, 200  # files in one process
SIZE = 10_000  # bytes of the file: as long to fetch as a small one takes, and no longer

# Names of figures.
IMPORT = "import: pulp_download / requests"
FIRST_BYTE = "first byte: pulp_download / requests"
SINGLE_FILE = "one small file: Download.run / requests.get"

_ROOT = Path(__file__).parent.parent

COMMANDS = {
    "nothing": ["-c", "pass"],
    "import requests": ["-c", "import requests"],
    "import pulp_download": ["-c", "import pulp_download"],
    "pulp-download --help": ["-m", "pulp_download", "--help"],
}

# Each says on the clock that all processes share when the first bytes were in its hands.
SCRIPTS = {
    "requests": """
import sys, time
import requests
with requests.get(sys.argv[1], stream=True, timeout=30) as response:
    assert next(response.iter_content(65_536))
    print(time.monotonic())
""",
    "pulp_download": """
import sys, time
from pulp_download import Download
with Download(sys.argv[1]).iter_content(65_536) as content:
    assert next(iter(content))
    print(time.monotonic())
""",
}


def measure(*, quick: bool) -> dict[str, Any]:
    """Return medians of fresh interpreters and of single small files, measured in turn."""
    rounds = QUICK_ROUNDS if quick else ROUNDS
    with tempfile.TemporaryDirectory() as folder:
        (item,) = make_files(Path(folder, "root"), [SIZE])
        # Byte code of all in one place, written by a first round that is not counted.
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(Path(folder, "byte-code"))}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        with serving(Path(folder, "root")) as upstream:
            url = f"{upstream.url}/{item.path}"
            return {
                "rounds": rounds,
                **_commands(rounds, environment),
                **_first_byte(rounds, environment, url),
                **_single_file(QUICK_FETCHES if quick else FETCHES, url, Path(folder, "target")),
            }


def _commands(rounds: int, environment: dict[str, str]) -> dict[str, Any]:
    """Return what commands take beyond what an interpreter takes that does nothing."""

    def run(command: list[str]) -> float:
        return _seconds(partial(_python, command, environment))

    nothing, *others = _in_turn(
        rounds, {name: partial(run, command) for name, command in COMMANDS.items()}
    ).items()
    own = {name: value - nothing[1] for name, value in others}
    return {
        **{f"{name} (ms)": round(value, 1) for name, value in own.items()},
        IMPORT: round(own["import pulp_download"] / own["import requests"], 2),
    }


def _first_byte(rounds: int, environment: dict[str, str], url: str) -> dict[str, Any]:
    """Return how long it takes from the start of a process to the first bytes of a file."""

    def until_there(script: str) -> float:
        began = time.monotonic()
        return float(_python(["-c", script, url], environment)) - began

    medians = _in_turn(
        rounds, {name: partial(until_there, script) for name, script in SCRIPTS.items()}
    )
    return {
        **{f"first byte by {name} (ms)": round(value, 1) for name, value in medians.items()},
        FIRST_BYTE: round(medians["pulp_download"] / medians["requests"], 2),
    }


def _single_file(fetches: int, url: str, target: Path) -> dict[str, Any]:
    """Return what one file costs in a running process, each call with a session of its own."""
    calls: dict[str, Callable[[], object]] = {
        "requests.get": partial(requests.get, url, timeout=30),
        "Download.run": Download(url, target).run,
    }
    medians = _in_turn(fetches, {name: partial(_seconds, call) for name, call in calls.items()})
    return {
        **{f"one small file, {name} (ms)": round(value, 2) for name, value in medians.items()},
        SINGLE_FILE: round(medians["Download.run"] / medians["requests.get"], 2),
    }


def _in_turn(rounds: int, measured: Mapping[str, Callable[[], float]]) -> dict[str, float]:
    """Return medians in milliseconds; a first round is not counted."""
    times: dict[str, list[float]] = {name: [] for name in measured}
    for number in range(rounds + 1):
        for name, once in measured.items():
            took = once()
            if number:
                times[name].append(took)
    return {name: 1000 * statistics.median(values) for name, values in times.items()}


def _python(arguments: list[str], environment: dict[str, str]) -> str:
    """Run a fresh interpreter; return what it prints."""
    command = [sys.executable, *arguments]
    return subprocess.run(
        command, cwd=_ROOT, check=True, env=environment, stdout=subprocess.PIPE, text=True
    ).stdout


def _seconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began
