"""How the command ends when it is told to, and when nobody listens any more."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import termios
import time
from pathlib import Path

import pytest

from tests.functional.cli.command import PATIENCE, Command, Ended, finished, next_line, said
from tests.functional.cli.shelf import BODY, HOUSE, mirrored, sha256, sums, tree
from tests.servers import FaultServer, hold, reply, stalled_body, steps

# Seconds within which a run must be over.
AT_ONCE = 2.0


def stopped(
    process: subprocess.Popen[bytes], number: int = signal.SIGINT, *, within: float = AT_ONCE
) -> Ended:
    """Send a signal and wait; the run must end at once."""
    started = time.monotonic()
    process.send_signal(number)
    ended = finished(process)
    assert time.monotonic() - started < within
    return ended


def taken_from(pipe: int) -> None:
    """Return once the other end has read all that the pipe held."""
    deadline = time.monotonic() + PATIENCE
    held = bytearray(4)
    while fcntl.ioctl(pipe, termios.FIONREAD, held) or any(held):
        assert time.monotonic() < deadline
        time.sleep(0.002)


@pytest.mark.need("I10")
@pytest.mark.fault(124)
@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)],
)
def test_one_signal_stops_stalled_transfers_and_keeps_what_is_finished(
    command: Command, server: FaultServer, here: Path, number: int, status: int
) -> None:
    server.on("/done", reply(200, BODY))
    server.default(stalled_body(BODY, sent=5000))
    server.on("/early", hold)
    (here / "stalled").write_bytes(b"old")
    urls = [server.url(path) for path in ("/done", "/early", "/stalled", "/new", "/queued")]
    with command.started("get", *urls, "--concurrency", "3", "--json") as process:
        first = next_line(process)
        server.wait_for(lambda: server.held == 3)
        ended = stopped(process, number)
    assert ended.status == status
    assert (first["path"], first["status"]) == ("done", "downloaded")
    lines = ended.text.splitlines()
    assert len(lines) == 5
    assert '"downloaded": 1, "present": 0, "failed": 0, "cancelled": 4' in lines[-1]
    assert all('"type": "Cancelled"' in line for line in lines[:-1])
    assert tree(here) == {"done": BODY, "stalled": b"old"}


@pytest.mark.need("I10")
@pytest.mark.fault(124)
def test_a_signal_at_any_moment_leaves_nothing_and_the_summary_is_the_last_word(
    command: Command, server: FaultServer, here: Path
) -> None:
    """While workers are being started, above all: each moment is the accept of one connection."""
    server.default(stalled_body(BODY, sent=5000))
    urls = [server.url(f"/{number}") for number in range(40)]
    for number in range(1, 9):
        before = server.accepted
        with command.started("get", *urls, "--json", "--into", number) as process:
            server.wait_for(lambda before=before, number=number: server.accepted >= before + number)
            ended = stopped(process)
        assert ended.status == 130
        assert ended.summary["cancelled"] >= number
        assert set(ended.outcomes.values()) == {"cancelled"}
    assert tree(here) == {}


@pytest.mark.fault(124)
@pytest.mark.leaks("what it had of its files is for the next run", allow=("partials",))
def test_a_person_reads_the_summary_of_an_interrupted_run(
    command: Command, server: FaultServer
) -> None:
    server.default(stalled_body(BODY, sent=1))
    server.on("/SHA256SUMS", reply(200, sums({"a": BODY, "b": b""})))
    with command.started("mirror", server.url("/SHA256SUMS"), "dest") as process:
        server.wait_for(lambda: server.held == 2)
        ended = stopped(process)
    assert ended.status == 130
    assert ended.text.startswith("0 downloaded, 0 present, 0 failed, 2 cancelled; 0 bytes in ")


@pytest.mark.fault(124)
def test_the_second_signal_ends_it_whatever_it_is_busy_with(
    command: Command, server: FaultServer, here: Path
) -> None:
    """More is to be said than the pipe holds, and nobody reads it: it cannot end by itself."""
    server.default(hold)
    urls = "\n".join(server.url(f"/{'x' * 9000}/{number}") for number in range(20))
    (here / "list").write_text(urls)
    with command.started("get", "--input", "list", "--json") as process:
        server.wait_for(lambda: server.held == 8)
        process.send_signal(signal.SIGINT)
        assert next_line(process)["status"] == "cancelled"
        started = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.wait(AT_ONCE) == 130
        assert time.monotonic() - started < AT_ONCE
        assert b"summary" not in finished(process).stdout


@pytest.mark.fault(124)
def test_an_interruption_need_not_wait_for_the_next_try(
    command: Command, server: FaultServer
) -> None:
    server.default(reply(503, headers={"Retry-After": "60"}))
    with command.started("get", server.url("/a"), "--json", "--verbose") as process:
        said(process, process.stderr, b"503")
        ended = stopped(process)
    assert ended.status == 130
    assert ended.file["status"] == "cancelled"
    assert [failed["type"] for failed in ended.file["attempts"]] == ["ServerFailed", "Cancelled"]
    assert len(server.requests) == 1


@pytest.mark.fault(124)
def test_an_interruption_need_not_wait_for_the_next_line_of_its_input(
    command: Command, server: FaultServer, here: Path
) -> None:
    server.default(reply(200, BODY))
    with command.started("get", "--input", "-", "--json") as process:
        assert process.stdin is not None
        process.stdin.write(f"{server.url('/a')}\n".encode())
        assert next_line(process)["status"] == "downloaded"
        started = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(AT_ONCE) == 143
        assert time.monotonic() - started < AT_ONCE
        assert b'"downloaded": 1' in finished(process).stdout
    assert tree(here) == {"a": BODY}


@pytest.mark.fault(124)
@pytest.mark.parametrize(
    "arguments", [["mirror", "{}", "dest"], ["get", "{}", "--output", "-"]], ids=["mirror", "get"]
)
def test_an_interruption_while_a_manifest_or_a_stream_is_fetched(
    command: Command, server: FaultServer, here: Path, arguments: list[str]
) -> None:
    server.default(stalled_body(BODY, sent=10))
    given = [argument.format(server.url("/urls")) for argument in arguments]
    with command.started(*given) as process:
        server.wait_for(lambda: server.held == 1)
        ended = stopped(process)
    assert (ended.status, ended.stderr) == (130, "")
    assert BODY[:9].startswith(ended.stdout)
    assert os.listdir(here) == []


@pytest.mark.fault(124)
def test_an_interruption_need_not_wait_for_a_manifest_that_is_piped_in(
    command: Command, here: Path
) -> None:
    with command.started("mirror", "-", "dest", "--verbose") as process:
        assert process.stdin is not None
        process.stdin.write(b"# half a list\n")
        taken_from(process.stdin.fileno())
        started = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.wait(AT_ONCE) == 130
        assert time.monotonic() - started < AT_ONCE
        assert finished(process).stdout == b""
    assert os.listdir(here) == []


@pytest.mark.fault(125)
@pytest.mark.leaks("a process that is killed cannot tidy up", allow=("partials",))
def test_after_a_kill_the_old_file_stands_and_the_next_run_completes_the_mirror(
    command: Command, server: FaultServer, here: Path
) -> None:
    files = {"done": b"done", "cut": BODY}
    server.on("/SHA256SUMS", reply(200, sums(files)))
    server.on("/done", reply(200, b"done"))
    server.on("/cut", [stalled_body(BODY, sent=5000), reply(200, BODY)])
    (here / "dest").mkdir()
    (here / "dest/cut").write_bytes(b"old")
    arguments = ("mirror", server.url("/SHA256SUMS"), "dest", "--json")
    with command.started(*arguments) as process:
        assert next_line(process)["path"] == "done"
        server.wait_for(lambda: server.held == 1)
        process.kill()
        process.wait()
    there = tree(here / "dest")
    assert (there.pop("done"), there.pop("cut")) == (b"done", b"old")
    of_database = {name for name in there if name.startswith(f"{HOUSE}/catalog.sqlite")}
    for name in (f"{HOUSE}/lock", f"{HOUSE}/staging/manifest", *of_database):
        del there[name]
    assert all(name.startswith(".") and name.endswith(".part") for name in there)
    ended = command(*arguments)
    assert ended.outcomes == {
        "done": "present",
        "cut": "downloaded",
        "SHA256SUMS": "downloaded",
    }
    assert mirrored(here / "dest") == {"done": b"done", "cut": BODY, "SHA256SUMS": sums(files)}
    assert len(server.requests_to("/done")) == 1


class TestNobodyReads:
    @pytest.mark.fault(141)
    def test_a_reader_that_leaves_ends_it_quietly(
        self, command: Command, server: FaultServer, here: Path
    ) -> None:
        gate = server.gate()
        server.default(steps(gate, reply(200, BODY)))
        urls = [server.url(f"/{number}") for number in range(40)]
        with command.started("get", *urls, "--concurrency", "2", "--json") as process:
            gate.let(1)
            assert next_line(process)["status"] == "downloaded"
            assert process.stdout is not None
            process.stdout.close()
            process.stdout = None
            gate.open()
            ended = finished(process)
        assert (ended.status, ended.stderr) == (141, "")
        assert set(tree(here).values()) == {BODY}
        assert len(server.requests) < 40

    @pytest.mark.fault(141)
    @pytest.mark.parametrize(
        "arguments",
        [
            ["mirror", "{}", "dest", "--dry-run"],
            ["mirror", "{}", "dest"],
            ["get", "{}", "--output", "-"],
        ],
        ids=["dry-run", "summary", "stream"],
    )
    def test_so_does_one_that_never_came(
        self, command: Command, server: FaultServer, arguments: list[str]
    ) -> None:
        server.on("/a", reply(200, BODY))
        gate = server.gate()
        server.on("/SHA256SUMS", steps(gate, reply(200, f"{sha256(BODY)}  a\n".encode())))
        given = [argument.format(server.url("/SHA256SUMS")) for argument in arguments]
        with command.started(*given) as process:
            assert process.stdout is not None
            process.stdout.close()
            process.stdout = None
            gate.open()
            ended = finished(process)
        assert (ended.status, ended.stderr) == (141, "")

    @pytest.mark.parametrize("arguments", [["--json"], [], ["--output", "-"]])
    def test_a_report_that_finds_no_space_is_a_failure(
        self, command: Command, server: FaultServer, arguments: list[str]
    ) -> None:
        server.on("/a", reply(200, BODY))
        with (
            open("/dev/full", "wb") as full,
            command.started("get", server.url("/a"), *arguments, stdout=full.fileno()) as process,
        ):
            ended = finished(process)
        assert ended.status == 1
        assert ended.stderr == "pulp-download: failed: stdout: No space left on device\n"
