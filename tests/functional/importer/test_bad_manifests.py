"""Lists that are wrong: a clear error with its place, and nothing is changed by halves."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from pulp_download import Remote, SizeMismatch
from tests.functional.cli.command import Command
from tests.functional.cli.shelf import sha256
from tests.functional.fetch import remote_for
from tests.functional.importer.measured import MEASURED
from tests.functional.importer.rpms import REPOMD, primary_xml, repomd_xml, rpm_repository
from tests.functional.importer.stock import LIST, OWN, Stock, Sync, rows, tree
from tests.functional.importer.test_repositories import PACKAGES, debian_repository, packages_file
from tests.servers import FaultServer, endless_body, reply
from tests.uncovered import UNCOVERED

MEASURED_PROGRAM = (*UNCOVERED, "-m", "tests.functional.importer.measured")

# Bytes that no bad list may take; a run of a few files takes about 65 MB of them.
LITTLE = 100_000_000

GOOD = {
    LIST: {"pool/a": b"a" * 1000, "pool/b": b"b" * 1000},
    "list.jsonl": {"pool/a": b"a" * 1000},
    REPOMD: rpm_repository(PACKAGES),
    "Packages.gz": {"pool/a.deb": b"a" * 1000},
    "dists/sid/Release": debian_repository({"pool/a.deb": b"a" * 1000}),
}
GOOD["Packages.gz"]["Packages.gz"] = gzip.compress(packages_file({"pool/a.deb": b"a" * 1000}))
JSON_LINE = f'{{"path": "pool/a", "digests": {{"sha256": "{sha256(b"a" * 1000)}"}}}}\n'.encode()
GOOD["list.jsonl"]["list.jsonl"] = JSON_LINE

DIGEST = sha256(b"evil")


def of_line(text: str) -> bytes:
    return f"{sha256(b'a' * 1000)}  pool/a\n{text}\n".encode()


def with_primary(text: bytes) -> dict[str, bytes]:
    body = gzip.compress(text)
    repomd = repomd_xml({"primary": ("repodata/p.xml.gz", body)})
    return {"repodata/p.xml.gz": body, REPOMD: repomd}


def wrong_checksum() -> dict[str, bytes]:
    bad = with_primary(b"<metadata/>")
    return {**bad, "repodata/p.xml.gz": gzip.compress(b"<metadata></metadata>")}


def cut_index() -> dict[str, bytes]:
    files = debian_repository({"pool/b.deb": b"b"})
    index = "dists/sid/c0/binary-all/Packages.gz"
    return {**files, index: files[index][:50]}


def two_packages() -> dict[str, bytes]:
    return debian_repository({"pool/a.deb": b"1"}, {"pool/a.deb": b"2"})


def many_mirrors() -> bytes:
    urls = ", ".join(f'{{"url": "http://h{number}/"}}' for number in range(1_001))
    return f'{{"path": "pool/b", "mirrors": [{urls}]}}\n'.encode()


BOMB = (
    b'<!DOCTYPE m [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>\n<metadata packages="0">&b;</metadata>'
)
CUT = primary_xml({"a": b"a"})[:120]
EXTERNAL = b'<!DOCTYPE m SYSTEM "/secret.dtd">\n<metadata packages="0"/>'
TWICE = f"{DIGEST}  pool/x\n{sha256(b'other')}  pool/x"

# What is served in place of a good list, and what is said of it.
BAD: dict[str, tuple[str, Callable[[], dict[str, bytes]], str]] = {
    "cut gz": (
        "Packages.gz",
        lambda: {"Packages.gz": GOOD["Packages.gz"]["Packages.gz"][:-9]},
        "truncated",
    ),
    "cut gz of a Release": (
        "dists/sid/Release",
        cut_index,
        r"Packages\.gz.*expected \d+ bytes, got 50",
    ),
    "cut primary": (
        REPOMD,
        lambda: with_primary(CUT),
        r"p\.xml\.gz: line 2: not well-formed XML",
    ),
    "another primary": (REPOMD, wrong_checksum, "expected .* bytes, got|expected sha256"),
    "entities": (REPOMD, lambda: with_primary(BOMB), r"p\.xml\.gz.*line 1.*document type"),
    "an external document type": (
        REPOMD,
        lambda: with_primary(EXTERNAL),
        r"p\.xml\.gz.*line 1.*document type",
    ),
    "listed twice": (
        LIST,
        lambda: {LIST: of_line(TWICE)},
        "line 3: 'pool/x' is on line 2 with another",
    ),
    "listed by two Packages": (
        "dists/sid/Release",
        two_packages,
        r"^Error: dists/sid/c1/binary-all/Packages\.gz: line 1: 'pool/a\.deb' is on line 1 of d",
    ),
    "too many mirrors": (
        "list.jsonl",
        lambda: {"list.jsonl": JSON_LINE + many_mirrors()},
        "line 2: more than 1000 mirrors",
    ),
    "a long line": (
        LIST,
        lambda: {LIST: of_line(f"{DIGEST}  {'x' * 10_000_000}")},
        "line 2: longer than 65536 bytes",
    ),
    "a long line in JSON": (
        "list.jsonl",
        lambda: {"list.jsonl": JSON_LINE + b'{"path": "' + b"x" * 10_000_000 + b'"}\n'},
        "line 2: longer than 65536 bytes",
    ),
    "a long line in Packages": (
        "Packages.gz",
        lambda: {"Packages.gz": gzip.compress(b"Package: p\nFilename: " + b"x" * 10_000_000, 1)},
        "line 2: longer than 1048576 bytes",
    ),
    "numbers beyond all": (
        "list.jsonl",
        lambda: {"list.jsonl": JSON_LINE + b'{"path": "a", "size": ' + b"9" * 5000 + b"}\n"},
        "line 2",
    ),
    "deep JSON": (
        "list.jsonl",
        lambda: {"list.jsonl": JSON_LINE + b'{"path": ' + b"[" * 30_000 + b"\n"},
        "line 2",
    ),
    "the importer's folder": (
        LIST,
        lambda: {LIST: of_line(f"{DIGEST}  {OWN}/lock")},
        "line 2.*kept for the importer",
    ),
    "bytes that are no text": (LIST, lambda: {LIST: of_line("") + b"\xff\n"}, "line 3: not UTF-8"),
    "another thing": (LIST, lambda: {LIST: b"<html><body>Please log in"}, "HTML"),
}


@pytest.fixture(params=BAD, ids=[name.replace(" ", "-") for name in BAD])
def bad(
    request: pytest.FixtureRequest, server: FaultServer
) -> tuple[Stock, str, Callable[[], dict[str, bytes]], str]:
    """An upstream that is good; where its list is, how to spoil it, and what is said then."""
    place, spoil, said = BAD[request.param]
    stock = Stock(server, GOOD[place])
    return stock, place, spoil, said


@pytest.mark.fault(155)
@pytest.mark.fault(156)
@pytest.mark.fault(161)
@pytest.mark.fault(162)
def test_a_bad_list_is_refused_with_its_place_and_everything_is_as_before(
    bad: tuple[Stock, str, Callable[[], dict[str, bytes]], str],
    command: Command,
    remote: Remote,
    dest: Path,
    tmp_path: Path,
) -> None:
    stock, place, spoil, said = bad
    url = stock.server.url(f"/{place}")
    Sync(remote, dest, url)
    before, known = tree(dest), rows(dest)
    stock.files = {**stock.files, **spoil(), "pool/new": b"new"}
    stock.news()
    peak = tmp_path / "peak"
    run = ("mirror", url, dest, "--delete-extra", "--retries", "0")
    ended = command(*run, status=2, env={MEASURED: str(peak)}, program=MEASURED_PROGRAM)
    (line,) = ended.stderr.splitlines()
    assert line.startswith("Error: ")
    assert "http" in line or ".gz: line " in line
    assert re.search(said, line), line
    assert ended.stdout == b""
    assert tree(dest) == before
    assert rows(dest) == known
    assert "secret.dtd" not in stock.news()
    assert int(peak.read_text()) < LITTLE


@pytest.mark.fault(236)
def test_a_list_without_an_end_is_cut_off_at_the_remotes_limit(
    server: FaultServer, dest: Path
) -> None:
    server.on(f"/{LIST}", endless_body())
    with remote_for(max_size=1_000_000) as remote, pytest.raises(SizeMismatch):
        Sync(remote, dest, server.url(f"/{LIST}"))
    assert not dest.exists()


@pytest.mark.fault(158)
@pytest.mark.slow
@pytest.mark.timeout(180)
def test_of_a_million_mirrors_in_a_metalink_the_best_are_kept(
    command: Command, server: FaultServer, dest: Path, tmp_path: Path
) -> None:
    """By the format's rules it is no error: so many are passed over in flat memory."""
    urls = "".join(
        f'<url priority="{max(1, 999_999 - number)}">{server.url(f"/far/{number}")}</url>\n'
        for number in range(1_000_000)
    )
    document = (
        '<metalink xmlns="urn:ietf:params:xml:ns:metalink"><file name="f">\n'
        f'<hash type="sha-256">{sha256(b"f")}</hash>\n{urls}</file></metalink>\n'
    ).encode()
    server.on("/f.meta4", reply(200, document))
    server.on("/far/999998", reply(200, b"f"))
    peak = tmp_path / "peak"
    run = ("mirror", server.url("/f.meta4"), dest)
    with command.started(*run, env={MEASURED: str(peak)}, program=MEASURED_PROGRAM) as process:
        assert process.wait(150) == 0
    assert (dest / "f").read_bytes() == b"f"
    assert [request.path for request in server.requests] == ["/f.meta4", "/far/999998"]
    assert int(peak.read_text()) < LITTLE
    assert sum(str(row).count("/far/") for row in rows(dest)) == 1000
