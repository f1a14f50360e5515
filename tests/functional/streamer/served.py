"""``pulp-download serve`` as a child process, and its clients."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from tests.functional.cli.command import PATIENCE, Command, said


class Answer(NamedTuple):
    status: int
    headers: http.client.HTTPMessage
    body: bytes


class Streamer:
    """A running ``serve``; its access log is read when it has ended."""

    def __init__(self, process: subprocess.Popen[bytes], url: str, log: Path):
        self.process = process
        self.url = url
        self._log = log

    @property
    def port(self) -> int:
        port = urlsplit(self.url).port
        assert port is not None
        return port

    def get(self, path: str, *, method: str = "GET", **headers: str) -> Answer:
        """Ask for a path by a connection of its own; raises what http.client does."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        with contextlib.closing(connection):
            connection.request(
                method,
                path,
                headers={name.replace("_", "-"): text for name, text in headers.items()},
            )
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())

    def metrics(self) -> dict[str, float]:
        """The numbers that Prometheus would read."""
        text = self.get("/metrics").body.decode()
        pairs = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
        return {name: float(value) for name, _, value in pairs}

    def end(self, how: signal.Signals = signal.SIGTERM, *, status: int = 0) -> list[dict[str, Any]]:
        """End it by a signal; return its access log."""
        self.process.send_signal(how)
        return self.ended(status=status)

    def ended(self, *, status: int = 0) -> list[dict[str, Any]]:
        """Wait for its end; return its access log."""
        _, stderr = self.process.communicate(timeout=PATIENCE)
        text = stderr.decode()
        assert "Traceback" not in text, text
        assert self.process.returncode == status, text
        return [json.loads(line) for line in self._log.read_text().splitlines()][1:]


@contextlib.contextmanager
def serving(command: Command, *arguments: object, **options: Any) -> Iterator[Streamer]:
    """Run ``serve`` with these arguments; whatever happens, it ends with the block."""
    log = command.cwd / "access.log"
    run = ("serve", *arguments, "--listen", "127.0.0.1:0", "--json")
    with (
        log.open("wb") as file,
        command.started(*run, stdout=file.fileno(), **options) as process,
    ):
        told = said(process, process.stderr, b"serving at").decode()
        match = re.search(r"http://\S+/", told)
        assert match is not None
        yield Streamer(process, match[0], log)
        if process.poll() is None:
            Streamer(process, match[0], log).end()
