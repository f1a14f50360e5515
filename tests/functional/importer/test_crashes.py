"""Runs that are killed, at any moment, and what the next ones make of it."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from pulp_download import Remote
from pulp_download.importer.importer import Importer
from tests.functional.cli.command import ROOT, Command
from tests.functional.importer.stock import LIST, OWN, Stock, tree
from tests.servers import Conversation, FaultServer, Request, response_bytes
from tests.servers.faults import response_prefix

FILES = 2_000
KILLS = 5  # of one destination, before it is brought to its end

# Bytes; a large one comes in many pieces, so that its run leaves a partial.
SMALL, LARGE = 700, 300_000


class Killer:
    """Answers as a stock does that stays as it is, and kills a process around an answer."""

    def __init__(self, stock: Stock):
        self._files = stock.all  # once: its list is made anew each time
        self._lock = threading.Lock()
        self._left = 0
        self._pid = 0
        self._sent = 0.0
        stock.server.default(self._answer)

    def arm(self, pid: int, *, left: int, sent: float) -> None:
        """Kill at the so many request from now, when this share of its answer has been sent."""
        with self._lock:
            self._pid, self._left, self._sent = pid, left, sent

    def _answer(self, conn: Conversation, request: Request) -> None:
        body = self._files[request.path[1:]]
        with self._lock:
            self._left -= 1
            is_moment = self._left == 0
        if not is_moment:
            conn.send(response_bytes(200, body))
            return
        if self._sent:
            conn.send(response_prefix(200, body, int(len(body) * self._sent), ()))
        os.kill(self._pid, signal.SIGKILL)
        conn.close()


@pytest.fixture
def many(server: FaultServer) -> Stock:
    chance = random.Random(1)
    sizes = [LARGE if number % 50 == 0 else chance.randrange(SMALL) for number in range(FILES)]
    return Stock(
        server,
        {f"{n % 13}/{n:04}": chance.randbytes(size) for n, size in enumerate(sizes)},
    )


def finished(dest: Path) -> dict[str, bytes]:
    """What stands under a final name."""
    return {path: body for path, body in tree(dest).items() if not path.endswith(".part")}


def leftovers(dest: Path, temporary: Path) -> list[str]:
    """What stands under any other name, and our own in a folder for temporary files."""
    parts = [path for path in tree(dest) if path.endswith(".part")]
    # beside them a kill may leave the file by which the standard library tries the folder
    staged = [name for name in os.listdir(temporary) if name.startswith("pulp-download-")]
    return sorted([*parts, *staged])


def check_crashed(dest: Path, expected: dict[str, bytes], scratch: Path) -> set[str]:
    """Check what a killed run left; return the names of the files that it finished."""
    there = finished(dest)
    wrong = [path for path, body in there.items() if expected.get(path) != body]
    assert wrong == []
    assert LIST not in there or set(there) == set(expected)
    if (dest / OWN / "catalog.sqlite").exists():
        # a copy: the next run is to find the catalog as the kill left it
        shutil.copytree(dest / OWN, scratch / OWN)
        with closing(sqlite3.connect(scratch / OWN / "catalog.sqlite")) as database:
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        with Remote() as remote, Importer(remote, scratch) as importer:
            assert importer.standing().files["failed"] == 0
        shutil.rmtree(scratch / OWN)
    return set(there)


@pytest.mark.need("I3")
@pytest.mark.fault(125)
@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 10))]
)
def test_a_run_that_is_killed_at_a_random_moment_costs_what_it_had_not_finished(
    many: Stock, command: Command, dest: Path, tmp_path: Path, seed: int
) -> None:
    """Five moments of each seed, fifty in all."""
    chance = random.Random(seed)
    killer = Killer(many)
    expected = many.all
    temporary, scratch = tmp_path / "temporary", tmp_path / "scratch"
    temporary.mkdir()
    scratch.mkdir()
    run = ("mirror", many.url, dest, "--json", "--no-progress")
    there: set[str] = set()
    for _ in range(KILLS):
        missing = len(expected) - len(there)
        with command.started(
            *run, env={"TMPDIR": str(temporary)}, stdout=subprocess.DEVNULL
        ) as process:
            moment = chance.randrange(1, missing + 1)
            killer.arm(process.pid, left=moment, sent=chance.choice([0, 0.5, 1]))
            assert process.wait(60) == -signal.SIGKILL
        asked = many.news()
        assert len(asked) >= moment
        assert len(set(asked)) == len(asked)
        assert set(asked) & there <= {LIST}
        there = check_crashed(dest, expected, scratch)
    killer.arm(0, left=0, sent=0)
    last = command(*run, env={"TMPDIR": str(temporary)})
    assert many.news() == sorted({LIST, *expected} - (there - {LIST}))
    assert last.outcomes == {
        path: "present" if path in there else "downloaded" for path in expected
    }
    assert tree(dest) == expected
    assert command(*run).summary["present"] == len(expected)
    assert leftovers(dest, temporary) == []


@contextmanager
def crashing(url: str, temporary: Path) -> Iterator[subprocess.Popen[str]]:
    """The program that runs the command up to a step."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.functional.importer.crashing", url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(temporary), "PYTHONPATH": str(ROOT)},
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def run_to(process: subprocess.Popen[str], step: int, dest: Path) -> int:
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(f"{step}\t{dest}\n")
    process.stdin.flush()
    return int(process.stdout.readline())


@pytest.mark.fault(125)
@pytest.mark.timeout(240)
@pytest.mark.parametrize("every", [13, pytest.param(3, marks=pytest.mark.slow)])
def test_a_run_that_is_killed_before_any_of_its_steps_on_files_is_gone_on_with(
    server: FaultServer, tmp_path: Path, every: int
) -> None:
    stock = Stock(server, {"a/1": b"1" * SMALL, "a/2": b"2" * LARGE, "3": b""})
    temporary, scratch = tmp_path / "temporary", tmp_path / "scratch"
    temporary.mkdir()
    scratch.mkdir()
    killed = 0
    with crashing(stock.url, temporary) as process:
        for step in range(1, 1000, every):
            dest = tmp_path / f"dest-{step}"
            status = run_to(process, step, dest)
            there = check_crashed(dest, stock.all, scratch)
            if status == 0:
                break
            assert status == -signal.SIGKILL
            killed += 1
            stock.news()
            assert run_to(process, 0, dest) == 0
            assert stock.news() == sorted({LIST, *stock.all} - (there - {LIST}))
            assert tree(dest) == stock.all
            assert leftovers(dest, temporary) == []
    assert status == 0
    assert killed >= 40 // every
