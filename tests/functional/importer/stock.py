"""What upstreams of importers have, and what came of a synchronisation."""

from __future__ import annotations

import os
import sqlite3
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote

from pulp_download import DownloadError, Remote
from pulp_download.events import Event, Finished
from pulp_download.importer.importer import Importer
from pulp_download.importer.telling import Listed, Settled
from pulp_download.importer.work import Summary
from tests.functional.cli.shelf import sums
from tests.servers import Conversation, FaultServer, Request, Script, reply

OWN = ".pulp-download"
LIST = "SHA256SUMS"


class Stock:
    """Files and their list below the root of a server, as they are at the moment of a request.

    ``listed`` overrides what is listed. What was set by ``server.on`` goes before.
    """

    def __init__(self, server: FaultServer, files: Mapping[str, bytes]):
        self.server = server
        self.files = dict(files)
        self.listed: bytes | None = None
        self._seen = 0
        server.default(self._answer)

    @property
    def url(self) -> str:
        return self.server.url(f"/{LIST}")

    @property
    def manifest(self) -> bytes:
        return sums(self.files) if self.listed is None else self.listed

    @property
    def all(self) -> dict[str, bytes]:
        """The files with their list: what a destination is to hold."""
        return {**self.files, LIST: self.manifest}

    def news(self) -> list[str]:
        """The decoded paths of the requests since the last call, sorted."""
        requests = self.server.requests
        new, self._seen = requests[self._seen :], len(requests)
        return sorted(unquote(request.path)[1:] for request in new)

    def _answer(self, conn: Conversation, request: Request) -> None:
        path = unquote(request.path)[1:]
        body = self.files.get(path, self.manifest if path == LIST else None)
        answer: Script = reply(404) if body is None else reply(200, body)
        answer(conn, request)


class Ends:
    """An observer that remembers how each file ended, and that it did so once."""

    def __init__(self) -> None:
        self.listed: list[int | None] = []
        self.outcomes: dict[str, str] = {}
        self.errors: dict[str, DownloadError] = {}
        self.urls: dict[str, str] = {}
        self.times: Counter[str] = Counter()

    def __call__(self, event: Event | Listed | Settled) -> None:
        if isinstance(event, Listed):
            assert not self.times, "listed behind a file's end"
            self.listed.append(event.files)
        elif isinstance(event, Settled):
            self.urls[event.path] = event.url
            self._ended(event.path, event.status, event.error)
        elif isinstance(event, Finished):
            path = str(event.download.attachment)
            if event.result is None:
                status = "cancelled" if type(event.error).__name__ == "Cancelled" else "failed"
            else:
                status = "present" if event.result.present else "downloaded"
            self._ended(path, status, event.error)

    def of(self, status: str) -> list[str]:
        """The paths that ended so, sorted."""
        return sorted(path for path, ended in self.outcomes.items() if ended == status)

    def _ended(self, path: str, status: str, error: DownloadError | None) -> None:
        self.times[path] += 1
        assert self.times[path] == 1, f"{path} ended {self.times[path]} times"
        self.outcomes[path] = status
        if error is not None:
            self.errors[path] = error


class Sync:
    """One synchronisation by an importer of its own: its summary and how each file ended."""

    def __init__(
        self, remote: Remote, dest: Path, url: str, *, catalog: str | None = None, **options: object
    ):
        self.ends = Ends()
        with Importer(remote, dest, catalog=catalog) as importer:
            self.summary: Summary = importer.sync(url, observer=self.ends, **options)  # type: ignore[arg-type]

    @property
    def counts(self) -> dict[str, int]:
        """The counts that are not zero, without the bytes."""
        return {name: n for name, n in self.summary.counts.items() if n and name != "bytes"}


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, symbolic links as what they say; without the importer's own."""
    found: dict[str, bytes] = {}
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if name.partition("/")[0] == OWN:
            continue
        if path.is_symlink():
            found[name] = b"-> " + os.fsencode(os.readlink(path))
        elif path.is_file():
            found[name] = path.read_bytes()
    return found


def rot(path: Path) -> None:
    """Flip a bit of a file, and leave its size, its time and its inode as they were."""
    facts = path.stat()
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    with path.open("r+b") as file:
        file.write(data)
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    after = path.stat()
    assert (after.st_size, after.st_mtime_ns, after.st_ino) == (
        facts.st_size,
        facts.st_mtime_ns,
        facts.st_ino,
    )


def rows(dest: Path) -> list[tuple[object, ...]]:
    """Everything that a catalog holds."""
    with sqlite3.connect(f"file:{dest / OWN / 'catalog.sqlite'}?mode=ro", uri=True) as database:
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master")]
        kept = [name for name in ("repositories", "sources", "artifacts", "runs") if name in tables]
        found = [row for name in kept for row in database.execute(f"SELECT * FROM {name}")]
    database.close()
    return found
