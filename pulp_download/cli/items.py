"""What ``get`` is asked for, one URL after the other, as downloads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from pulp_download.cli.interruption import Interruption
from pulp_download.cli.report import Report
from pulp_download.download import Download
from pulp_download.errors import DownloadError, InvalidInput, WriteError
from pulp_download.files import FileWriter
from pulp_download.importer.source import Source
from pulp_download.manifests import ManifestEntry
from pulp_download.mirrors.mirror import Mirrors
from pulp_download.paths import file_name
from pulp_download.remote import Remote
from pulp_download.urls import URL, redacted
from pulp_download.validations import Validation

# Files that are fetched for the files that they list, by the end of their names.
_METALINKS = (".meta4", ".metalink")


@dataclass
class Items:
    """Turns URLs into downloads; what cannot become one is told to the report as a failed item.

    ``others`` are further places of what the one URL names, and ``validations`` hold for it: for a
    metalink's own bytes where it is one. A name is given once in a run.
    """

    into: Path
    remote: Remote
    report: Report
    interruption: Interruption
    validations: list[Validation] = field(default_factory=list)
    others: tuple[URL, ...] = ()
    _taken: set[str] = field(default_factory=set)

    def single(self, url: str, output: str) -> Iterator[Download]:
        """Yield the download of one URL to a file of the caller's choice, a metalink as it is."""
        try:
            writer = FileWriter(output, keep=True, resume=True)
            yield self._download(url, writer, name=output)
        except (InvalidInput, WriteError) as error:
            self._failed(url, error)

    def each(self, urls: Iterable[str]) -> Iterator[Download]:
        """Yield the downloads of URLs, each to the file that it names, and what metalinks list."""
        for url in urls:
            try:
                name = file_name(url)
                if name.lower().endswith(_METALINKS):
                    yield from self._listed(url)
                else:
                    self._take(name)
                    writer = FileWriter(name, within=self.into, keep=True, resume=True)
                    yield self._download(url, writer, name=name)
            except (InvalidInput, WriteError) as error:
                self._failed(url, error)

    def _download(self, url: str, writer: FileWriter, *, name: str) -> Download:
        """Return the download of one URL; raises InvalidInput for what is none."""
        return Download(
            Mirrors([url, *self.others]),
            writer,
            validations=self.validations,
            remote=self.remote,
            attachment=name,
        )

    def _listed(self, url: str) -> Iterator[Download]:
        """Fetch a metalink, and yield what it lists; a bad one is one failed item."""
        with ExitStack() as stack:
            try:
                source = Source(URL.parse(url), None, self.others)
                folder = stack.enter_context(TemporaryDirectory(prefix="pulp-download-"))
                with self.interruption.stopping(self.remote.close):
                    manifest = source.manifest(
                        self.remote, "metalink", Path(folder), validations=self.validations
                    )
                stack.enter_context(manifest)
                manifest.check()
                base = source.base_for(manifest)
            except DownloadError as error:
                self._failed(url, error)
                return
            for entry in manifest.entries():
                try:
                    self._take(entry.path)
                    writer = FileWriter(entry.path, within=self.into, keep=True, resume=True)
                    yield source.download(entry, base, writer, self.remote, attachment=entry.path)
                except (InvalidInput, WriteError) as error:
                    self._failed_entry(entry, base, error)

    def _take(self, name: str) -> None:
        if name in self._taken:
            raise WriteError("its name was given before in this run", path=name)
        self._taken.add(name)

    def _failed(self, url: str, error: DownloadError) -> None:
        path = error.path if isinstance(error, WriteError) else None
        self.report.failed_item(path, redacted(url), error)

    def _failed_entry(self, entry: ManifestEntry, base: URL, error: DownloadError) -> None:
        place = entry.places(base)[0]
        self.report.failed_item(entry.path, place.absolute.redacted, error)
