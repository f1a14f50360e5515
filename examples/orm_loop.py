"""Copy what a table of a database lists, and write down there what came of each file."""

from __future__ import annotations

import tempfile
from pathlib import Path

from _orm import Artifact, QuerySet, add, artifacts_in
from _upstream import Upstream, serving, sha256, some_files

from pulp_download import (
    Batch,
    DigestValidation,
    Download,
    DownloadError,
    FileWriter,
    Remote,
    SizeValidation,
)


def download_of(row: Artifact, remote: Remote, root: Path) -> Download:
    return Download(
        row.url,
        FileWriter(row.path, within=root, keep=True, resume=True),
        validations=[SizeValidation(row.size), DigestValidation("sha256", row.sha256)],
        remote=remote,
        attachment=row.pk,
    )


def copy(artifacts: QuerySet, remote: Remote, root: Path) -> None:
    missing = artifacts.filter(state="missing").iterator()
    downloads = (download_of(row, remote, root) for row in missing)
    with Batch(downloads, concurrency=8) as batch:
        for future in batch:
            row = artifacts.filter(pk=future.download.attachment)
            try:
                done = future.result()
            except DownloadError as error:
                row.update(state="failed", error=error.message)
            else:
                row.update(state="present", file=str(done.path))


def main() -> None:
    files = some_files(200)
    with tempfile.TemporaryDirectory() as scratch, serving(Upstream(files)) as upstream:
        artifacts = artifacts_in(Path(scratch) / "database.sqlite")
        for number, (path, data) in enumerate(files.items(), 1):
            add(artifacts, Artifact(number, upstream.url(path), path, len(data), sha256(data)))
        lost = files.pop("pool/137.bin")

        with Remote() as remote:
            copy(artifacts, remote, Path(scratch) / "files")
            report("first run", artifacts, upstream)

            files["pool/137.bin"] = lost
            artifacts.filter(state="failed").update(state="missing", error=None)
            copy(artifacts, remote, Path(scratch) / "files")
            report("second run", artifacts, upstream)
        artifacts.database.close()


def report(title: str, artifacts: QuerySet, upstream: Upstream) -> None:
    present = sum(1 for _ in artifacts.filter(state="present").iterator())
    print(f"{title}: {len(upstream.asked)} requests, {present} files present")
    for row in artifacts.filter(state="failed").iterator():
        print(f"  {row.path}: {row.error}")
    upstream.asked.clear()


if __name__ == "__main__":
    main()
