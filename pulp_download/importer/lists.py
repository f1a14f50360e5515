"""The lists of a repository: fetched together, taken in as a whole, published behind the files."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pulp_download.errors import ManifestError
from pulp_download.files import FileWriter
from pulp_download.importer import house
from pulp_download.importer.artifact import Artifact
from pulp_download.importer.listing import Changes
from pulp_download.importer.repository import ListedBy
from pulp_download.importer.source import read_mirror_list
from pulp_download.importer.work import Work
from pulp_download.manifests import Manifest, ManifestEntry
from pulp_download.manifests.layout import is_published
from pulp_download.mirrors.mirror import Mirror

# Bytes at a time; not measured.
_CHUNK = 1 << 20


class Lists:
    """A manifest with the lists that it names, staged. State of one run; see :func:`fetched`.

    ``base`` is what relative names are below, ``source`` the key of the source in the catalog.
    """

    def __init__(self, work: Work, manifest: Manifest):
        self.manifest = manifest
        self._work = work
        self._staged: dict[str, Path] = {}
        if is_published(manifest.format) and work.order.source.url is not None:
            self._staged[manifest.path] = work.staging / "manifest"
        self._fetch_named()
        manifest.check()
        self.base = work.order.source.base_for(manifest)
        self.source = -1

    def take(self) -> Changes:
        """Have the catalog list what the lists do; all or nothing."""
        source, repository = self._work.order.source, self._work.repository
        url = "-" if source.url is None else str(Mirror(source.url).without_credentials())
        self.source = repository.source(ListedBy(url, str(self.base)))
        wants = self._work.order.selection.wants
        return repository.take(self.source, self._entries(), wants=wants)

    def is_staged(self, artifact: Artifact) -> bool:
        """Tell whether a listed file is one of the lists, and fetched already."""
        return artifact.path in self._staged

    def is_main(self, artifact: Artifact) -> bool:
        """Tell whether a listed file is the manifest itself."""
        return artifact.entry.is_metadata and artifact.path == self.manifest.path

    def publish(self, artifact: Artifact) -> None:
        """Put a staged list at its place; raises WriteError."""
        staged = self._staged[artifact.path]
        writer = FileWriter(artifact.path, within=self._work.destination)
        with staged.open("rb") as file, writer.open() as sink:
            sink.write(b"")
            while chunk := file.read(_CHUNK):
                sink.write(chunk)
            sink.mtime = os.fstat(file.fileno()).st_mtime

    def _fetch_named(self) -> None:
        """Fetch the lists that the manifest names; those that are here already are taken."""
        work, order = self._work, self._work.order
        named = list(self.manifest.lists())
        if not named:
            return
        root = order.source.root_of(self.manifest)
        for number, entry in enumerate(order.selection.lists(named)):
            staged = work.staging / f"list-{number}"
            with suppress(OSError):
                os.link(work.destination / entry.path, staged, follow_symlinks=False)
            writer = FileWriter(staged, keep=True)
            work.stopping.run(
                order.source.download(entry, root, writer, work.remote, attachment=entry.path)
            )
            self.manifest.add(entry, staged.open("rb"))
            self._staged[entry.path] = staged

    def _entries(self) -> Iterator[ManifestEntry]:
        """Yield what is to be listed: what is selected, the lists that were read, the manifest."""
        main = self.manifest.path
        for entry in self.manifest.entries():
            if house.is_own(entry.path):
                raise ManifestError(
                    f"a file below {house.NAME}, which is kept for the importer", line=entry.line
                )
            if entry.path == main:
                main = ""
            if entry.path in self._staged or self._work.order.selection.wants(entry.path):
                yield entry
        if main in self._staged:
            yield self._main_entry()
        else:
            self._staged.pop(main, None)

    def _main_entry(self) -> ManifestEntry:
        staged = self._staged[self.manifest.path]
        with staged.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        url = self._work.order.source.url
        return ManifestEntry(
            self.manifest.path,
            url=str(url),
            size=staged.stat().st_size,
            digests=(("sha256", digest),),
            is_metadata=True,
        )


@contextmanager
def fetched(work: Work) -> Iterator[Lists]:
    """Fetch the manifest and the lists that it names; raises what is wrong with them."""
    order, run = work.order, work.stopping.run
    with order.source.manifest(work.remote, order.format, work.staging, run=run) as manifest:
        lists = Lists(work, manifest)
        read_mirror_list(work.remote, run)
        yield lists
