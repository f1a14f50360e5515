"""The lists of a repository: fetched together, judged as a whole, published behind the files."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pulp_download.errors import ManifestError
from pulp_download.files import FileWriter
from pulp_download.importer import house
from pulp_download.importer.artifact import Artifact
from pulp_download.importer.order import Order
from pulp_download.importer.repository import ListedBy
from pulp_download.importer.source import read_mirror_list
from pulp_download.importer.stopping import Stopping
from pulp_download.manifests import Manifest, ManifestEntry
from pulp_download.manifests.layout import is_published
from pulp_download.mirrors.mirror import Mirror
from pulp_download.remote import Remote

# Bytes at a time; not measured.
_CHUNK = 1 << 20


class Lists:
    """A manifest with the lists that it names, checked; see :func:`fetched`. State of one run.

    ``base`` is what relative names are below. They are staged in a folder until they are published.
    """

    def __init__(self, order: Order, manifest: Manifest, staged: dict[str, Path]):
        self._order = order
        self._staged = staged
        self.manifest = manifest
        self.base = order.source.base_for(manifest)

    @property
    def listed_by(self) -> ListedBy:
        """The source, as a catalog has it."""
        url = self._order.source.url
        text = "-" if url is None else str(Mirror(url).without_credentials())
        return ListedBy(text, str(self.base))

    @property
    def wanted(self) -> int | None:
        """How many files are wanted, if that is known; once :meth:`entries` has been read."""
        if not self._order.selection.is_everything:
            return None
        return self.manifest.count + (self.manifest.path in self._staged)

    def entries(self) -> Iterator[ManifestEntry]:
        """Yield what is to be listed: what is selected, the lists that were read, the manifest."""
        main = self.manifest.path
        for entry in self.manifest.entries():
            if entry.path == main:  # it lists itself, as what it was
                self._staged.pop(main, None)
            if self.wants(entry.path):
                yield entry
        if main in self._staged:
            yield self._main_entry()

    def wants(self, path: str) -> bool:
        """Tell whether a listed file is wanted: it is selected, or one of the lists."""
        return path in self._staged or self._order.selection.wants(path)

    def is_staged(self, artifact: Artifact) -> bool:
        """Tell whether a listed file is one of the lists, and fetched already."""
        return artifact.path in self._staged

    def staged(self, path: str) -> Path | None:
        """Return where one of the lists is staged; once :meth:`entries` has been read."""
        return self._staged.get(path)

    def is_main(self, artifact: Artifact) -> bool:
        """Tell whether a listed file is the manifest itself."""
        return artifact.path == self.manifest.path

    def publish(self, artifact: Artifact, destination: Path) -> None:
        """Put a staged list at its place; raises WriteError."""
        staged = self._staged[artifact.path]
        writer = FileWriter(artifact.path, within=destination, keep=True)
        with staged.open("rb") as file, writer.open() as sink:
            sink.write(b"")
            while chunk := file.read(_CHUNK):
                sink.write(chunk)
            sink.mtime = os.fstat(file.fileno()).st_mtime

    def _main_entry(self) -> ManifestEntry:
        staged = self._staged[self.manifest.path]
        with staged.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return ManifestEntry(
            self.manifest.path,
            url=str(self._order.source.url),
            size=staged.stat().st_size,
            digests=(("sha256", digest),),
            is_metadata=True,
        )


@contextmanager
def fetched(
    order: Order, remote: Remote, destination: Path, staging: Path, stopping: Stopping
) -> Iterator[Lists]:
    """Fetch the manifest and the lists that it names into a folder; raises what is wrong with them.

    Lists that are in the destination already, and right, are taken from there.
    """
    source = order.source
    with source.manifest(remote, order.format, staging, run=stopping.run) as manifest:
        staged = {}
        for number, entry in enumerate(order.selection.lists(manifest.lists())):
            staged[entry.path] = path = staging / f"list-{number}"
            with suppress(OSError):
                shutil.copyfile(destination / entry.path, path, follow_symlinks=False)
            writer = FileWriter(path, keep=True)
            root = source.root_of(manifest)
            stopping.run(source.download(entry, root, writer, remote, attachment=entry.path))
            manifest.add(entry, path.open("rb"))
        manifest.check(judge=_refuse_own)
        if is_published(manifest.format) and source.url is not None:
            staged[manifest.path] = staging / "manifest"
        lists = Lists(order, manifest, staged)
        read_mirror_list(remote, stopping.run)
        yield lists


def _refuse_own(entry: ManifestEntry) -> None:
    """Refuse what would be written into the importer's own folder."""
    if house.is_own(entry.path):
        raise ManifestError(
            f"a file below {house.NAME}, which is kept for the importer", line=entry.line
        )
