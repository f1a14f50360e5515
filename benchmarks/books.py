"""What an importer's books cost: a first run, beside the same downloads without a catalog.

Run as ``python -m benchmarks.books WAY URL DESTINATION`` it does one of them and prints its
seconds: ``batch`` has the list in memory before, ``list`` reads and checks it as an importer does,
``import`` keeps books as well.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.job import Item, make_files
from benchmarks.turns import destination, folder
from benchmarks.upstream import serving
from pulp_download import Batch, Download, FileWriter, Remote
from pulp_download.importer.importer import Importer
from pulp_download.importer.source import Source, validations_of
from pulp_download.manifests import ManifestEntry

ROUNDS, QUICK_ROUNDS = 7, 1
FILES, QUICK_FILES = 30_000, 10_000
SIZE = 1024
CONNECTIONS = 8

LIST = "SHA256SUMS"

# Names of figures.
BOOKS = "bookkeeping beside the same list without it, of the downloads' time (%)"
ALL = "first run, against the downloads alone"


def measure(*, quick: bool) -> dict[str, Any]:
    """Return how long each way takes, in turn, and the ratios of medians."""
    seconds: dict[str, list[float]] = {way: [] for way in WAYS}
    with folder() as here:
        items = make_files(here / "root", [SIZE] * (QUICK_FILES if quick else FILES))
        (here / "root" / LIST).write_text("".join(map(_line, items)), "ascii")
        with serving(here / "root") as upstream:
            for number in range(QUICK_ROUNDS if quick else ROUNDS):
                ways = [*WAYS]
                for way in (*ways[number % len(ways) :], *ways[: number % len(ways)]):
                    with destination(here) as path:
                        seconds[way].append(_turn(way, f"{upstream.url}/{LIST}", path))
                        _check(path, items)
    medians = {way: statistics.median(found) for way, found in seconds.items()}
    figures: dict[str, Any] = {"files": len(items), "connections": CONNECTIONS}
    for way, found in seconds.items():
        figures[f"{way} (s), median"] = round(medians[way], 2)
        figures[f"{way} (s), least and most"] = [round(min(found), 2), round(max(found), 2)]
    kept = medians["import"] - medians["list"]
    figures[BOOKS] = round(100 * kept / medians["batch"], 1)
    figures[ALL] = round(medians["import"] / medians["batch"], 2)
    return figures


def _line(item: Item) -> str:
    return f"{item.sha256}  {item.path}\n"


def _turn(way: str, url: str, path: Path) -> float:
    command = [sys.executable, "-m", "benchmarks.books", way, url, str(path)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def _check(path: Path, items: tuple[Item, ...]) -> None:
    """Fail unless all files are there; that they are right, each way has seen to."""
    for item in items:
        assert (path / item.path).stat().st_size == item.size, item.path


def _batch(url: str, path: Path) -> float:
    base = url.removesuffix(LIST)
    with Remote() as remote:
        with TemporaryDirectory() as staging:
            source = Source.parse(url)
            with source.manifest(remote, None, Path(staging)) as manifest:
                listed = [*manifest.entries()]
        began = time.monotonic()
        _run(
            Download(
                f"{base}{entry.path}",
                _writer(entry, path),
                validations=validations_of(entry),
                remote=remote,
            )
            for entry in listed
        )
        return time.monotonic() - began


def _list(url: str, path: Path) -> float:
    began = time.monotonic()
    source = Source.parse(url)
    with (
        TemporaryDirectory() as staging,
        Remote() as remote,
        source.manifest(remote, None, Path(staging)) as manifest,
    ):
        base = source.base_for(manifest)
        _run(
            source.download(entry, base, _writer(entry, path), remote, attachment=entry)
            for entry in manifest.entries()
        )
    return time.monotonic() - began


def _import(url: str, path: Path) -> float:
    began = time.monotonic()
    with Remote() as remote, Importer(remote, path, concurrency=CONNECTIONS) as importer:
        summary = importer.sync(url)
    assert not summary.failed
    return time.monotonic() - began


def _writer(entry: ManifestEntry, path: Path) -> FileWriter:
    return FileWriter(entry.path, within=path, keep=True, resume=True)


def _run(downloads: Iterator[Download]) -> None:
    with Batch(downloads, concurrency=CONNECTIONS) as batch:
        for future in batch:
            future.result()


WAYS: dict[str, Callable[[str, Path], float]] = {"batch": _batch, "list": _list, "import": _import}


if __name__ == "__main__":
    _way, _url, _path = sys.argv[1:]
    print(WAYS[_way](_url, Path(_path)))
