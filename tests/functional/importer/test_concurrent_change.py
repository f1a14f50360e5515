"""An upstream that changes while it is mirrored."""

from __future__ import annotations

from pathlib import Path

import pytest

from pulp_download import DigestMismatch, Remote, SizeMismatch
from tests.functional.cli.command import Command
from tests.functional.cli.shelf import sha256, sums
from tests.functional.importer.stock import LIST, Stock, Sync, tree
from tests.servers import Conversation, FaultServer, Request, Script, reply


def changing(stock: Stock, path: str, files: dict[str, bytes]) -> None:
    """Have the upstream replace all its files, and their list, when this one is asked for."""

    def script(conn: Conversation, request: Request) -> None:
        if stock.files is not files:
            stock.files = files
            stock.news()  # so that the next ones are those that came behind the change
        answer: Script = reply(200, files[path]) if path in files else reply(404)
        answer(conn, request)

    stock.server.on(f"/{path}", script)


@pytest.mark.fault(239)
def test_a_file_that_is_replaced_with_its_list_fails_keeps_the_old_one_and_is_healed(
    stock: Stock, remote: Remote, dest: Path
) -> None:
    Sync(remote, dest, stock.url)
    old = stock.all
    listed = {**stock.files, "pool/b": b"second edition", "pool/new": b"new"}
    newest = {**listed, "pool/b": b"third edition!"}
    stock.files = listed
    changing(stock, "pool/b", newest)
    failed = Sync(remote, dest, stock.url)
    assert failed.ends.of("failed") == ["pool/b"]
    error = failed.ends.errors["pool/b"]
    assert isinstance(error, DigestMismatch)
    assert error.expected == sha256(b"second edition")
    assert error.actual == sha256(b"third edition!")
    assert error.expected in str(error)
    assert error.actual in str(error)
    assert failed.ends.of("cancelled") == [LIST]
    assert tree(dest) == {**old, "pool/new": b"new"}
    stock.news()
    healed = Sync(remote, dest, stock.url)
    assert healed.ends.of("downloaded") == [LIST, "pool/b"]
    assert stock.news() == [LIST, "pool/b"]
    assert tree(dest) == stock.all


@pytest.mark.fault(239)
def test_the_command_tells_both_digests_and_the_status_remembers_them(
    command: Command, stock: Stock, dest: Path
) -> None:
    newest = {**stock.files, "pool/c": b"C" * 1000}
    changing(stock, "pool/c", newest)
    run = ("mirror", stock.url, dest, "--json", "--retries", "0")
    ended = command(*run, status=1)
    (line,) = [file for file in ended.files if file["status"] == "failed"]
    expected, actual = sha256(b"c" * 1000), sha256(b"C" * 1000)
    message = f"expected sha256 {expected}, got {actual}"
    assert (line["path"], line["error"]["type"]) == ("pool/c", "DigestMismatch")
    assert message in line["error"]["message"]
    assert ended.outcomes[LIST] == "cancelled"
    assert not (dest / LIST).exists()
    (told,) = [line for line in command("status", dest).text.splitlines() if "pool/c" in line]
    assert told.startswith("failed: pool/c: DigestMismatch: ")
    assert told.endswith(message)
    assert command(*run).summary["downloaded"] == 2
    assert tree(dest) == stock.all
    assert "failed: 0 files" in command("status", dest).text


@pytest.mark.fault(239)
def test_a_tree_that_is_swapped_half_way_is_never_published_as_a_mixture(
    server: FaultServer, remote: Remote, dest: Path
) -> None:
    files = {f"{number:03}": f"old {number}".encode() for number in range(100)}
    stock = Stock(server, files)
    Sync(remote, dest, stock.url)
    oldest = stock.all
    stock.files = {name: body.replace(b"old", b"new") for name, body in files.items()}
    second = sums(stock.files)
    third = {name: body.replace(b"old", b"NEW") for name, body in files.items()}
    del third["099"]
    changing(stock, "050", third)
    failed = Sync(remote, dest, stock.url, delete_extra=True)
    wrong = failed.ends.of("failed")
    assert {"050", *stock.news()} <= set(wrong) < set(files)
    assert failed.ends.of("cancelled") == [LIST]
    assert failed.summary.deleted == 0
    there = tree(dest)
    assert set(there) == set(oldest)
    assert there[LIST] == oldest[LIST]
    assert {name for name in files if there[name] == files[name]} == set(wrong)
    assert sums({name: there[name] for name in files}) != second
    healed = Sync(remote, dest, stock.url, delete_extra=True)
    assert healed.summary.downloaded == 100
    assert healed.ends.of("deleted") == ["099"]
    assert tree(dest) == {**third, LIST: sums(third)}


def test_a_file_whose_size_changed_tells_both_sizes(
    stock: Stock, remote: Remote, dest: Path
) -> None:
    listed = "".join(
        f"{path},{sha256(body)},{len(body)}\n" for path, body in stock.files.items()
    ).encode()
    stock.server.on("/PULP_MANIFEST", reply(200, listed))
    stock.files["pool/a"] = b"short"
    failed = Sync(remote, dest, stock.server.url("/PULP_MANIFEST"))
    error = failed.ends.errors["pool/a"]
    assert isinstance(error, SizeMismatch)
    assert (error.expected, error.actual) == (1000, 5)
