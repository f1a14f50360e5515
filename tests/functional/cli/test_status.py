"""``status``: what the catalog of a mirror knows."""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path
from typing import Any

import pytest

from tests.functional.cli.command import Command
from tests.functional.cli.shelf import BODY, HOUSE, mirrored, publish, sha256, sums, tree
from tests.functional.cli.test_signals import stopped
from tests.servers import FaultServer, hold, reply

FILES = {"a.iso": BODY, "pool/gone": b"12345", "pool/wrong": b"right"}


def told(command: Command, *arguments: object) -> dict[str, Any]:
    """What ``status --json`` says: one object, with the members that programs rely on."""
    (line,) = command("status", "dest", "--json", *arguments).text.splitlines()
    found: dict[str, Any] = json.loads(line)
    assert list(found) == ["artifacts", "bytes", "last_run", "failures"]
    assert list(found["artifacts"]) == list(found["bytes"]) == ["present", "missing", "failed"]
    if found["last_run"] is not None:
        assert list(found["last_run"]) == ["started", "finished", "downloaded", "failed"]
    assert all(list(failure) == ["path", "type", "message"] for failure in found["failures"])
    return found


@pytest.fixture
def flawed(command: Command, server: FaultServer) -> FaultServer:
    """A mirror of which one file is there and two could not be had."""
    publish(server, {"a.iso": BODY, "pool/wrong": b"wrong"})
    server.on("/SHA256SUMS", reply(200, sums(FILES)))
    source = server.url("/SHA256SUMS?key=s3cret", userinfo="me:s3cret")
    command("mirror", source, "dest", "--retries", "0", "--concurrency", "1", status=1)
    return server


def test_programs_are_told_counts_bytes_the_last_run_and_failures(
    command: Command, flawed: FaultServer, here: Path
) -> None:
    before = mirrored(here / "dest")
    found = told(command)
    assert found["artifacts"] == {"present": 1, "missing": 1, "failed": 2}
    assert found["bytes"] == {"present": len(BODY), "missing": len(sums(FILES)), "failed": 0}
    last = found["last_run"]
    assert (last["downloaded"], last["failed"]) == (1, 2)
    assert time.time() - 60 < last["started"] <= last["finished"] <= time.time()
    right, wrong = sha256(b"right"), sha256(b"wrong")
    gone, other = flawed.url("/pool/gone"), flawed.url("/pool/wrong")
    mismatch = f"{other}: expected sha256 {right}, got {wrong}"
    assert sorted(found["failures"], key=lambda failure: str(failure["path"])) == [
        {"path": "pool/gone", "type": "NotFound", "message": f"{gone}: 404 Not Found"},
        {"path": "pool/wrong", "type": "DigestMismatch", "message": mismatch},
    ]
    assert mirrored(here / "dest") == before


def test_people_are_told_the_same(command: Command, flawed: FaultServer) -> None:
    present, missing, failed, last, *failures = command("status", "dest").text.splitlines()
    assert present == "present: 1 files, 10.0 KiB"
    assert missing == f"missing: 1 files, {len(sums(FILES))} bytes"
    assert failed == "failed: 2 files, 0 bytes"
    when = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\+00:00"
    source = re.escape(flawed.url("/SHA256SUMS?key=***"))
    assert re.fullmatch(
        rf"last run: {when} of {source}, \d+\.\d s, 1 downloaded, 2 failed", last
    ), last
    gone = flawed.url("/pool/gone")
    assert f"failed: pool/gone: NotFound: {gone}: 404 Not Found" in failures
    assert len(failures) == 2


def test_what_was_healed_is_a_failure_no_more(command: Command, flawed: FaultServer) -> None:
    publish(flawed, FILES)
    command("mirror", flawed.url("/SHA256SUMS"), "dest")
    found = told(command)
    assert found["artifacts"] == {"present": 4, "missing": 0, "failed": 0}
    assert found["failures"] == []
    assert (found["last_run"]["downloaded"], found["last_run"]["failed"]) == (3, 0)


@pytest.mark.fault(125)
@pytest.mark.leaks("a process that is killed cannot tidy up", allow=("partials",))
def test_a_run_that_was_killed_has_not_ended(command: Command, server: FaultServer) -> None:
    publish(server, FILES)
    server.on("/a.iso", hold)
    server.on("/SHA256SUMS", reply(200, sums(FILES)))
    with command.started("mirror", server.url("/SHA256SUMS"), "dest") as process:
        server.wait_for(lambda: server.held == 1)
        process.kill()
        process.wait()
    found = told(command)
    assert found["last_run"]["finished"] is None
    assert found["artifacts"]["missing"] + found["artifacts"]["present"] == 4
    assert found["failures"] == []
    assert ", has not ended" in command("status", "dest").text


def test_a_mirror_is_asked_about_while_a_run_is_at_work(
    command: Command, server: FaultServer
) -> None:
    server.on("/SHA256SUMS", reply(200, sums(FILES)))
    server.default(hold)
    with command.started("mirror", server.url("/SHA256SUMS"), "dest") as process:
        server.wait_for(lambda: server.held == 3)
        assert told(command)["artifacts"] == {"present": 0, "missing": 4, "failed": 0}
        assert stopped(process).status == 130


@pytest.mark.fault(226)
def test_names_and_reasons_cannot_steer_the_terminal(
    command: Command, server: FaultServer, here: Path
) -> None:
    server.default(reply(404))
    hostile = "a\u202egnp.\u2028x"
    (here / "x.jsonl").write_text(json.dumps({"path": hostile, "url": server.url("/a")}))
    command("mirror", "x.jsonl", "dest", status=1)
    lines = command("status", "dest").text.removesuffix("\n").split("\n")
    assert all(line.isprintable() for line in lines)
    assert lines[-1].startswith("failed: a\\u202egnp.\\u2028x: NotFound: ")
    ended = command("status", "dest", "--json")
    assert ended.stdout.replace(b"\n", b"").isascii()
    assert json.loads(ended.stdout)["failures"][0]["path"] == hostile


class TestWithoutACatalog:
    @pytest.mark.parametrize("dest", ["absent", "empty", "file"])
    def test_it_says_so_and_makes_none(self, command: Command, here: Path, dest: str) -> None:
        (here / "empty").mkdir()
        (here / "file").touch()
        for given in ([], ["--json"]):
            ended = command("status", dest, *given, status=2)
            assert ended.stdout == b""
            assert dest in ended.stderr
        assert sorted(os.listdir(here)) == ["empty", "file"]
        assert os.listdir(here / "empty") == []

    def test_so_it_is_with_a_database_that_is_not_there(
        self, command: Command, flawed: FaultServer, here: Path
    ) -> None:
        ended = command("status", "dest", "--catalog", "sqlite:///absent.sqlite", status=2)
        assert "no mirror has been made here" in ended.stderr
        assert not (here / "absent.sqlite").exists()

    @pytest.mark.parametrize("content", [b"no database at all" * 100, b"SQLite format 3\0"])
    def test_what_is_no_catalog_is_said_to_be_none(
        self, command: Command, here: Path, content: bytes
    ) -> None:
        (here / "dest" / HOUSE).mkdir(parents=True)
        (here / "dest" / HOUSE / "catalog.sqlite").write_bytes(content)
        assert "Error: " in command("status", "dest", status=2).stderr


def test_a_planted_symlink_is_not_followed(command: Command, here: Path) -> None:
    (here / "outside").mkdir()
    (here / "outside/catalog.sqlite").touch()
    (here / "dest").mkdir()
    os.symlink("../outside", here / "dest" / HOUSE)
    assert "symbolic link" in command("status", "dest", status=2).stderr
    assert tree(here / "outside") == {"catalog.sqlite": b""}


def test_a_catalog_that_was_given_is_given_again(
    command: Command, server: FaultServer, here: Path
) -> None:
    publish(server, FILES)
    server.on("/SHA256SUMS", reply(200, sums(FILES)))
    catalog = ("--catalog", "sqlite:///all.sqlite")
    command("mirror", server.url("/SHA256SUMS"), "dest", *catalog)
    command("mirror", server.url("/SHA256SUMS"), "other", *catalog, "--include", "a.iso")
    assert told(command, *catalog)["artifacts"] == {"present": 4, "missing": 0, "failed": 0}
    ended = command("status", "other", "--json", *catalog)
    assert json.loads(ended.stdout)["artifacts"] == {"present": 2, "missing": 0, "failed": 0}
    assert "no mirror has been made here" in command("status", "dest", status=2).stderr
