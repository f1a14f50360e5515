"""What a person sees while files come."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from pulp_download import Download, SizeMismatch
from pulp_download.cli import progress
from pulp_download.cli.progress import Bars, Lines, Nothing, display, readable
from pulp_download.events import Finished, Progressed, Started
from pulp_download.importer.telling import Settled
from pulp_download.result import Result
from tests.functional.cli.command import PATIENCE, ROOT, Command, Ended, finished
from tests.functional.cli.shelf import BODY, mirrored, sums
from tests.servers import FaultServer, reply, response_bytes, send, steps


class Terminal:
    """A pseudo-terminal: ``inside`` is for the command, what it draws is read here."""

    def __init__(self) -> None:
        self._outside, self.inside = os.openpty()
        self.drawn = b""

    def wait_for(self, words: bytes) -> None:
        """Return once the words have been drawn."""
        deadline = time.monotonic() + PATIENCE
        while words not in self.drawn:
            assert self._read(deadline - time.monotonic()), self.drawn

    def rest(self) -> bytes:
        """All that was drawn, once nobody can draw any more."""
        while self._read(0):
            pass
        return self.drawn

    def _read(self, seconds: float) -> bool:
        if not select.select([self._outside], [], [], max(0.0, seconds))[0]:
            return False
        data = os.read(self._outside, 65536)
        self.drawn += data
        return bool(data)

    def close(self) -> None:
        os.close(self._outside)
        os.close(self.inside)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    there = Terminal()
    yield there
    there.close()


WATCH = {"TERM": "xterm", "COLUMNS": "100"}


class TestOnATerminal:
    def watched(
        self,
        command: Command,
        server: FaultServer,
        terminal: Terminal,
        *arguments: str,
        until: bytes = b"",
    ) -> Ended:
        """Mirror two files, one of which waits half-way until the words have been drawn."""
        whole = response_bytes(200, BODY)
        gate = server.gate()
        server.on("/slow.iso", steps(send(whole[:-5000]), gate, send(whole[-5000:])))
        server.on("/SHA256SUMS", reply(200, sums({"slow.iso": BODY, "gone": b""})))
        given = ("mirror", server.url("/SHA256SUMS"), "dest", *arguments)
        with command.started(*given, env=WATCH, stderr=terminal.inside) as process:
            gate.wait_for(1)
            terminal.wait_for(until)
            gate.open()
            ended = finished(process)
        assert ended.status == 1
        assert mirrored(command.cwd / "dest") == {"slow.iso": BODY}
        return ended

    def test_bars_are_drawn_while_files_come_and_stdout_is_left_alone(
        self, command: Command, server: FaultServer, terminal: Terminal
    ) -> None:
        ended = self.watched(command, server, terminal, "--json", until=b"slow.iso")
        assert ended.outcomes == {
            "slow.iso": "downloaded",
            "gone": "failed",
            "SHA256SUMS": "cancelled",
        }
        assert b"all files" in terminal.rest()
        assert b"\x1b[" in terminal.drawn

    def test_what_failed_is_said_above_the_bars(
        self, command: Command, server: FaultServer, terminal: Terminal
    ) -> None:
        ended = self.watched(command, server, terminal, until=b"failed: gone")
        assert ended.text.startswith("1 downloaded, 0 present, 1 failed, 1 cancelled; ")
        assert b"404 Not Found" in terminal.rest()

    def test_what_is_known_to_be_there_is_counted_and_the_manifest_too(
        self, command: Command, server: FaultServer, terminal: Terminal
    ) -> None:
        files = {"known": b"known", "slow.iso": BODY}
        server.on("/known", reply(200, b"known"))
        gate = server.gate()
        server.on("/slow.iso", steps(gate, reply(200, BODY)))
        server.on("/SHA256SUMS", [reply(200, sums(some)) for some in ({"known": b"known"}, files)])
        given = ("mirror", server.url("/SHA256SUMS"), "dest")
        command(*given)
        with command.started(*given, env=WATCH, stderr=terminal.inside) as process:
            gate.wait_for(1)
            terminal.wait_for(b" 1/3 ")
            gate.open()
            assert finished(process).status == 0
        assert mirrored(command.cwd / "dest") == {**files, "SHA256SUMS": sums(files)}

    @pytest.mark.parametrize("option", ["--no-progress", "--quiet"])
    def test_nothing_is_drawn_if_not_wanted(
        self, command: Command, server: FaultServer, terminal: Terminal, option: str
    ) -> None:
        self.watched(command, server, terminal, option)
        assert b"\x1b" not in terminal.rest()
        assert len(terminal.drawn.splitlines()) == 1


def test_a_pipe_gets_no_drawing(command: Command, server: FaultServer) -> None:
    server.default(reply(200, BODY))
    assert command("get", server.url("/a"), env=WATCH | {"FORCE_COLOR": "1"}).stderr == ""


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


def result_of(download: Download, size: int, *, present: bool = False) -> Result:
    return Result(download, "", "", size, {}, None, True, 0.1, present=present)  # type: ignore[arg-type]


ONE = Download("http://host/one", "one")
TWO = Download("http://host/two\x7e", "two")
THREE = Download("http://host/three", "three")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=clock.monotonic))
    return clock


class TestLines:
    @pytest.mark.parametrize(("total", "of"), [(3, " of 3"), (None, "")])
    def test_say_every_ten_seconds_how_far_it_is(
        self, clock: Clock, capsys: pytest.CaptureFixture[str], total: int | None, of: str
    ) -> None:
        def line_at(now: float, *events: object) -> str:
            clock.now = 1000.0 + now
            for event in events:
                lines(event)  # type: ignore[arg-type]
            return capsys.readouterr().err

        with Lines() as lines:
            lines.expect(total)
            assert line_at(0, Started(ONE), Started(TWO), Progressed(ONE, 1000, 4096)) == ""
            assert line_at(9.9, Progressed(ONE, 2048, 4096)) == ""
            assert line_at(10, Progressed(TWO, 1024, None)) == f"0{of} files, 3.0 KiB\n"
            assert line_at(19, Finished(ONE, result_of(ONE, 4096), None, 1.0)) == ""
            assert line_at(21, Progressed(TWO, 10, None)) == f"1{of} files, 4.0 KiB\n"
            failed = Finished(TWO, None, SizeMismatch(1, 2), 1.0)
            present = Finished(THREE, result_of(THREE, 9999, present=True), None, 1.0)
            assert line_at(31, failed) == f"2{of} files, 4.0 KiB\n"
            assert line_at(50, present) == f"3{of} files, 4.0 KiB\n"


@pytest.fixture
def on_terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    def pretend(whether: bool) -> None:
        monkeypatch.setattr(
            progress,
            "sys",
            SimpleNamespace(stderr=SimpleNamespace(isatty=lambda: whether), stdout=sys.stdout),
        )

    return pretend


def test_the_display_follows_the_terminal_and_the_wish(
    on_terminal: Callable[[bool], None],
) -> None:
    on_terminal(True)
    assert isinstance(display(wanted=True), Bars)
    assert isinstance(display(wanted=False), Nothing)
    on_terminal(False)
    assert isinstance(display(wanted=True), Lines)
    assert isinstance(display(wanted=False), Nothing)


@pytest.mark.parametrize("total", [None, 30])
def test_bars_are_made_of_events_alone_in_any_number_and_order(total: int | None) -> None:
    many = [Download(f"http://host/{number}", "x" * 100 + str(number)) for number in range(30)]
    with Bars() as bars:
        bars.expect(total)
        bars(Progressed(ONE, 10, 100))
        bars(Finished(ONE, None, None, 0.1))
        for download in many:
            bars(Started(download))
            bars(Progressed(download, 10, None))
        assert len(bars._progress.tasks) == 1 + 12
        for download in reversed(many):
            bars(Progressed(download, 20, 20))
            bars(Finished(download, result_of(download, 20), None, 0.1))
        (whole,) = bars._progress.tasks
        bars(Settled("known", "http://host/known", "present", 9999))
        bars(Settled("extra", "", "deleted", 9999))
        assert whole.completed == 600
        assert whole.fields["count"] == ("32" if total is None else "32/30")


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 bytes"),
        (1023, "1023 bytes"),
        (1024, "1.0 KiB"),
        (5 << 20, "5.0 MiB"),
        (3 << 30, "3.0 GiB"),
        (5000 << 40, "5000.0 TiB"),
    ],
)
def test_sizes_are_said_as_people_say_them(size: int, text: str) -> None:
    assert readable(size) == text


def test_rich_is_not_imported_before_a_terminal_needs_it(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(BODY)
    code = f"""
import sys
import pulp_download.cli.main as command
assert command.run(["--help"]) == 0
assert command.run(["get", {(tmp_path / "a").as_uri()!r}, "--output", "b"]) == 0
print(*sorted({{"rich", "sqlite3"}} & set(sys.modules)), "done")
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "done"
    assert (tmp_path / "b").read_bytes() == BODY
