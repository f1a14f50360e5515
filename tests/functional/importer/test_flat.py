"""Memory that does not grow with the number of files."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from sqlalchemy import text

from pulp_download.importer.artifact import Found
from pulp_download.importer.catalog import Catalog
from pulp_download.importer.house import House
from pulp_download.importer.repository import ListedBy, Repository
from pulp_download.manifests import ManifestEntry
from tests.functional.cli.command import ROOT
from tests.functional.cli.shelf import sha256
from tests.servers import Conversation, FaultServer, Request, reply, response_bytes
from tests.uncovered import UNCOVERED

LIMIT = 150_000_000  # bytes of a process, with the interpreter and all that it imports

# Links of one file: fewer than any usual file system allows, so a million are of some files.
LINKS = 50_000

Report = Callable[[str, dict[str, Any]], None]


@pytest.fixture
def report(record_property: Callable[[str, object], None]) -> Report:
    """Write down what was measured: in the report of the tests, and on stdout."""

    def write(what: str, told: dict[str, Any]) -> None:
        files = told["present"] + told["downloaded"]
        line = (
            f"{what}: {files} files in {told['seconds']:.1f} s ({files / told['seconds']:.0f}/s), "
            f"of which reading and comparing the list {told['listed']:.1f} s "
            f"({files / told['listed']:.0f}/s), peak {told['peak'] / 1e6:.0f} MB"
        )
        record_property("measured", line)
        print(line)

    return write


def synchronised(url: str, dest: Path, *, within: float) -> dict[str, Any]:
    """Synchronise in a process of its own; what it took."""
    done = subprocess.run(
        [*UNCOVERED, "-m", "tests.functional.importer.flat", url, str(dest)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=within,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def paths(count: int) -> Iterator[tuple[int, str]]:
    """The number of a file's content and its path, for each of so many files."""
    for number in range(count):
        content = number // LINKS
        yield content, f"pool/{content:02}/{number % LINKS // 1000:02}/package-{number:07}.rpm"


def body_of(content: int) -> bytes:
    return f"content {content}\n".encode()


def lines(count: int) -> Iterator[str]:
    digests = [sha256(body_of(content)) for content in range(count // LINKS + 1)]
    for content, path in paths(count):
        yield f"{digests[content]}  {path}\n"


def put_there(dest: Path, count: int) -> dict[int, Found]:
    """Make the files, as links of a few; return by what each content is known again."""
    found = {}
    made: set[str] = set()
    first = ""
    for number, (content, path) in enumerate(paths(count)):
        name = f"{dest}/{path}"
        folder = name.rpartition("/")[0]
        if folder not in made:
            os.makedirs(folder)
            made.add(folder)
        if number % LINKS:
            os.link(first, name)
            continue
        first = name
        Path(name).write_bytes(body_of(content))
        found[content] = Found.of(os.stat(name))
    return found


def write_down(dest: Path, url: str, count: int, found: dict[int, Found]) -> None:
    """Have the catalog know the files as a first run does, without that run."""
    house = House(dest)
    house.make()
    digests = [(("sha256", sha256(body_of(content))),) for content in found]
    with Catalog.in_file(house.catalog) as catalog:
        repository = Repository(catalog, ".")
        source = repository.source(ListedBy(url, url))
        entries = (ManifestEntry(path, digests=digests[content]) for content, path in paths(count))
        repository.take(source, entries, wants=lambda path: True)
        with catalog.writing() as connection:
            for content, known in found.items():
                connection.execute(
                    text(
                        "UPDATE artifacts SET state = 'present', found_size = :size,"
                        " mtime_ns = :mtime, inode = :inode WHERE path LIKE :paths"
                    ),
                    {
                        "size": known.size,
                        "mtime": known.mtime_ns,
                        "inode": known.inode,
                        "paths": f"pool/{content:02}/%",
                    },
                )


def mirrored(server: FaultServer, dest: Path, count: int) -> str:
    """Make a mirror of so many files that is complete but for its list; return the list's URL."""
    packed = gzip.compress("".join(lines(count)).encode(), 1)
    server.on("/SHA256SUMS.gz", reply(200, packed))
    url = server.url("/SHA256SUMS.gz")
    write_down(dest, url, count, put_there(dest, count))
    return url


@pytest.mark.need("I4")
@pytest.mark.need("I5")
def test_ten_times_as_many_files_take_no_more_memory(
    server: FaultServer, tmp_path: Path, report: Report
) -> None:
    peaks = []
    for count in (2_000, 20_000):
        dest = tmp_path / str(count)
        url = mirrored(server, dest, count)
        told = synchronised(url, dest, within=50)
        assert (told["present"], told["downloaded"]) == (count, 1)  # the list itself
        again = synchronised(url, dest, within=50)
        assert (again["present"], again["downloaded"]) == (count + 1, 0)
        report("nothing to do", again)
        peaks.append(again["peak"])
        shutil.rmtree(dest)
    assert peaks[1] - peaks[0] < 15_000_000  # SQLite's page cache and a page of rows
    assert peaks[1] < LIMIT
    assert {request.path for request in server.requests} == {"/SHA256SUMS.gz"}


@pytest.mark.need("I4")
@pytest.mark.need("I5")
@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.fault(158)
def test_a_million_files_that_are_there_take_less_than_150_megabytes(
    server: FaultServer, tmp_path: Path, report: Report
) -> None:
    """Takes a minute and a half, of which half to make a million links and to remove them."""
    dest = tmp_path / "dest"
    url = mirrored(server, dest, 1_000_000)
    told = synchronised(url, dest, within=400)
    report("nothing to do", told)
    assert (told["present"], told["downloaded"], told["failed"]) == (1_000_000, 1, 0)
    assert [request.path for request in server.requests] == ["/SHA256SUMS.gz"]
    shutil.rmtree(dest)
    assert told["peak"] < LIMIT


@pytest.mark.need("I4")
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_hundred_thousand_tiny_files_are_fetched_in_less_than_150_megabytes(
    server: FaultServer, tmp_path: Path, report: Report
) -> None:
    def answer(conn: Conversation, request: Request) -> None:
        conn.send(response_bytes(200, unquote(request.path)[1:].encode()))

    names = [f"pool/{number // 1000:03}/{number:06}" for number in range(100_000)]
    sums = "".join(f"{sha256(name.encode())}  {name}\n" for name in names).encode()
    server.default(answer)
    server.on("/SHA256SUMS.gz", reply(200, gzip.compress(sums, 1)))
    dest = tmp_path / "dest"
    told = synchronised(server.url("/SHA256SUMS.gz"), dest, within=500)
    report("all to fetch", told)
    assert (told["downloaded"], told["failed"]) == (100_001, 0)
    assert len(server.requests) == 100_001
    assert server.accepted <= 8
    for name in names[::997]:
        assert (dest / name).read_bytes() == name.encode()
    again = synchronised(server.url("/SHA256SUMS.gz"), dest, within=100)
    report("nothing to do", again)
    assert again["present"] == 100_001
    shutil.rmtree(dest)
    assert told["peak"] < LIMIT
