"""What a SOURCE of ``serve`` means: who supplies the files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pulp_download.cli.interruption import Interruption
from pulp_download.cli.mirror import importer_class
from pulp_download.cli.piped import Piped
from pulp_download.errors import InvalidURL
from pulp_download.importer.source import Source, read_mirror_list
from pulp_download.importer.stopping import Stopping
from pulp_download.remote import Remote
from pulp_download.streamer.below import Below
from pulp_download.urls import SCHEMES, URL

if TYPE_CHECKING:
    from pulp_download.streamer.supplier import Supplier


@dataclass(frozen=True)
class Sought:
    """A SOURCE, and what was said of it."""

    source: str
    format: str | None
    base_urls: tuple[str, ...]
    catalog: str | None

    @property
    def is_base(self) -> bool:
        """It is no manifest: all that is below it is served."""
        return self.format is None and "://" in self.source and self.source.endswith("/")

    @property
    def is_folder(self) -> bool:
        """It is what ``mirror`` made, or should be."""
        return self.format is None and Path(self.source).is_dir()

    @property
    def bases(self) -> tuple[str, ...]:
        """The remote's base URLs; of a manifest's, the first takes the place of its own."""
        if self.is_base:
            return (self.source, *self.base_urls)
        return self.base_urls if self.is_folder or self.catalog else self.base_urls[1:]

    def check(self) -> None:
        """Raise UsageError for what cannot be fetched, which would only show at the first request.

        What is read at the start, a manifest or a mirror list, is refused by being read.
        """
        if self.is_base and self.catalog is not None:
            raise click.UsageError("a catalog is of what a manifest lists, not of a base URL")
        for base in (*([self.source] if self.is_base else []), *self.base_urls):
            try:
                url = URL.parse(base)
            except InvalidURL as error:
                raise click.UsageError(f"base URL: {error}") from None
            if url.scheme not in SCHEMES:
                known = ", ".join(SCHEMES)
                raise click.UsageError(f"base URL: {url.redacted}: its scheme is none of {known}")


@contextmanager
def supplied(sought: Sought, remote: Remote, interruption: Interruption) -> Iterator[Supplier]:
    """Give who supplies the files; raises what is wrong with a manifest, a list or a catalog."""
    if not (sought.is_base or sought.is_folder or sought.catalog):
        yield from _published(sought, remote, interruption)
        return
    stopping = Stopping()
    with interruption.stopping(stopping.stop):
        read_mirror_list(remote, stopping.run)
    if sought.is_base:
        yield Below(remote)
        return
    importer = importer_class()
    destination, catalog = _copy(sought)
    with importer(remote, destination, catalog=catalog) as made:
        made.standing()
        yield made


def _copy(sought: Sought) -> tuple[Path, str | None]:
    """Return a mirror's folder, and the URL of its catalog if that is not in the folder."""
    if sought.is_folder or sought.catalog is None:
        return Path(sought.source), sought.catalog
    from pulp_download.importer.copies import copy_of

    return copy_of(Source.parse(sought.source, format_name=sought.format), sought.catalog)


def _published(sought: Sought, remote: Remote, interruption: Interruption) -> Iterator[Supplier]:
    importer_class()  # or say what is missing
    from pulp_download.importer.publication import published

    base = sought.base_urls[0] if sought.base_urls else None
    source = Source.parse(sought.source, base, format_name=sought.format)
    source = replace(source, stdin=Piped(interruption))
    stopping = Stopping()
    with ExitStack() as stack:
        with interruption.stopping(stopping.stop):
            listing = published(remote, source, format=sought.format, stopping=stopping)
            publication = stack.enter_context(listing)
        yield publication
