"""What a result says of the file on disk, by which its owner knows it again."""

import os
import pickle
from pathlib import Path

import pytest

from pulp_download import Download, FileWriter, MemoryWriter, Remote, Result, SizeValidation
from tests.servers import FaultServer, reply

BODY = b"0123456789" * 300
DATED = [("Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT"), ("ETag", '"v1"')]


def fetched(server: FaultServer, writer: FileWriter | MemoryWriter) -> Result:
    with Remote() as remote:
        expected = [SizeValidation(len(BODY))]
        return Download(server.url("/f"), writer, validations=expected, remote=remote).run()


def told(stat: os.stat_result | None) -> tuple[int, int, int] | None:
    return None if stat is None else (stat.st_size, stat.st_mtime_ns, stat.st_ino)


@pytest.mark.parametrize("resume", [False, True])
def test_a_result_says_what_stands_at_its_path(
    server: FaultServer, tmp_path: Path, resume: bool
) -> None:
    server.default(reply(200, BODY, headers=DATED))
    writer = FileWriter("d/f", within=tmp_path, keep=True, resume=resume)
    found = told(fetched(server, writer).stat)
    assert found == told(os.lstat(tmp_path / "d" / "f"))
    assert found is not None
    assert found[:2] == (3000, 784_111_777 * 10**9)


@pytest.mark.parametrize("status", [200, 304])
def test_a_result_says_it_of_what_was_there_already(
    server: FaultServer, tmp_path: Path, status: int
) -> None:
    server.default(reply(200, BODY, headers=DATED))
    writer = FileWriter(tmp_path / "f", keep=True)
    first = fetched(server, writer)
    server.default(reply(status, BODY if status == 200 else b"", headers=DATED))
    second = fetched(server, writer)
    assert second.present is (status == 304)
    assert told(second.stat) == told(os.lstat(tmp_path / "f"))
    assert (told(first.stat) == told(second.stat)) is second.present


def test_it_says_nothing_of_files_that_nobody_wants_kept(
    server: FaultServer, tmp_path: Path
) -> None:
    server.default(reply(200, BODY))
    assert fetched(server, FileWriter(tmp_path / "f")).stat is None
    assert fetched(server, MemoryWriter()).stat is None


def test_it_goes_with_the_result_into_another_process(server: FaultServer, tmp_path: Path) -> None:
    server.default(reply(200, BODY))
    result = fetched(server, FileWriter(tmp_path / "f", keep=True))
    assert told(pickle.loads(pickle.dumps(result)).stat) == told(os.lstat(tmp_path / "f"))
