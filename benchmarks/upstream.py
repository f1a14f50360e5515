"""The upstreams of the comparisons: nginx and vsftpd where they are installed, else others."""

from __future__ import annotations

import http.server
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks import nginx
from tests.servers import authority
from tests.servers.ftp_daemons import Vsftpd
from tests.servers.ftp_pyftpd import PyFtpd

# How long a server may take until it answers, and how often that is tried, in seconds.
PATIENCE, LOOK_EVERY = 10, 0.02

_ROOT = Path(__file__).parent.parent


class Upstream:
    """A server in its own process: where it is, what it is, how busy it was, and who came."""

    def __init__(
        self,
        name: str,
        url: str,
        pid: int,
        *,
        ca: str | None = None,
        accepted: nginx.Accepted | None = None,
    ):
        self.name = name
        self.url = url
        self.ca = ca
        self.mirrors: tuple[str, ...] = ()  # base URLs, where there are several
        self._pid = pid
        self._accepted = accepted

    def connections(self) -> int | None:
        """Return how many connections were opened so far, or None where nobody counts."""
        return self._accepted.total() if self._accepted else None

    def served(self) -> list[int]:
        """Return how many bytes of files each mirror has sent so far."""
        return []

    def cpu_seconds(self) -> float:
        """Return the CPU time that the server, its workers and its sessions have used so far."""
        return _ticks(self._pid) / os.sysconf("SC_CLK_TCK")


@contextmanager
def serving(root: Path, *, tls: bool = False) -> Iterator[Upstream]:
    """Serve a folder, by nginx if there is one."""
    if not nginx.is_installed():
        if tls:
            raise SystemExit("the TLS workload needs nginx")
        with _bundled("upstream", root) as (url, process):
            yield Upstream("bundled server", url, process.pid)
        return
    with ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-upstream-")))
        port, status_port = free_ports(2)
        asked_at = status_port if nginx.counts() else None
        certificate = authority().server_files(work) if tls else None
        ca = str(authority().file(work)) if tls else None
        command = nginx.command(
            work, nginx.files_of(root), port=port, status_port=asked_at, certificate=certificate
        )
        process = stack.enter_context(running(command, port))
        accepted = stack.enter_context(nginx.counting(asked_at))
        url = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
        yield Upstream("nginx", url, process.pid, ca=ca, accepted=accepted)


@contextmanager
def delaying(root: Path, seconds: float) -> Iterator[Upstream]:
    """Serve a folder by a bundled asyncio server that waits before each answer."""
    with _bundled("delayed", root, str(seconds)) as (url, process):
        yield Upstream(f"asyncio server, {seconds * 1000:g} ms", url, process.pid)


@contextmanager
def serving_ftp(root: Path) -> Iterator[Upstream]:
    """Serve a folder over FTP: by vsftpd if it can be run, else by pyftpdlib in this process."""
    if reason := Vsftpd.why_not():
        print(reason)
        with PyFtpd(root) as server:
            yield Upstream("pyftpdlib", server.url().rstrip("/"), os.getpid())
        return
    with Vsftpd(root) as daemon:
        yield Upstream("vsftpd", daemon.url().rstrip("/"), daemon.pid)


@contextmanager
def running(command: list[str], port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server from when it answers at the port, until the end of the block."""
    with subprocess.Popen(command, cwd=_ROOT, start_new_session=True) as process:
        try:
            deadline = time.monotonic() + PATIENCE
            while not _answers(port):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit(f"{command[0]} does not answer")
                time.sleep(LOOK_EVERY)
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)


def free_ports(count: int) -> list[int]:
    """Return ports that are free now, each another."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for sock in sockets:
            sock.bind(("127.0.0.1", 0))
        return [int(sock.getsockname()[1]) for sock in sockets]


@contextmanager
def _bundled(
    module: str, root: Path, *arguments: str
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Run a server of this package; yield its URL and its process."""
    (port,) = free_ports(1)
    command = [sys.executable, "-m", f"benchmarks.{module}", str(port), str(root), *arguments]
    with running(command, port) as process:
        yield f"http://127.0.0.1:{port}", process


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _ticks(pid: int) -> int:
    """Return the CPU time of a process, of its children, and of those it has waited for."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return sum(map(int, fields[11:15])) + sum(map(_ticks, _children(pid)))


def _children(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in listed.read_text().split()] if listed.exists() else []


class _Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body are two writes, the second would wait 40 ms

    def log_message(self, *_: object) -> None: ...


if __name__ == "__main__":
    os.chdir(sys.argv[2])
    http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), _Handler).serve_forever()
