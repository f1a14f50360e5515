"""Where a manifest comes from, and what follows for the files that it lists."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self
from urllib.parse import unquote

from pulp_download.cli.interruption import Interruption
from pulp_download.cli.transfer import connected
from pulp_download.download import Download
from pulp_download.errors import InvalidInput
from pulp_download.manifests import Manifest
from pulp_download.remote import Remote
from pulp_download.settings import Settings
from pulp_download.urls import URL, Credentials, Origin

_CHUNK = 1 << 16

# Formats whose names are relative to the repository's root, which is the folder above this one.
_ROOT_ABOVE = {"debian-packages": "/dists/"}


@dataclass(frozen=True)
class Remotes:
    """The remote for what the caller named, and one without secrets for what a manifest names.

    ``named`` are the origins of the URLs that the caller gave, with their userinfo, if any, which
    is for no other origin. ``is_own``: the list is the caller's own, and so are all its URLs.
    """

    known: Remote
    stranger: Remote
    named: Mapping[Origin, Credentials | None]
    is_own: bool

    def route(self, url: str) -> tuple[URL, Remote]:
        """Return a listed URL with the credentials for it, and the remote to fetch it through."""
        parsed = URL.parse(url)
        credentials = self.named.get(parsed.origin)
        if credentials is not None and parsed.credentials is None:
            parsed = replace(parsed, credentials=credentials)
        is_known = self.is_own or parsed.origin in self.named
        return parsed, self.known if is_known else self.stranger


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
        return "stdin" if self.url is None else unquote(self.url.path.rpartition("/")[2])

    @contextmanager
    def remotes(self, settings: Settings) -> Iterator[Remotes]:
        """Open the remotes."""
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
        named: dict[Origin, Credentials | None] = {}
        for url in (self.url, self.base):
            if url is not None:
                named[url.origin] = url.credentials or named.get(url.origin)
        with connected(settings) as known, Remote(without_secrets) as stranger:
            yield Remotes(known, stranger, named, self.is_local)

    @contextmanager
    def manifest(
        self, remotes: Remotes, format_name: str | None, interruption: Interruption
    ) -> Iterator[Manifest]:
        """Fetch the manifest, with retries, and spool it; removed at the end."""
        with (
            TemporaryDirectory(prefix="pulp-download-") as folder,
            Manifest.spool(
                self._chunks(remotes.known, Path(folder, "manifest"), interruption),
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
        if self.base is not None:
            return self.base
        if self.url is None:
            if any(entry.url is None for entry in manifest.entries()):
                raise InvalidInput("names of a manifest from stdin need --base-url")
            return URL.parse("file:///")  # for no entry
        above = _ROOT_ABOVE.get(manifest.format)
        if above is not None and above in self.url.path:
            root = self.url.path.rpartition(above)[0]
            return URL(self.url.origin, f"{root}/")
        return self.url

    def _chunks(self, remote: Remote, spool: Path, interruption: Interruption) -> Iterator[bytes]:
        if self.url is None:
            yield from iter(lambda: sys.stdin.buffer.read(_CHUNK), b"")
            return
        with interruption.stopping(remote.close):
            Download(self.url, spool, remote=remote).run()
        with spool.open("rb") as file:
            yield from iter(lambda: file.read(_CHUNK), b"")
