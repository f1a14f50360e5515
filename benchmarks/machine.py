"""Where it is measured: figures mean little without the machine and the versions."""

from __future__ import annotations

import os
import platform
import ssl
import subprocess
from pathlib import Path
from typing import Any

from benchmarks import nginx, peers

# Processes that run or wait, on average over the last minute. More than half of one core is
# somebody else's, and two cores have to serve contender and upstream.
BUSY = 0.5


def head() -> dict[str, Any]:
    """Return what a report says of the machine, and how busy it is now."""
    return {
        "cpu": cpu_model(),
        "cores": len(os.sched_getaffinity(0)),
        "system": platform.platform(),
        "python": platform.python_version(),
        "openssl": ssl.OPENSSL_VERSION,
        "nginx": _nginx_version(),
        "load": [round(load, 2) for load in os.getloadavg()],
        "contenders": peers.versions(),
    }


def is_busy(load: list[float]) -> bool:
    """Tell whether the load over the last minute spoils what is measured."""
    return load[0] > BUSY


def cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()  # not every architecture names its model


def _nginx_version() -> str | None:
    if not nginx.is_installed():
        return None
    done = subprocess.run(["nginx", "-v"], capture_output=True, text=True, check=False)
    return done.stderr.strip().removeprefix("nginx version: ")
