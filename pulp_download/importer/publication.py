"""What a source lists, to be had file by file; there is no destination."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from pulp_download.download import Download
from pulp_download.errors import NotFound
from pulp_download.importer.artifact import Artifact
from pulp_download.importer.catalog import Catalog
from pulp_download.importer.lists import Lists, fetched
from pulp_download.importer.order import Order
from pulp_download.importer.page import page_of
from pulp_download.importer.repository import Repository
from pulp_download.importer.selection import EVERYTHING
from pulp_download.importer.source import Source, validations_of
from pulp_download.importer.stopping import Stopping
from pulp_download.manifests import ManifestEntry
from pulp_download.remote import Remote
from pulp_download.result import Result
from pulp_download.statuses import modified
from pulp_download.urls import URL

# Where clients of a Python index look for a page; it is no file's path, so it hides none.
_ROOT = ""
# The time of a file whose time is not known; see adapters.file.
_UNKNOWN = (0, 0)


class Publication:
    """What a source listed at one moment; made by :func:`published`. Thread-safe.

    The lists are answered as they were read, from a temporary folder, for upstream may have other
    ones by now; all else is fetched from upstream, and nothing of it is kept.
    """

    def __init__(
        self,
        remote: Remote,
        source: Source,
        base: URL,
        lists: Mapping[str, Path],
        repository: Repository,
        root: Path | None,
    ):
        self.remote = remote
        self._source = source
        self._base = base
        self._lists = lists
        self._repository = repository
        self._root = root

    def get_download(self, path: str) -> Download:
        """Return the download of a listed file; ``""`` is the page that Python's clients read.

        It has no writer: ``iter_content()`` opens it. Raises NotFound for what is not listed.
        """
        if path == _ROOT and self._root is not None:
            return Download(URL.parse(self._root.as_uri()), remote=self.remote)
        artifact = self._repository.artifact(path)
        if artifact is None:
            raise NotFound(404, "not listed", url=path)
        if path in self._lists:
            return self._as_read(artifact, self._lists[path])
        return self._source.download(
            artifact.entry, self._base, None, self.remote, attachment=artifact
        )

    def _as_read(self, artifact: Artifact, place: Path) -> Download:
        return Download(
            URL.parse(place.as_uri()),
            validations=validations_of(artifact.entry),
            remote=self.remote,
            attachment=artifact,
        )


@contextmanager
def published(
    remote: Remote, source: Source, *, format: str | None = None, stopping: Stopping | None = None
) -> Iterator[Publication]:
    """Read what ``source`` lists, and give it as a publication until the block ends.

    Memory is flat in the number of files: what is listed is in a database in ``TMPDIR`` meanwhile,
    with the lists. Raises what is wrong with these (ManifestError, TransferError), WriteError,
    CatalogError, and Cancelled when ``stopping`` was asked to.
    """
    stopping = Stopping() if stopping is None else stopping
    order = Order(source, format, EVERYTHING)
    with ExitStack() as stack:
        # absolute, for its files become URLs
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="pulp-download-"))).absolute()
        noting = _Noting(stopping)
        lists = stack.enter_context(fetched(order, remote, folder / "none", folder, noting))
        catalog = stack.enter_context(Catalog.in_file(folder / "catalog.sqlite"))
        repository = Repository(catalog, ".")
        key = repository.source(lists.listed_by)
        named = _Named(lists, folder / "lists", noting.times)
        repository.take(key, named.entries(), wants=lists.wants)
        root = None
        if lists.manifest.format == "pypi":
            root = folder / "index.html"
            with root.open("wb") as file:
                file.writelines(page_of(repository.artifacts(key)))
            os.utime(root, _UNKNOWN)
        yield Publication(remote, source, lists.base, named.places, repository, root)


class _Noting(Stopping):
    """Runs what another one does, and notes the times that upstream told, by the files' paths."""

    def __init__(self, stopping: Stopping):
        super().__init__()
        self._stopping = stopping
        self.times: dict[Path | None, float | None] = {}

    def run(self, download: Download) -> Result:
        result = self._stopping.run(download)
        self.times[result.path] = modified(result.headers.get("last-modified"))
        return result


class _Named:
    """Lists under their own names, which tell their types, and with upstream's times."""

    def __init__(self, lists: Lists, folder: Path, times: Mapping[Path | None, float | None]):
        self._lists = lists
        self._folder = folder
        self._times = times
        self.places: dict[str, Path] = {}

    def entries(self) -> Iterator[ManifestEntry]:
        """Yield what is to be listed; at the end all the lists have their places."""
        for entry in self._lists.entries():
            staged = self._lists.staged(entry.path)
            if staged is not None:
                self.places[entry.path] = self._place(staged, entry.path)
            yield entry

    def _place(self, staged: Path, path: str) -> Path:
        place = self._folder / str(len(self.places)) / Path(path).name
        place.parent.mkdir(parents=True)
        staged.rename(place)
        time = self._times.get(staged)
        os.utime(place, _UNKNOWN if time is None else (time, time))
        return place
