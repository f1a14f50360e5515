"""The streamers that are compared, each in a process of its own."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks import nginx
from benchmarks.job import Job
from benchmarks.upstream import Upstream, free_ports, running

US, BRIDGE, NGINX = "pulp_download", "requests bridge", "nginx proxy_pass"


@dataclass(frozen=True)
class Streamer:
    """A running streamer: its name in reports, its port, and how busy it has been."""

    name: str
    server: Upstream

    @property
    def port(self) -> int:
        return urlsplit(self.server.url).port or 0


def streaming(name: str, job: Job) -> AbstractContextManager[Streamer]:
    """Run one of those named above, in front of a job's upstream."""
    return _STREAMERS[name](name, job)


@contextmanager
def _in_python(module: str, name: str, job: Job) -> Iterator[Streamer]:
    with tempfile.TemporaryDirectory(prefix="bench-streamer-") as folder:
        saved = Path(folder, "job.json")
        job.save(saved)
        (port,) = free_ports(1)
        command = [sys.executable, "-m", "benchmarks.streamers", module, str(port), str(saved)]
        with running(command, port) as process:
            yield Streamer(name, Upstream(name, f"http://127.0.0.1:{port}", process.pid))


@contextmanager
def _nginx(name: str, job: Job) -> Iterator[Streamer]:
    with tempfile.TemporaryDirectory(prefix="bench-streamer-") as folder:
        (port,) = free_ports(1)
        command = nginx.command(Path(folder), nginx.passed_on_from(job.base_url), port=port)
        with running(command, port) as process:
            yield Streamer(name, Upstream(name, f"http://127.0.0.1:{port}", process.pid))


_STREAMERS = {
    US: partial(_in_python, "benchmarks.streamers.ours"),
    BRIDGE: partial(_in_python, "benchmarks.streamers.requests_bridge"),
    NGINX: _nginx,
}
