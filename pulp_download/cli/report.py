"""What the command says: JSON lines or a summary on stdout, failures on stderr and in a file."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections import Counter
from typing import Any

from pulp_download.cli.failures import Failures
from pulp_download.cli.options import Common
from pulp_download.cli.progress import readable
from pulp_download.cli.status import Status
from pulp_download.download import Download
from pulp_download.errors import Cancelled, DownloadError, FailedTry
from pulp_download.events import Event, Finished
from pulp_download.importer.telling import Settled
from pulp_download.printable import printable
from pulp_download.result import Result

# The outcomes of a file, in the order of the summary; and those of a dry run.
OUTCOMES = ("downloaded", "present", "failed", "cancelled")
PLANNED = ("would-download", "present", "failed")

# What people see of, without JSON, also where they did not ask for every file.
_ALWAYS_TOLD = frozenset({"would-download", "would-delete", "deleted"})


class Report:
    """Takes each file's end once, from whichever thread it comes, and says it as it ends.

    The ``attachment`` of a download is, as text, its path as the report shows it. An observer:
    files that ran are told by their Finished event. ``has_begun``: :meth:`begin` was called.
    ``is_closed`` tells that nobody reads stdout any more, or that it takes no more, and that there
    is no use in going on.
    """

    def __init__(self, options: Common, *, outcomes: tuple[str, ...] = OUTCOMES):
        self._options = options
        self._outcomes = outcomes
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._bytes = 0
        self._started = time.monotonic()
        self._failures = Failures(options.failures)
        self._closed_status = Status.CLOSED
        self.is_closed = False
        self.has_begun = False

    def begin(self) -> None:
        """Expect something to report of, from now on; to be called before the first end."""
        self.has_begun = True
        self._failures.begin()

    def __call__(self, event: Event) -> None:
        if not isinstance(event, Finished) or not (event.result or event.error):
            return  # neither: a bug, which the future carries
        if event.result is not None:
            self.succeeded(event.result)
        elif event.error is not None:
            self.failed(event.download, event.error, event.elapsed)

    def succeeded(self, result: Result) -> None:
        """Say that a file is there."""
        status = "present" if result.present else "downloaded"
        line = _line(str(result.download.attachment), result.url, status)
        line.update(
            size=result.size,
            digests=result.digests,
            attempts=[_try(failed) for failed in result.attempts],
            seconds=round(result.elapsed, 6),
        )
        self._say(status, line, 0 if result.present else result.size)

    def failed(self, download: Download, error: BaseException, seconds: float = 0.0) -> None:
        """Say that a download failed, or was cancelled."""
        status = "cancelled" if isinstance(error, Cancelled) else "failed"
        self._failures.add(download)
        line = _line(str(download.attachment), download.url.redacted, status)
        line["seconds"] = round(seconds, 6)
        self._say_failure(line, error)

    def failed_item(self, path: str | None, url: str | None, error: DownloadError) -> None:
        """Say that something failed that never became a download."""
        self._say_failure(_line(path, url, "failed"), error)

    def _say_failure(self, line: dict[str, Any], error: BaseException) -> None:
        message = error.message if isinstance(error, DownloadError) else type(error).__name__
        line["error"] = {"type": type(error).__name__, "message": message}
        attempts = getattr(error, "attempts", ())
        line["attempts"] = [_try(failed) for failed in attempts]
        self._say(line["status"], line)

    def settled(self, event: Settled) -> None:
        """Say what came of a file that had no run, or what would."""
        line = _line(event.path, event.url, event.status)
        if event.error is not None:
            self._say_failure(line, event.error)
            return
        line.update(size=event.size, digests=event.digests)
        moved = event.size or 0 if event.status in ("downloaded", "would-download") else 0
        self._say(event.status, line, moved)

    def finish(self) -> Status:
        """Say the summary; return the status of a command that ran to its end."""
        with self._lock:
            seconds = time.monotonic() - self._started
            if self._options.as_json:
                counts = {outcome: self._counts[outcome] for outcome in self._outcomes}
                summary = {**counts, "bytes": self._bytes, "seconds": round(seconds, 6)}
                self._print(json.dumps({"summary": summary}))
            elif not self._options.quiet:
                counted = [f"{self._counts[outcome]} {outcome}" for outcome in self._outcomes]
                self._print(f"{', '.join(counted)}; {readable(self._bytes)} in {seconds:.1f} s")
            failed = self._counts["failed"] + self._counts["cancelled"]
        self._failures.close()
        if self.is_closed:
            return self._closed_status
        return Status.FAILED if failed else Status.DONE

    def _say(self, status: str, line: dict[str, Any], size: int = 0) -> None:
        with self._lock:
            self._counts[status] += 1
            self._bytes += size
            if self._options.as_json:
                self._print(json.dumps(line))
            elif status == "failed":
                place, message = line["path"] or line["url"], line["error"]["message"]
                _complain(message if message.startswith(place) else f"{place}: {message}")
            elif self._options.verbose or status in _ALWAYS_TOLD:
                self._print(f"{status}: {printable(line['path'])}")

    def _print(self, text: str) -> None:
        if self.is_closed:
            return
        try:
            print(text, flush=True)
        except OSError as error:
            self.is_closed = True
            silence_stdout()
            if not isinstance(error, BrokenPipeError):  # a full disk, say
                self._closed_status = Status.FAILED
                _complain(f"stdout: {error.strerror}")


def silence_stdout() -> None:
    """Send what Python still flushes at its end nowhere: its reader is gone."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def _line(path: str | None, url: str | None, status: str) -> dict[str, Any]:
    return {
        "path": path,
        "url": url,
        "status": status,
        "size": None,
        "digests": {},
        "attempts": [],
        "seconds": 0.0,
        "error": None,
    }


def _try(failed: FailedTry) -> dict[str, Any]:
    """Return a failed try as JSON has it."""
    told = failed._asdict()
    del told["received"]
    return told


def _complain(text: str) -> None:
    print(f"pulp-download: failed: {printable(text)}", file=sys.stderr, flush=True)
