"""The real command as a child process, and what came of it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any, NamedTuple

ROOT = Path(__file__).parents[3]
PYTHON_M = (sys.executable, "-m", "pulp_download")

# Seconds that no run here takes; what hangs is ended and fails its test.
PATIENCE = 45.0

# What a line of --json holds, in this order, and of which types.
MEMBERS = {
    "path": (str, type(None)),
    "url": (str,),
    "status": (str,),
    "size": (int, type(None)),
    "digests": (dict,),
    "attempts": (list,),
    "seconds": (float,),
    "error": (dict, type(None)),
}
TRY_MEMBERS = {"url": (str,), "status": (int, type(None)), "type": (str,), "message": (str,)}
OUTCOMES = ["downloaded", "present", "failed", "cancelled"]
PLANNED = ["would-download", "present", "failed"]

# What --delete-extra adds to the outcomes, and to those of a dry run.
DELETED = ("deleted", "would-delete")


class Ended(NamedTuple):
    """How a run ended, and all it said. Whatever happened, it said nothing of its insides."""

    status: int
    stdout: bytes
    stderr: str

    @property
    def files(self) -> list[dict[str, Any]]:
        """The JSON lines of files; each, and the summary that follows them, keeps the contract."""
        *files, last = [json.loads(line) for line in self.stdout.splitlines()]
        for file in files:
            keeps_the_contract(file)
        counts = last["summary"]
        outcomes = PLANNED if "would-download" in counts else OUTCOMES
        asked_for = DELETED[outcomes is PLANNED]
        outcomes = [*outcomes, asked_for] if asked_for in counts else outcomes
        assert list(last) == ["summary"]
        assert list(counts) == [*outcomes, "bytes", "seconds"]
        for outcome in outcomes:
            assert counts[outcome] == sum(file["status"] == outcome for file in files)
        assert sum(counts[outcome] for outcome in outcomes) == len(files)
        assert isinstance(counts["bytes"], int)
        assert isinstance(counts["seconds"], float)
        return files

    @property
    def summary(self) -> dict[str, Any]:
        """The last line's counts, without the time."""
        _ = self.files
        counts = json.loads(self.stdout.splitlines()[-1])["summary"]
        return {name: count for name, count in counts.items() if name != "seconds"}

    @property
    def outcomes(self) -> dict[str | None, str]:
        """What became of each path."""
        return {file["path"]: file["status"] for file in self.files}

    @property
    def file(self) -> dict[str, Any]:
        """The line of the only file."""
        (file,) = self.files
        return file

    @property
    def text(self) -> str:
        return self.stdout.decode()


def keeps_the_contract(file: dict[str, Any]) -> None:
    """Check a file's line: its members, their types, and which of them go together."""
    assert list(file) == list(MEMBERS)
    assert all(isinstance(file[name], kinds) for name, kinds in MEMBERS.items()), file
    assert all(isinstance(value, str) for pair in file["digests"].items() for value in pair)
    for failed in file["attempts"]:
        assert list(failed) == list(TRY_MEMBERS)
        assert all(isinstance(failed[name], kinds) for name, kinds in TRY_MEMBERS.items()), failed
    if file["status"] in ("failed", "cancelled"):
        assert list(file["error"]) == ["type", "message"]
        assert (file["error"]["type"] == "Cancelled") == (file["status"] == "cancelled")
    else:
        assert file["error"] is None
    assert (file["url"] == "") == (file["status"] in DELETED), "no source has what is deleted"


class Command:
    """Runs ``pulp-download`` in a folder, out of reach of the tester's own settings."""

    def __init__(self, cwd: Path):
        self.cwd = cwd
        self._env = {
            name: value
            for name, value in os.environ.items()
            if not name.lower().endswith("_proxy") and name not in ("NETRC", "SSLKEYLOGFILE")
        }
        self._env |= {"HOME": str(cwd), "PYTHONPATH": str(ROOT), "COLUMNS": "120"}

    def __call__(
        self,
        *arguments: object,
        stdin: bytes = b"",
        status: int = 0,
        env: dict[str, str] | None = None,
        program: tuple[str, ...] = PYTHON_M,
    ) -> Ended:
        """Run it to its end; fail unless it ends with ``status``."""
        with self.started(*arguments, env=env, program=program) as process:
            ended = finished(process, stdin)
        assert ended.status == status, ended
        return ended

    @contextlib.contextmanager
    def started(
        self,
        *arguments: object,
        env: dict[str, str] | None = None,
        program: tuple[str, ...] = PYTHON_M,
        stdout: int = subprocess.PIPE,
        stderr: int = subprocess.PIPE,
    ) -> Iterator[subprocess.Popen[bytes]]:
        """Start it and lend the process; whatever happens, it ends with the block."""
        with _default_interrupt():
            process = subprocess.Popen(
                [*program, *map(str, arguments)],
                cwd=self.cwd,
                env=self._env | (env or {}),
                stdin=subprocess.PIPE,
                stdout=stdout,
                stderr=stderr,
                bufsize=0,  # what was read line by line leaves the rest for communicate()
            )
        with process:
            try:
                yield process
            finally:
                process.kill()


def finished(process: subprocess.Popen[bytes], stdin: bytes | None = None) -> Ended:
    """Wait for a started command; it must end in time, and not by a traceback."""
    stdout, stderr = process.communicate(stdin, timeout=PATIENCE)
    text = (stderr or b"").decode()
    assert "Traceback" not in text, text
    assert all(line.isprintable() for line in text.splitlines()), text
    return Ended(process.returncode, stdout or b"", text)


def refused_usage(
    cases: Sequence[Sequence[object]], *, cwd: Path, env: Mapping[str, str] = MappingProxyType({})
) -> list[str]:
    """Run wrong usages, all in one process, which is quicker; return what each was told.

    Each must end with status 2, and leave stdout alone.
    """
    given = [[str(argument) for argument in case] for case in cases]
    code = f"""
import sys
from pulp_download.cli.main import run
for case in {given!r}:
    print(f"status {{run(case)}}", file=sys.stderr)
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=cwd,
        env={"PYTHONPATH": str(ROOT), "HOME": str(cwd), **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    told = done.stderr.split("status 2\n")
    assert (done.returncode, len(told), told[-1]) == (0, len(given) + 1, ""), done.stderr
    assert all("Error: " in text and "Traceback" not in text for text in told[:-1]), done.stderr
    assert done.stdout == ""
    return told[:-1]


def next_line(process: subprocess.Popen[bytes]) -> dict[str, Any]:
    """Wait for the next JSON line on a started command's stdout."""
    found: dict[str, Any] = json.loads(said(process, process.stdout, b"\n"))
    return found


def said(process: subprocess.Popen[bytes], stream: IO[bytes] | None, words: bytes) -> bytes:
    """Wait until a started command has said these words; return its lines up to there."""
    assert stream is not None
    lines = b""
    overdue = threading.Timer(PATIENCE, process.kill)
    overdue.start()
    try:
        while words not in lines:
            line = stream.readline()
            assert line, f"it ended without {words!r}: {lines!r}"
            lines += line
    finally:
        overdue.cancel()
        overdue.join()
    return lines


@contextlib.contextmanager
def _default_interrupt() -> Iterator[None]:
    """Have a child start as from a terminal; a shell's background job hands on "ignore SIGINT"."""
    before = signal.getsignal(signal.SIGINT)
    if before is not signal.SIG_IGN:
        yield
        return
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
