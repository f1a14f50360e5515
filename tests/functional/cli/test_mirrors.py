"""Mirrors and manners from the command line."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.functional.cli.command import Command
from tests.functional.cli.shelf import BODY, asked, mirrored, publish, sha256, sums
from tests.servers import FaultServer, reply, truncated

FILES = {"a.iso": BODY, "pool/b c+d.deb": b"another\n", "a+%.rpm": b"xy"}


@pytest.fixture
def others() -> Iterator[list[FaultServer]]:
    """Two servers on addresses of their own."""
    with ExitStack() as stack:
        yield [stack.enter_context(FaultServer(host=f"127.0.0.{n}")) for n in (2, 3)]


def listing(*servers: FaultServer, path: str = "/r") -> bytes:
    return "".join(f"{server.url(path)}\n" for server in servers).encode()


@pytest.mark.need("I8")
@pytest.mark.parametrize("way", ["a file", "a URL"])
def test_a_mirror_list_names_more_places_of_all_that_is_relative(
    command: Command, server: FaultServer, others: list[FaultServer], here: Path, way: str
) -> None:
    server.on("/repo/SHA256SUMS", reply(200, sums(FILES)))
    publish(others[1], FILES, below="/r")
    content = b"# all of them\n" + listing(*others)
    if way == "a file":
        (here / "mirrors.txt").write_bytes(content)
        where = "mirrors.txt"
    else:
        server.on("/mirrors", reply(200, content))
        where = server.url("/mirrors")
    ended = command(
        "mirror", server.url("/repo/SHA256SUMS"), "dest", "--mirror-list", where, "--json"
    )
    assert ended.outcomes == dict.fromkeys([*FILES, "SHA256SUMS"], "downloaded")
    assert mirrored(here / "dest") == {**FILES, "SHA256SUMS": sums(FILES)}
    places = {file["path"]: file["url"] for file in ended.files}
    assert places.pop("SHA256SUMS") == server.url("/repo/SHA256SUMS")
    assert {place.split("/r/")[0] for place in places.values()} == {others[1].url("")}


def test_variables_of_a_mirror_list_are_given_by_name(
    command: Command, server: FaultServer, others: list[FaultServer], here: Path
) -> None:
    server.on("/SHA256SUMS", reply(200, sums(FILES)))
    (here / "list").write_bytes(listing(others[0], path="/$releasever/${basearch}"))
    publish(others[0], FILES, below="/9/x86_64")
    arguments = ["mirror", server.url("/SHA256SUMS"), "dest", "--mirror-list", "list", "--json"]
    ended = command(*arguments, "--mirror-var", "releasever=9", "--mirror-var", "basearch=x86_64")
    assert ended.outcomes == dict.fromkeys([*FILES, "SHA256SUMS"], "downloaded")


@pytest.mark.parametrize("content", [b"", b"nonsense\n", b"http://a/$releasever\n"])
def test_a_mirror_list_that_cannot_be_used_is_refused_and_nothing_is_fetched(
    command: Command, server: FaultServer, here: Path, content: bytes
) -> None:
    server.on("/SHA256SUMS", reply(200, sums(FILES)))
    (here / "list").write_bytes(content)
    ended = command("mirror", server.url("/SHA256SUMS"), "dest", "--mirror-list", "list", status=2)
    assert "list" in ended.stderr
    assert asked(server) == ["/SHA256SUMS"]
    assert not (here / "dest").exists()


def test_more_places_of_one_file_are_asked_when_the_first_fails(
    command: Command, server: FaultServer, others: list[FaultServer], here: Path
) -> None:
    server.on("/a.iso", truncated(BODY, sent=100))
    others[0].on("/x/other-name", reply(404))
    others[1].on("/a", reply(200, BODY))
    ended = command(
        "get",
        server.url("/a.iso"),
        *("--mirror", others[0].url("/x/other-name"), "--mirror", others[1].url("/a")),
        *("--digest", f"sha256:{sha256(BODY)}", "--retries", "0", "--json"),
    )
    assert ended.file["url"] == others[1].url("/a")
    assert (here / "a.iso").read_bytes() == BODY
    assert set(ended.file["attempts"][0]) == {"url", "status", "type", "message"}


@pytest.mark.need("I9")
def test_bytes_are_limited_for_all_files_together(
    command: Command, server: FaultServer, here: Path
) -> None:
    files = {str(number): bytes(20_000) for number in range(10)}
    publish(server, files)
    server.on("/SHA256SUMS", reply(200, sums(files)))
    began = time.monotonic()
    command("mirror", server.url("/SHA256SUMS"), "dest", "--limit-rate", "100K")
    assert time.monotonic() - began > 200_000 / 102_400 * 0.9
    assert mirrored(here / "dest") == {**files, "SHA256SUMS": sums(files)}


@pytest.mark.need("I9")
def test_transfers_at_one_host_are_as_many_as_it_is_said(
    command: Command, server: FaultServer
) -> None:
    files = {str(number): bytes(100) for number in range(30)}
    publish(server, files)
    server.on("/SHA256SUMS", reply(200, sums(files)))
    command("mirror", server.url("/SHA256SUMS"), "dest", "--per-host", "2", "--concurrency", "8")
    assert server.peak <= 2


def test_what_is_learnt_about_hosts_is_kept_for_the_next_run(
    command: Command, server: FaultServer, others: list[FaultServer], here: Path
) -> None:
    others[0].default(reply(500))
    others[1].default(reply(200, BODY))
    places = ("--mirror", others[1].url("/a"), "--host-state", "hosts.json")
    command("get", others[0].url("/a"), *places, "--retries", "0")
    assert others[0].url("") in json.loads((here / "hosts.json").read_text())["hosts"]
    (here / "a").unlink()
    before = len(others[0].requests)
    command("get", others[0].url("/a"), *places)
    assert len(others[0].requests) == before, "the one that failed is not the first any more"


@pytest.mark.parametrize(
    "wrong",
    [
        ("mirror", "x", "y", "--mirror-list", "http://"),
        ("mirror", "x", "y", "--mirror-var", "releasever"),
        ("mirror", "x", "y", "--mirror-var", "a b=c"),
        ("get", "http://a/b", "--per-host", "0"),
        ("get", "http://a/b", "--limit-rate", "fast"),
    ],
)
def test_what_cannot_be_meant_is_wrong_usage(command: Command, wrong: tuple[str, ...]) -> None:
    assert command(*wrong, status=2).stderr
