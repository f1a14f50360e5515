"""The upstreams of the comparisons: nginx where it is installed, else a bundled server."""

from __future__ import annotations

import http.server
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers import authority

_NGINX = """
{user}
worker_processes 1;
pid {work}/nginx.pid;
error_log {work}/error.log crit;
daemon off;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 1000000;
    client_body_temp_path {work}; proxy_temp_path {work}; fastcgi_temp_path {work};
    uwsgi_temp_path {work}; scgi_temp_path {work};
    server {{
        listen 127.0.0.1:{port}{tls};
        {certificate}
        root {root};
    }}
}}
"""


class Upstream:
    """A server in its own process: where it is, what it is, and how busy it was."""

    def __init__(self, name: str, url: str, process: subprocess.Popen[bytes], ca: str | None):
        self.name = name
        self.url = url
        self.ca = ca
        self._process = process

    def cpu_seconds(self) -> float:
        """Return the CPU time that the server and its workers have used so far."""
        ticks = 0
        for pid in [self._process.pid, *_children(self._process.pid)]:
            try:
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")


@contextmanager
def serving(root: Path, *, tls: bool = False) -> Iterator[Upstream]:
    """Serve a folder, by nginx if there is one."""
    with tempfile.TemporaryDirectory(prefix="bench-upstream-") as work:
        port = _free_port()
        certificate, ca = "", None
        if tls:
            files = authority().server_files(Path(work))
            certificate = f"ssl_certificate {files[0]}; ssl_certificate_key {files[1]};"
            ca = str(authority().file(Path(work)))
        if shutil.which("nginx"):
            config = Path(work, "nginx.conf")
            config.write_text(
                _NGINX.format(work=work, port=port, root=root, certificate=certificate,
                              tls=" ssl" if tls else "",
                              user="user root;" if os.geteuid() == 0 else "")
            )  # fmt: skip
            command, name = ["nginx", "-e", f"{work}/error.log", "-c", str(config)], "nginx"
        else:
            if tls:
                raise SystemExit("the TLS workload needs nginx")
            command = [sys.executable, "-m", "benchmarks.upstream", str(port), str(root)]
            name = "bundled server"
        with _running(command, port) as process:
            scheme = "https" if tls else "http"
            yield Upstream(name, f"{scheme}://127.0.0.1:{port}", process, ca)


@contextmanager
def delaying(root: Path, seconds: float) -> Iterator[Upstream]:
    """Serve a folder by a bundled asyncio server that waits before each answer."""
    port = _free_port()
    command = [sys.executable, "-m", "benchmarks.delayed", str(port), str(root), str(seconds)]
    with _running(command, port) as process:
        yield Upstream(
            f"asyncio server, {seconds * 1000:g} ms", f"http://127.0.0.1:{port}", process, None
        )


@contextmanager
def _running(command: list[str], port: int) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(command, start_new_session=True) as process:
        try:
            for _ in range(200):
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.05)
            else:
                raise SystemExit(f"{command[0]} does not answer")
            yield process
        finally:
            os.killpg(process.pid, signal.SIGTERM)


def _children(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in listed.read_text().split()] if listed.exists() else []


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


class _Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None: ...


if __name__ == "__main__":
    os.chdir(sys.argv[2])
    http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), _Handler).serve_forever()
