"""Where a manifest comes from, and what follows for the files that it lists."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self
from urllib.parse import quote, unquote

from pulp_download.cli.interruption import Interruption
from pulp_download.download import Download
from pulp_download.errors import InvalidInput, InvalidURL, ManifestError
from pulp_download.files import FileWriter
from pulp_download.manifests import Manifest, ManifestEntry
from pulp_download.mirrors.mirror import Mirror, Mirrors, Relative
from pulp_download.remote import Remote
from pulp_download.urls import URL, Credentials, Origin
from pulp_download.validations import DigestValidation, SizeValidation, Validation
from pulp_download.writers import MemoryWriter

_CHUNK = 1 << 16

# Formats whose names are relative to the repository's root, which is the folder above this one.
_ROOT_ABOVE = {"debian-packages": "/dists/"}

# Formats whose entries are links, of which some may lead nowhere from a base that is a local file.
_LINKING = frozenset({"pypi"})


@dataclass(frozen=True)
class Source:
    """A manifest's place: a URL, or None for stdin; and the caller's own base URL, if any.

    ``others`` are further places of the manifest that the caller knows.
    """

    url: URL | None
    base: URL | None
    others: tuple[URL, ...] = ()

    @classmethod
    def parse(cls, source: str, base_url: str | None) -> Self:
        """Read the command's arguments: a URL, a path, or ``-``; raises InvalidInput."""
        base = None
        if base_url is not None:
            base = URL.parse(base_url if base_url.endswith("/") else f"{base_url}/")
        if source == "-":
            return cls(None, base)
        text = source if "://" in source else Path(source).absolute().as_uri()
        return cls(URL.parse(text), base)

    @property
    def is_local(self) -> bool:
        """The list is the caller's own file, or was piped in."""
        return self.url is None or self.url.scheme == "file"

    @property
    def name(self) -> str:
        """The manifest's file name, by which its format may be known."""
        return "stdin" if self.url is None else unquote(self.url.path.rpartition("/")[2])

    @cached_property
    def _named(self) -> dict[Origin, Credentials | None]:
        """The origins of the URLs that the caller gave, with the userinfo that each had."""
        named: dict[Origin, Credentials | None] = {}
        for url in (self.url, *self.others, self.base):
            if url is not None:
                named[url.origin] = url.credentials or named.get(url.origin)
        return named

    @contextmanager
    def manifest(
        self,
        remote: Remote,
        format_name: str | None,
        interruption: Interruption,
        *,
        validations: Sequence[Validation] = (),
    ) -> Iterator[Manifest]:
        """Fetch the manifest, with retries, and spool it; removed at the end.

        ``validations`` are what must hold for the manifest itself.
        """
        get = partial(self._chunks, remote, interruption, validations)
        with (
            TemporaryDirectory(prefix="pulp-download-") as folder,
            Manifest.spool(
                get(Path(folder, "manifest")),
                name=self.name,
                format=format_name,
                local=self.is_local,
            ) as manifest,
        ):
            yield manifest

    def base_for(self, manifest: Manifest) -> URL:
        """Return what the relative names of this manifest are resolved against.

        Raises InvalidInput where it has such names and nothing to resolve them against.
        """
        base = self._base_for(manifest)
        if manifest.format in _LINKING:
            for entry in manifest.entries():
                try:
                    entry.places(base)
                except InvalidURL as error:
                    reason = f"line {entry.line}: {error.reason}; is it --base-url that is missing?"
                    raise InvalidURL(reason) from None
        return base

    def _base_for(self, manifest: Manifest) -> URL:
        if self.base is not None:
            return self.base
        if self.url is None:
            if any(entry.is_relative for entry in manifest.entries()):
                raise InvalidInput("names of a manifest from stdin need --base-url")
            return URL.parse("file:///")  # for no entry
        above = _ROOT_ABOVE.get(manifest.format)
        if above is not None and above in self.url.path:
            root = self.url.path.rpartition(above)[0]
            return URL(self.url.origin, f"{root}/")
        return self.url

    def download(self, entry: ManifestEntry, base: URL, into: Path, remote: Remote) -> Download:
        """Return the download of a listed file, below ``into``."""
        places = [self._place(mirror) for mirror in entry.places(base)]
        # Other places have the same paths below them, but a link's is not that of the file.
        if entry.is_relative and entry.reference is None and remote.bases.are_there:
            places.append(Mirror(Relative(quote(entry.path))))
        return Download(
            Mirrors(places),
            FileWriter(entry.path, within=into, keep=True, resume=True),
            validations=_validations(entry),
            remote=remote,
            attachment=entry.path,
        )

    def _place(self, mirror: Mirror) -> Mirror:
        """Return a listed place, with the credentials for it if it is to get any.

        What the caller named gets the caller's secrets; so does what a list of the caller's own
        names, unless the list says that it was learnt, as metalinks always do.
        """
        url = mirror.absolute
        credentials = self._named.get(url.origin)
        if credentials is not None and url.credentials is None:
            url = replace(url, credentials=credentials)
        is_learnt = (mirror.is_learnt or not self.is_local) and url.origin not in self._named
        return replace(mirror, url=url, is_learnt=is_learnt)

    def _chunks(
        self,
        remote: Remote,
        interruption: Interruption,
        validations: Sequence[Validation],
        spool: Path,
    ) -> Iterator[bytes]:
        if self.url is None:
            yield from iter(lambda: sys.stdin.buffer.read(_CHUNK), b"")
            return
        with interruption.stopping(remote.close):
            places = Mirrors([self.url, *self.others])
            Download(places, spool, validations=validations, remote=remote).run()
        with spool.open("rb") as file:
            yield from iter(lambda: file.read(_CHUNK), b"")


def read_mirror_list(remote: Remote, interruption: Interruption) -> None:
    """Read the remote's mirror list now, if it has one, so that a bad one is refused as a whole."""
    bases = remote.bases
    if bases.place is None:
        return
    document = MemoryWriter()
    with interruption.stopping(remote.close):
        Download(Mirrors([bases.place]), document, remote=remote).run()
    try:
        bases.learn(document.getvalue())
    except ManifestError as error:
        raise error.at(bases.place.url.redacted) from None


def _validations(entry: ManifestEntry) -> list[Validation]:
    """Return all that the manifest says must hold for a file."""
    validations: list[Validation] = [DigestValidation(*digest) for digest in entry.digests]
    if entry.size is not None:
        validations.append(SizeValidation(entry.size))
    if entry.pieces is not None:
        validations.append(entry.pieces)
    return validations
