"""What an interrupted command leaves, and what the next one makes of it."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from pulp_download.partials import stem_of
from tests.functional.cli.command import Command
from tests.functional.cli.shelf import BODY, mirrored, sha256, sums, tree
from tests.functional.cli.test_signals import stopped
from tests.servers import FaultServer, Script, published, reply, stalled_body, truncated

TAG = {"ETag": '"v1"'}
HALF = 5000
WEEK = 7 * 86_400

GOOD: Script = published(BODY, etag='"v1"')
STALLED: Script = stalled_body(BODY, sent=HALF, headers=TAG)
BROKEN: Script = truncated(BODY, sent=HALF, headers=TAG)


def ranges(server: FaultServer, path: str) -> list[str | None]:
    return [request.headers.get("Range") for request in server.requests_to(path)]


def partials(name: str) -> set[str]:
    return {f".{stem_of(name)}.part", f".{stem_of(name)}.facts.part"}


def has_half_in(folder: Path) -> None:
    """Look at what the command does in a folder until half of the file is there."""
    deadline = time.monotonic() + 10
    data = folder / f".{stem_of('f')}.part"
    while not data.exists() or data.stat().st_size < HALF:
        assert time.monotonic() < deadline
        time.sleep(0.002)


def left_in(folder: Path) -> set[str]:
    return {name for name in tree(folder) if name.endswith(".part")}


@pytest.mark.fault(124)
@pytest.mark.parametrize("into", [["--into", "dest"], ["--output", "dest/f"]])
def test_get_goes_on_with_what_an_interrupted_one_had(
    command: Command, server: FaultServer, here: Path, into: list[str]
) -> None:
    server.on("/f", [STALLED, GOOD])
    (here / "dest").mkdir()
    with command.started("get", server.url("/f"), *into, "--json") as process:
        server.wait_for(lambda: server.held == 1)
        has_half_in(here / "dest")
        ended = stopped(process)
    assert ended.status == 130
    assert set(tree(here / "dest")) == partials("f")
    ended = command("get", server.url("/f"), *into, "--json")
    assert (ended.file["status"], ended.file["size"]) == ("downloaded", len(BODY))
    assert tree(here / "dest") == {"f": BODY}
    assert ranges(server, "/f") == [None, f"bytes={HALF}-"]


@pytest.mark.fault(125)
@pytest.mark.leaks("a process that is killed cannot tidy up", allow=("partials",))
def test_mirror_goes_on_with_what_a_killed_one_had(
    command: Command, server: FaultServer, here: Path
) -> None:
    server.on("/SHA256SUMS", reply(200, sums({"d/f": BODY})))
    server.on("/d/f", [STALLED, GOOD])
    arguments = ("mirror", server.url("/SHA256SUMS"), "dest", "--json")
    with command.started(*arguments) as process:
        server.wait_for(lambda: server.held == 1)
        has_half_in(here / "dest" / "d")
        process.kill()
        process.wait()
    ended = command(*arguments)
    assert ended.outcomes == {"d/f": "downloaded", "SHA256SUMS": "downloaded"}
    assert ended.files[0]["digests"] == {"sha256": sha256(BODY)}
    assert mirrored(here / "dest") == {"d/f": BODY, "SHA256SUMS": sums({"d/f": BODY})}
    assert ranges(server, "/d/f") == [None, f"bytes={HALF}-"]


def test_mirror_leaves_no_partial_of_what_is_no_longer_listed(
    command: Command, server: FaultServer, here: Path
) -> None:
    server.on("/old/SHA256SUMS", reply(200, sums({"f": BODY})))
    server.on("/new/SHA256SUMS", reply(200, sums({"g": BODY})))
    server.default(BROKEN)
    command("mirror", server.url("/old/SHA256SUMS"), "dest", "--retries", "0", status=1)
    assert left_in(here / "dest") == partials("f")
    for name in mirrored(here / "dest"):
        os.utime(here / "dest" / name, (0, time.time() - 60))
    filtered = ["--include", "x"]
    command("mirror", server.url("/new/SHA256SUMS"), "dest", "--retries", "0", *filtered)
    assert left_in(here / "dest") == partials("f")
    command("mirror", server.url("/new/SHA256SUMS"), "dest", "--retries", "0", status=1)
    assert left_in(here / "dest") == partials("g")
    server.default(GOOD)
    command("mirror", server.url("/new/SHA256SUMS"), "dest")
    assert mirrored(here / "dest") == {"g": BODY, "SHA256SUMS": sums({"g": BODY})}


def test_a_partial_of_a_file_that_failed_again_is_still_of_use(
    command: Command, server: FaultServer, here: Path
) -> None:
    server.on("/SHA256SUMS", reply(200, sums({"f": BODY})))
    server.on("/f", [BROKEN, reply(404), GOOD])
    arguments = ("mirror", server.url("/SHA256SUMS"), "dest", "--retries", "0")
    command(*arguments, status=1)
    for name in mirrored(here / "dest"):
        os.utime(here / "dest" / name, (0, time.time() - 60))
    command(*arguments, status=1)
    command(*arguments)
    assert mirrored(here / "dest") == {"f": BODY, "SHA256SUMS": sums({"f": BODY})}
    assert ranges(server, "/f") == [None, f"bytes={HALF}-", f"bytes={HALF}-"]


def test_get_sweeps_what_is_old_from_the_folder_it_was_given_and_from_no_other(
    command: Command, server: FaultServer, here: Path
) -> None:
    server.default(BROKEN)
    for folder in ("dest", "dest/below", "."):
        (here / folder).mkdir(exist_ok=True)
        command("get", server.url("/old"), "--output", f"{folder}/old", "--retries", "0", status=1)
        for name in partials("old"):
            os.utime(here / folder / name, (0, time.time() - WEEK - 60))
    server.default(GOOD)
    command("get", server.url("/f"))
    command("get", server.url("/f"), "--into", "dest")
    swept = {here: True, here / "dest": False, here / "dest/below": True}
    for folder, is_there in swept.items():
        assert [name in os.listdir(folder) for name in partials("old")] == [is_there] * 2
        command("get", server.url("/old"), "--output", folder / "old")
    assert left_in(here) == set()
