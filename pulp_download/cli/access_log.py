"""What ``serve`` says: where it listens, and a line for each request."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from datetime import UTC, datetime
from queue import SimpleQueue
from typing import Any, Self

from pulp_download.errors import DownloadError
from pulp_download.printable import printable
from pulp_download.streamer.served import Served

# Lines that wait for a slow reader, and seconds that the last ones are waited for at the end.
_MOST = 10_000
_PATIENCE = 1.0


class AccessLog:
    """An observer of a streamer that says each request as it ends.

    A line on stdout, as web servers write it, with the seconds that it took and how it ended; or
    with ``as_json`` an object; nothing with ``quiet``. A context manager, whose thread writes: who
    reads slowly holds up no request, and what is too much is left out, and counted. Once nobody
    reads any more it is silent, which is no reason to stop serving.
    """

    def __init__(self, *, as_json: bool, quiet: bool):
        self._as_json = as_json
        self._is_silent = quiet
        self._lines: SimpleQueue[str | None] = SimpleQueue()
        self._left_out = 0
        self._writer = threading.Thread(target=self._write, name="pulp-log", daemon=True)

    def listens(self, url: str) -> None:
        """Say where clients find it: on stderr for people, on stdout for programs."""
        print(f"pulp-download: serving at {url}", file=sys.stderr, flush=True)
        if self._as_json:
            self._put(json.dumps({"serving": url}))

    def __call__(self, served: Served) -> None:
        self._put(json.dumps(_members(served)) if self._as_json else _line(served))

    def __enter__(self) -> Self:
        self._writer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._lines.put(None)
        self._writer.join(_PATIENCE)

    def _put(self, line: str) -> None:
        if self._is_silent:
            return
        if self._lines.qsize() >= _MOST:
            self._left_out += 1
            return
        if self._left_out:
            left_out, self._left_out = self._left_out, 0
            told = {"left_out": left_out}
            self._lines.put(json.dumps(told) if self._as_json else f"{left_out} lines left out")
        self._lines.put(line)

    def _write(self) -> None:
        while (line := self._lines.get()) is not None:
            if self._is_silent:
                continue
            try:
                _write_all(sys.stdout.fileno(), f"{line}\n".encode("utf-8", "backslashreplace"))
            except OSError:
                self._is_silent = True


def _write_all(descriptor: int, data: bytes) -> None:
    """Write past Python's buffer: its lock, held by a blocked thread, would hold up the exit."""
    while data:
        data = data[os.write(descriptor, data) :]


def _line(served: Served) -> str:
    """Return a line that begins as the combined log format does."""
    asked = f"{served.method} {served.path} {served.version}"
    asked = printable(asked).replace("\\", "\\\\").replace('"', '\\"')
    at = datetime.now().astimezone().strftime("%d/%b/%Y:%H:%M:%S %z")
    return (
        f'{served.client} - - [{at}] "{asked}" {served.status} {served.sent}'
        f" {served.seconds:.3f} {_ending(served)}"
    )


def _ending(served: Served) -> str:
    """Return how a request ended, in a word or with the reason."""
    if served.error is not None:
        return f"{type(served.error).__name__}: {printable(_message(served.error))}"
    return "complete" if served.is_complete else "left"


def _message(error: BaseException) -> str:
    return error.message if isinstance(error, DownloadError) else type(error).__name__


def _members(served: Served) -> dict[str, Any]:
    error = served.error
    return {
        "time": datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="milliseconds"),
        "client": served.client,
        "method": served.method,
        "path": served.path,
        "status": served.status,
        "bytes": served.sent,
        "seconds": round(served.seconds, 6),
        "upstream_seconds": None
        if served.upstream_seconds is None
        else round(served.upstream_seconds, 6),
        "complete": served.is_complete,
        "error": None
        if error is None
        else {"type": type(error).__name__, "message": _message(error)},
    }
