"""What it costs to import the package, beside importing requests."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Any

ROUNDS = 9


def measure(*, quick: bool) -> dict[str, Any]:
    """Return medians of fresh interpreters, measured in turn, and their ratio."""
    statements = {"nothing": "pass", "requests": "import requests", "us": "import pulp_download"}
    times: dict[str, list[float]] = {name: [] for name in statements}
    with tempfile.TemporaryDirectory() as folder:
        # Byte code of both from one place, written by a first round that is not counted.
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": folder}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        for number in range(ROUNDS + 1):
            for name, statement in statements.items():
                began = time.perf_counter()
                subprocess.run([sys.executable, "-c", statement], check=True, env=environment)
                if number:
                    times[name].append(time.perf_counter() - began)
    nothing, requests, us = (1000 * statistics.median(values) for values in times.values())
    return {
        f"import requests (ms, median of {ROUNDS})": round(requests - nothing, 1),
        f"import pulp_download (ms, median of {ROUNDS})": round(us - nothing, 1),
        "ratio": round((us - nothing) / (requests - nothing), 2),
    }
