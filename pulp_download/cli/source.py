"""Where a manifest comes from, and what follows for the files that it lists."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

from pulp_download.download import Download
from pulp_download.errors import InvalidInput
from pulp_download.manifests import Manifest
from pulp_download.remote import Remote
from pulp_download.settings import Settings
from pulp_download.urls import URL, Origin

_CHUNK = 1 << 16

# Formats whose names are relative to the repository's root, which is the folder above this one.
_ROOT_ABOVE = {"debian-packages": "/dists/"}

# Formats that name every file by an absolute URL.
_ABSOLUTE = frozenset({"urls", "jsonl"})


@dataclass(frozen=True)
class Remotes:
    """The remote for what the caller named, and one without secrets for what a manifest names."""

    known: Remote
    stranger: Remote
    origins: frozenset[Origin] | None  # None: the list is the caller's own, and so are its URLs

    def of(self, url: str) -> Remote:
        """Return the remote that a listed URL is fetched through."""
        if self.origins is None or URL.parse(url).origin in self.origins:
            return self.known
        return self.stranger


@dataclass(frozen=True)
class Source:
    """A manifest's place: a URL, or None for stdin; and the caller's own base URL, if any."""

    url: URL | None
    base: URL | None

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
        return "stdin" if self.url is None else self.url.path.rpartition("/")[2]

    @contextmanager
    def remotes(self, settings: Settings) -> Iterator[Remotes]:
        """Open the remotes; a userinfo of SOURCE counts as --username and its password."""
        credentials = self.url.credentials if self.url is not None else None
        if credentials is not None and settings.username is None and settings.token is None:
            settings = replace(settings, username=credentials[0], password=credentials[1])
        without_secrets = replace(
            settings,
            username=None,
            password=None,
            token=None,
            netrc=False,
            headers=(),
            client_cert=None,
            client_key=None,
        )
        named = frozenset(url.origin for url in (self.url, self.base) if url is not None)
        with Remote(settings) as known, Remote(without_secrets) as stranger:
            yield Remotes(known, stranger, None if self.is_local else named)

    @contextmanager
    def manifest(self, remotes: Remotes, format_name: str | None) -> Iterator[Manifest]:
        """Fetch the manifest, with retries, and spool it; removed at the end."""
        with (
            TemporaryDirectory(prefix="pulp-download-") as folder,
            Manifest.spool(
                self._chunks(remotes.known, Path(folder, "manifest")),
                name=self.name,
                format=format_name,
                local=self.is_local,
            ) as manifest,
        ):
            yield manifest

    def base_for(self, format_name: str) -> URL:
        """Return what the relative names of a manifest in this format are resolved against."""
        if self.base is not None:
            return self.base
        if self.url is None:
            if format_name in _ABSOLUTE:
                return URL.parse("file:///")
            raise InvalidInput("names of a manifest from stdin need --base-url")
        above = _ROOT_ABOVE.get(format_name)
        if above is not None and above in self.url.path:
            root = self.url.path.partition(above)[0]
            return URL(self.url.origin, f"{root}/")
        return self.url

    def _chunks(self, remote: Remote, spool: Path) -> Iterator[bytes]:
        if self.url is None:
            yield from iter(lambda: sys.stdin.buffer.read(_CHUNK), b"")
            return
        Download(self.url, spool, remote=remote).run()
        with spool.open("rb") as file:
            yield from iter(lambda: file.read(_CHUNK), b"")
