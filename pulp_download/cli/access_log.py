"""What ``serve`` says: where it listens, and a line for each request."""

from __future__ import annotations

import json
import sys
import time
from datetime import UTC, datetime
from typing import Any

from pulp_download.cli.report import silence_stdout
from pulp_download.errors import DownloadError
from pulp_download.printable import printable
from pulp_download.streamer.served import Served


class AccessLog:
    """An observer of a streamer that says each request as it ends. For one thread.

    A line on stdout, as web servers write it, with the seconds that it took and how it ended; or
    with ``as_json`` an object; nothing with ``quiet``. Once nobody reads stdout any more it is
    silent: that is no reason to stop serving.
    """

    def __init__(self, *, as_json: bool, quiet: bool):
        self._as_json = as_json
        self._is_silent = quiet

    def listens(self, url: str) -> None:
        """Say where clients find it: on stderr for people, on stdout for programs."""
        print(f"pulp-download: serving at {url}", file=sys.stderr, flush=True)
        if self._as_json:
            self._print(json.dumps({"serving": url}))

    def __call__(self, served: Served) -> None:
        self._print(json.dumps(_members(served)) if self._as_json else _line(served))

    def _print(self, text: str) -> None:
        if self._is_silent:
            return
        try:
            print(text, flush=True)
        except OSError:
            self._is_silent = True
            silence_stdout()


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
