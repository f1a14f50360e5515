"""Bringing a folder up to date with what an upstream lists."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

from pulp_download.download import Download
from pulp_download.errors import CatalogError, NotFound
from pulp_download.importer.catalog import Catalog, is_made
from pulp_download.importer.house import House
from pulp_download.importer.lists import Lists, fetched
from pulp_download.importer.order import Order
from pulp_download.importer.recorder import is_as_recorded
from pulp_download.importer.rehearsal import rehearsed
from pulp_download.importer.repository import Repository, Standing
from pulp_download.importer.selection import EVERYTHING, Selection
from pulp_download.importer.source import Source, validations_of
from pulp_download.importer.stopping import Stopping
from pulp_download.importer.synchronisation import synchronised
from pulp_download.importer.telling import Observer, Teller
from pulp_download.importer.work import Summary, Work
from pulp_download.printable import printable
from pulp_download.remote import Remote
from pulp_download.urls import URL


class Importer:
    """Keeps ``destination`` as upstreams list it, with a catalog of what is there.

    ::

        with Remote() as remote, Importer(remote, "mirror") as importer:
            summary = importer.sync("https://host/pub/SHA256SUMS")

    ``catalog`` is the URL of a database or an open :class:`Catalog`, which stays the caller's;
    without one it is a SQLite file in the destination. Thread-safe, but one :meth:`sync` at a time;
    :meth:`get_download` may be asked meanwhile. Raises CatalogError and WriteError.
    """

    def __init__(
        self,
        remote: Remote,
        destination: str | os.PathLike[str],
        *,
        catalog: str | Catalog | None = None,
        concurrency: int = 8,
    ):
        self.remote = remote
        self.destination = Path(destination)
        self._house = House(self.destination)
        self._given = catalog
        self._concurrency = concurrency
        self._lock = threading.Lock()
        self._stopping = Stopping()
        self._owned = ExitStack()
        self._repository: Repository | None = None

    def sync(
        self,
        source: str | Source,
        *,
        format: str | None = None,
        selection: Selection = EVERYTHING,
        verify: bool = False,
        delete_extra: bool = False,
        dry_run: bool = False,
        observer: Observer | None = None,
    ) -> Summary:
        """Fetch what ``source`` lists and the destination lacks, and tell what it came to.

        ``source`` is the URL or path of a manifest; ``verify`` reads all files anew, in place of
        trusting what has its recorded size, time and inode; ``delete_extra`` deletes what no source
        lists, once all that is listed is there; ``dry_run`` fetches the lists alone, changes
        nothing, and tells what would be done. Lists that belong to the repository are published
        behind the files, and only if none failed. Failures of files are in the summary and told to
        the observer; raised are those of the manifest (then the catalog is as before), of the
        catalog, DestinationBusy, and Cancelled after :meth:`stop`.
        """
        if isinstance(source, str):
            source = Source.parse(source, format_name=format)
        order = Order(source, format, selection, verify=verify, delete_extra=delete_extra)
        with self._stopping.answered():
            return (self._rehearsed if dry_run else self._synchronised)(order, observer)

    def get_download(self, path: str) -> Download:
        """Return the download of a listed file: from upstream, or from here if it is there.

        It has no writer: ``iter_content()`` opens it. Raises NotFound for what is not listed.
        """
        artifact = self.repository.artifact(path)
        if artifact is None:
            raise NotFound(404, "not listed", url=path)
        if is_as_recorded(self.destination, artifact):
            here = URL.parse((self.destination.absolute() / path).as_uri())
            expected = validations_of(artifact.entry)
            return Download(here, validations=expected, remote=self.remote, attachment=artifact)
        listed_by = self.repository.listed_by(artifact.source_key)
        source, base = Source.parse(listed_by.url), URL.parse(listed_by.base)
        return source.download(artifact.entry, base, None, self.remote, attachment=artifact)

    @property
    def repository(self) -> Repository:
        """What the catalog knows of the destination; opens the catalog if it is not yet open."""
        with self._lock:
            if self._repository is None:
                catalog = self._owned.enter_context(self._catalog())
                self._repository = Repository(catalog, self._name)
            return self._repository

    def standing(self) -> Standing:
        """Return what the catalog knows; raises CatalogError where none has been made."""
        if not self._is_made:
            raise CatalogError(f"{printable(str(self.destination))}: no mirror has been made here")
        return self.repository.standing()

    def stop(self) -> None:
        """Have the :meth:`sync` that runs, or the next one, raise Cancelled; from any thread."""
        self._stopping.stop()

    def close(self) -> None:
        """Close the catalog, if it is the importer's own; a second call does nothing."""
        with self._lock:
            self._repository = None
            self._owned.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _synchronised(self, order: Order, observer: Observer | None) -> Summary:
        with ExitStack() as stack:
            keep = stack.enter_context(self._house.provisional())
            staging = stack.enter_context(self._house.staging())
            lists = stack.enter_context(self._fetched(order, staging))
            keep()
            return synchronised(self._work(order, lists, self.repository, observer))

    def _rehearsed(self, order: Order, observer: Observer | None) -> Summary:
        with ExitStack() as stack:
            if self._house.exists:
                stack.enter_context(self._house.locked())
            folder = stack.enter_context(TemporaryDirectory(prefix="pulp-download-"))
            lists = stack.enter_context(self._fetched(order, Path(folder)))
            catalog = stack.enter_context(self._rehearsed_catalog())
            stack.enter_context(catalog.rehearsing())
            repository = Repository(catalog, self._name)
            return rehearsed(self._work(order, lists, repository, observer))

    def _fetched(self, order: Order, staging: Path) -> AbstractContextManager[Lists]:
        return fetched(order, self.remote, self.destination, staging, self._stopping)

    def _work(
        self, order: Order, lists: Lists, repository: Repository, observer: Observer | None
    ) -> Work:
        return Work(
            order=order,
            lists=lists,
            remote=self.remote,
            destination=self.destination,
            repository=repository,
            concurrency=self._concurrency,
            tell=Teller(observer),
            stopping=self._stopping,
        )

    @contextmanager
    def _catalog(self) -> Iterator[Catalog]:
        """Give the catalog; one that is not the caller's is closed at the end."""
        if isinstance(self._given, Catalog):
            yield self._given
        elif self._given is not None:
            with Catalog(self._given) as catalog:
                yield catalog
        else:
            self._house.make()
            with Catalog.in_file(self._house.catalog) as catalog:
                yield catalog

    @contextmanager
    def _rehearsed_catalog(self) -> Iterator[Catalog]:
        """Give the catalog, or where none has been made one that vanishes."""
        if self._is_made:
            with self._catalog() as catalog:
                yield catalog
        else:
            with Catalog.passing() as catalog:
                yield catalog

    @property
    def _is_made(self) -> bool:
        """Tell whether there is a catalog that opening it would not make; a server may have one."""
        if isinstance(self._given, Catalog):
            return True
        if self._given is not None:
            return is_made(self._given)
        return self._house.exists and self._house.catalog.exists()

    @property
    def _name(self) -> str:
        """The destination's name in the catalog: in one of its own none that moving it changes."""
        return "." if self._given is None else os.path.realpath(self.destination)
