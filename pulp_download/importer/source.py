"""Where a manifest comes from, and what follows for the files that it lists."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Protocol, Self
from urllib.parse import quote, unquote

from pulp_download.download import Download
from pulp_download.errors import InvalidInput, InvalidURL, ManifestError
from pulp_download.manifests import Manifest, ManifestEntry
from pulp_download.mirrors.mirror import Mirror, Mirrors, Relative
from pulp_download.remote import Remote
from pulp_download.urls import URL, Credentials, Origin
from pulp_download.validations import DigestValidation, SizeValidation, Validation
from pulp_download.writers import MemoryWriter, Writer

_CHUNK = 1 << 16

# Where the manifest of an RPM repository is, below its root.
_REPOMD = "repodata/repomd.xml"

# Formats whose entries are links, of which some may lead nowhere from a base that is a local file.
_LINKING = frozenset({"pypi"})


class Readable(Protocol):
    """What a manifest can be read from."""

    def read(self, size: int = ..., /) -> bytes:
        """Return some bytes, none at the end."""


@dataclass(frozen=True)
class Source:
    """A manifest's place: a URL, or None for stdin; and the caller's own base URL, if any.

    ``others`` are further places of the manifest that the caller knows; ``stdin`` is read in the
    place of the process's own.
    """

    url: URL | None
    base: URL | None
    others: tuple[URL, ...] = ()
    stdin: Readable | None = None

    @classmethod
    def parse(
        cls, source: str, base_url: str | None = None, *, format_name: str | None = None
    ) -> Self:
        """Read a URL, a path, or ``-``; raises InvalidInput.

        With the format ``rpm`` the repository's root will do.
        """
        base = None
        if base_url is not None:
            base = URL.parse(base_url if base_url.endswith("/") else f"{base_url}/")
        if source == "-":
            return cls(None, base)
        text = source if "://" in source else Path(source).absolute().as_uri()
        url = URL.parse(text)
        if format_name == "rpm" and ".xml" not in url.path.rpartition("/")[2]:
            path, mark, query = url.target.partition("?")
            url = replace(url, target=f"{path.rstrip('/')}/{_REPOMD}{mark}{query}")
        return cls(url, base)

    @property
    def is_local(self) -> bool:
        """The list is the caller's own file, or was piped in."""
        return self.url is None or self.url.scheme == "file"

    @property
    def path(self) -> str:
        """The path of the manifest's URL, whose last part may tell the format."""
        return "stdin" if self.url is None else unquote(self.url.path)

    @cached_property
    def _named(self) -> dict[Origin, Credentials | None]:
        """The origins of the URLs that the caller gave, with the userinfo that each had."""
        named: dict[Origin, Credentials | None] = {}
        for url in (self.url, *self.others, self.base):
            if url is not None:
                named[url.origin] = url.credentials or named.get(url.origin)
        return named

    def manifest(
        self,
        remote: Remote,
        format_name: str | None,
        folder: Path,
        *,
        validations: Sequence[Validation] = (),
        run: Callable[[Download], object] = Download.run,
    ) -> Manifest:
        """Fetch the manifest into ``folder``, with retries; the caller closes it.

        ``validations`` are what must hold for the manifest itself; ``run`` is what runs a download.
        """
        staged = folder / "manifest"
        if self.url is None:
            with staged.open("wb") as spool:
                shutil.copyfileobj(self.stdin or sys.stdin.buffer, spool, _CHUNK)
        else:
            places = Mirrors([self.url, *self.others])
            run(Download(places, staged, validations=validations, remote=remote))
        file = staged.open("rb")
        try:
            return Manifest(file, name=self.path, format=format_name, local=self.is_local)
        except BaseException:
            file.close()
            raise

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
        return self.root_of(manifest)

    def root_of(self, manifest: Manifest) -> URL:
        """Return the root of the repository; for formats without one, the manifest's own URL."""
        if self.base is not None:
            return self.base
        assert self.url is not None
        below = manifest.path.count("/")
        if not below:
            return self.url
        root = self.url.path.rsplit("/", below + 1)[0]
        return URL(self.url.origin, f"{root}/")

    def download(
        self,
        entry: ManifestEntry,
        base: URL,
        writer: Writer | None,
        remote: Remote,
        *,
        attachment: object,
    ) -> Download:
        """Return the download of a listed file."""
        places = [self._place(mirror) for mirror in entry.places(base)]
        # Other places have the same paths below them, but a link's is not that of the file.
        if entry.is_relative and entry.reference is None and remote.bases.are_there:
            places.append(Mirror(Relative(quote(entry.path))))
        return Download(
            Mirrors(places),
            writer,
            validations=validations_of(entry),
            remote=remote,
            attachment=attachment,
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
        if url is mirror.url and is_learnt is mirror.is_learnt:
            return mirror
        return replace(mirror, url=url, is_learnt=is_learnt)


def read_mirror_list(remote: Remote, run: Callable[[Download], object] = Download.run) -> None:
    """Read the remote's mirror list now, if it has one, so that a bad one is refused as a whole."""
    bases = remote.bases
    if bases.place is None:
        return
    document = MemoryWriter()
    run(Download(Mirrors([bases.place]), document, remote=remote))
    try:
        bases.learn(document.getvalue())
    except ManifestError as error:
        raise error.at(bases.place.url.redacted) from None


def validations_of(entry: ManifestEntry) -> list[Validation]:
    """Return all that the manifest says must hold for a file."""
    validations: list[Validation] = [DigestValidation(*digest) for digest in entry.digests]
    if entry.size is not None:
        validations.append(SizeValidation(entry.size))
    if entry.pieces is not None:
        validations.append(entry.pieces)
    return validations
