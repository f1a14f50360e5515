"""Keep a folder up to date by the importer, watch it work, and read from it as a streamer does."""

from __future__ import annotations

import tempfile
from pathlib import Path

from _upstream import Upstream, checksums, serving, some_files

from pulp_download import Event, Finished, Remote
from pulp_download.importer.importer import Importer
from pulp_download.importer.selection import Selection
from pulp_download.importer.telling import Listed, Settled


def observe(event: Event | Listed | Settled) -> None:
    """Say what happens; called by workers, and by the thread that called ``sync``."""
    match event:
        case Listed(files=count):
            print("  the manifest is good:", "some" if count is None else count, "files")
        case Settled(path=path, status=status):
            print(f"  {path}: {status}")
        case Finished(download=download, error=None):
            print(f"  {download.attachment}: fetched or found")
        case Finished(download=download, error=error):
            print(f"  {download.attachment}: {error}")


def main() -> None:
    files = some_files(3)
    upstream = Upstream({**files, "SHA256SUMS": checksums(files)})
    with (
        tempfile.TemporaryDirectory() as scratch,
        serving(upstream),
        Remote() as remote,
        Importer(remote, Path(scratch) / "mirror", concurrency=1) as importer,
    ):
        source = upstream.url("SHA256SUMS")

        print("A part of it:")
        part = Selection(include=("*/000.bin",))
        summary = importer.sync(source, selection=part, observer=observe)
        print(f"  downloaded {summary.downloaded}, present {summary.present}")

        print("All of it:")
        summary = importer.sync(source, observer=observe)
        print(f"  downloaded {summary.downloaded}, present {summary.present}")

        print("For a streamer:")
        (importer.destination / "pool/001.bin").unlink()
        upstream.asked.clear()
        for path in ("pool/000.bin", "pool/001.bin"):
            with importer.get_download(path).iter_content() as content:
                size = sum(len(chunk) for chunk in content)
                where = "upstream" if path in upstream.asked else "disk"
                print(f"  {path}: {content.status}, {size} bytes from {where}")


if __name__ == "__main__":
    main()
