"""An upstream of several mirrors: each a capped server at an address of its own, and dead ones."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.upstream import Upstream
from tests.servers.blackhole import Blackhole

# Mirrors are at 127.0.0.2 and the following: on Linux all of 127.0.0.0/8 is this machine.
FIRST_HOST = 2

_ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class MirrorList:
    """How many bytes a second each mirror carries, in the order in which clients are told of them.

    0 is a dead one: it swallows connects, or, with ``refuses``, answers each by a reset.
    """

    rates: tuple[int, ...]
    refuses: bool = False

    def ideal_seconds(self, size: int) -> float:
        """Return how long so many bytes take if every mirror is busy until the end."""
        return size / sum(self.rates)


class Capped(Upstream):
    """One capped server, which counts."""

    def __init__(self, url: str, process: subprocess.Popen[str]):
        super().__init__("capped server", url, process.pid)
        self._process = process

    def connections(self) -> int:
        return self._counts()["connections"]

    def body_bytes(self) -> int:
        """Return how many bytes of files it has sent so far."""
        return self._counts()["body_bytes"]

    def _counts(self) -> dict[str, int]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        counts: dict[str, int] = json.loads(self._process.stdout.readline())
        return counts


class Mirrored(Upstream):
    """All mirrors of a list, those that are dead as None beside their URL."""

    def __init__(self, name: str, servers: Sequence[tuple[str, Capped | None]]):
        super().__init__(name, servers[0][0], 0)
        self.mirrors = tuple(url for url, _ in servers)
        self._servers = [server for _, server in servers]

    def connections(self) -> int:
        return sum(server.connections() for server in self._servers if server)

    def cpu_seconds(self) -> float:
        return sum(server.cpu_seconds() for server in self._servers if server)

    def served(self) -> list[int]:
        return [server.body_bytes() if server else 0 for server in self._servers]


@contextmanager
def serving_mirrors(root: Path, listed: MirrorList) -> Iterator[Mirrored]:
    """Serve a folder from every mirror that is not dead."""
    with ExitStack() as stack:
        servers: list[tuple[str, Capped | None]] = []
        for number, rate in enumerate(listed.rates, FIRST_HOST):
            host = f"127.0.0.{number}"
            if rate:
                server = stack.enter_context(capped(host, root, rate))
                servers.append((server.url, server))
            else:
                dead = refusing(host) if listed.refuses else silent(host)
                servers.append((stack.enter_context(dead), None))
        kind = "refuses" if listed.refuses else "hangs"
        yield Mirrored(f"{len(servers)} mirrors, the dead one {kind}", servers)


@contextmanager
def capped(host: str, root: Path, rate: float) -> Iterator[Capped]:
    """Run a server that carries ``rate`` bytes a second in all."""
    command = [sys.executable, "-m", "benchmarks.capped", host, str(root), str(rate)]
    with subprocess.Popen(
        command,
        cwd=_ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # an interrupt at the terminal is for the harness, which ends it
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            port = process.stdout.readline().strip()
            if not port:
                raise SystemExit(f"no server at {host}: all of 127.0.0.0/8 has to be this machine")
            yield Capped(f"http://{host}:{port}", process)
        finally:
            process.stdin.close()  # it ends with that


@contextmanager
def silent(host: str) -> Iterator[str]:
    """Yield the URL of an address where connects hang."""
    with Blackhole(host=host) as blackhole:
        yield blackhole.url("")


@contextmanager
def refusing(host: str) -> Iterator[str]:
    """Yield the URL of an address where connects are refused."""
    with socket.socket() as bound:  # nobody else gets the port, and nobody listens
        bound.bind((host, 0))
        yield f"http://{host}:{bound.getsockname()[1]}"
