"""What a person sees while files come, made of events alone."""

from __future__ import annotations

import sys
import threading
import time
from types import TracebackType
from typing import Any, Protocol, Self

from pulp_download.download import Download
from pulp_download.events import Event, Finished, Progressed, Started
from pulp_download.importer.telling import Settled
from pulp_download.printable import printable

# Seconds between two lines where there is no terminal to draw on.
_LINE_EVERY = 10.0

# Transfers drawn at once; the others are counted.
_ROWS = 12


class Display(Protocol):
    """An observer with a beginning and an end. Called from several threads."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

    def __call__(self, event: Event | Settled) -> None: ...

    def expect(self, files: int | None) -> None:
        """Take the number of files, if it is known; before the first event."""


def display(*, wanted: bool) -> Display:
    """Return bars for a terminal on stderr, lines for anything else, or nothing."""
    if not wanted:
        return Nothing()
    return Bars() if sys.stderr.isatty() else Lines()


class Nothing:
    """Shows nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

    def __call__(self, event: Event | Settled) -> None: ...

    def expect(self, files: int | None) -> None: ...


class Tally:
    """How far it is, over all files. Fed with events from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._current: dict[Download, int] = {}
        self.files = 0
        self._bytes = 0

    def feed(self, event: Event | Settled) -> None:
        with self._lock:
            if isinstance(event, Settled):
                self.files += event.status != "deleted"
            elif isinstance(event, Progressed):
                self._current[event.download] = event.received
            elif isinstance(event, Finished):
                self._current.pop(event.download, None)
                self.files += 1
                if event.result is not None and not event.result.present:
                    self._bytes += event.result.size

    @property
    def received(self) -> int:
        """Bytes of finished files and of those under way."""
        with self._lock:
            return self._bytes + sum(self._current.values())


class Lines:
    """A plain line at intervals, for logs."""

    def __init__(self) -> None:
        self._of = ""
        self._tally = Tally()
        self._next = time.monotonic() + _LINE_EVERY

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

    def expect(self, files: int | None) -> None:
        self._of = "" if files is None else f" of {files}"

    def __call__(self, event: Event | Settled) -> None:
        self._tally.feed(event)
        now = time.monotonic()
        if now >= self._next:
            self._next = now + _LINE_EVERY
            text = f"{self._tally.files}{self._of} files, {readable(self._tally.received)}"
            print(text, file=sys.stderr, flush=True)


class Bars:
    """A bar for the whole, and one for each of the transfers under way."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )

        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[count]}"),
            DownloadColumn(binary_units=True),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
            # On a terminal lines go above the bars; what is piped somewhere else must arrive there.
            redirect_stdout=sys.stdout is not None and sys.stdout.isatty(),
        )
        self._lock = threading.Lock()
        self._tally = Tally()
        self._total: int | None = None
        self._rows: dict[Download, Any] = {}
        self._whole = self._progress.add_task("all files", total=None, count=self._count())

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def expect(self, files: int | None) -> None:
        self._total = files

    def __call__(self, event: Event | Settled) -> None:
        self._tally.feed(event)
        with self._lock:
            if isinstance(event, Started) and len(self._rows) < _ROWS:
                name = printable(event.download.path.name) if event.download.path else "-"
                shown = name if len(name) <= 40 else f"{name[:18]}...{name[-19:]}"
                self._rows[event.download] = self._progress.add_task(shown, total=None, count="")
            row = None if isinstance(event, Settled) else self._rows.get(event.download)
            if isinstance(event, Progressed) and row is not None:
                self._progress.update(row, completed=event.received, total=event.total)
            if isinstance(event, Finished) and row is not None:
                self._progress.remove_task(self._rows.pop(event.download))
            self._progress.update(self._whole, completed=self._tally.received, count=self._count())

    def _count(self) -> str:
        return f"{self._tally.files}" + ("" if self._total is None else f"/{self._total}")


def readable(size: float) -> str:
    """Return a number of bytes as people say it."""
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"
