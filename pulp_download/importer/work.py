"""What is to be done for a destination, with what, and what it came to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pulp_download.download import Download
from pulp_download.errors import DownloadError
from pulp_download.files import FileWriter
from pulp_download.importer.artifact import Artifact
from pulp_download.importer.listing import Changes
from pulp_download.importer.lists import Lists
from pulp_download.importer.order import Order
from pulp_download.importer.recorder import is_as_recorded
from pulp_download.importer.repository import Repository
from pulp_download.importer.stopping import Stopping
from pulp_download.importer.telling import Settled, Teller
from pulp_download.remote import Remote
from pulp_download.urls import redacted


@dataclass
class Summary:
    """What a synchronisation came to, in files; ``bytes`` are those of downloaded ones.

    ``changes`` are those of the listing, and None until it has been taken in.
    """

    downloaded: int = 0
    present: int = 0
    failed: int = 0
    deleted: int = 0
    bytes: int = 0
    changes: Changes | None = None

    @property
    def counts(self) -> dict[str, int]:
        """What the catalog remembers of a run."""
        names = ("downloaded", "present", "failed", "deleted", "bytes")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, kw_only=True)
class Work:
    """An order, and all that is needed to carry it out."""

    order: Order
    lists: Lists
    remote: Remote
    destination: Path
    repository: Repository
    concurrency: int
    tell: Teller
    stopping: Stopping

    def take_listing(self) -> tuple[int, Changes]:
        """Have the catalog list what the lists do; return the key of their source as well."""
        source = self.repository.source(self.lists.listed_by)
        wants = self.order.selection.wants
        return source, self.repository.take(source, self.lists.entries(), wants=wants)

    def listed(self, source: int, *, metadata: bool | None = None) -> Iterator[Artifact]:
        """Yield what this source lists and is wanted, or of it only metadata, or only the rest."""
        artifacts = self.repository.artifacts(source, metadata=metadata)
        return (artifact for artifact in artifacts if self.lists.wants(artifact.path))

    def download(self, artifact: Artifact) -> Download:
        """Return the download of a listed file to its place; what is there and right is kept."""
        etag = artifact.etag
        if etag is not None and not is_as_recorded(self.destination, artifact):
            etag = None
        writer = FileWriter(
            artifact.path, within=self.destination, keep=True, resume=True, etag=etag
        )
        source = self.order.source
        return source.download(
            artifact.entry, self.lists.base, writer, self.remote, attachment=artifact
        )

    def is_known(self, artifact: Artifact) -> bool:
        """Tell whether a file is right as far as can be told without reading or asking."""
        if self.order.verify or not artifact.entry.digests:
            return False
        return is_as_recorded(self.destination, artifact)

    def is_present(self, artifact: Artifact) -> bool:
        """Tell whether a file is right, by reading it if need be; raises DownloadError."""
        return self.is_known(artifact) or self.download(artifact).is_present()

    def settle(self, artifact: Artifact, status: str, error: DownloadError | None = None) -> None:
        """Tell what came of an artifact that needed no run."""
        entry, found = artifact.entry, artifact.found
        place = str(entry.places(self.lists.base)[0])
        size = entry.size if entry.size is not None or found is None else found.size
        digests = dict(entry.digests)
        self.tell(Settled(entry.path, redacted(place), status, size, digests, error))
