"""One listed file, as a value."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from urllib.parse import quote

from pulp_download.manifests.reference import Reference
from pulp_download.mirrors.mirror import Mirror, Relative
from pulp_download.pieces import Pieces
from pulp_download.urls import URL

# A path that quote() would leave as it is, and takes ten times as long to see.
_PLAIN = re.compile(r"[A-Za-z0-9_.~/-]*")


@dataclass(frozen=True, slots=True)
class ManifestEntry:
    """One file that a manifest lists.

    ``path`` is relative and has passed :func:`~pulp_download.urls.safe_path`: it may be written
    below a destination. ``url`` is the absolute URL if the manifest names one, as it stands there;
    it may hold userinfo, so ``repr`` leaves it out. ``digests`` are pairs of hashlib's name for
    the algorithm and lower-case hexadecimal. ``line`` counts from 1; an entry of several lines
    has the number of its first.

    ``mirrors`` are the places where the file can be had, if the manifest tells them: absolute, or
    relative to the manifest's folder; ``pieces`` the digests of its parts. See :meth:`places`.

    ``reference`` is the place as a page's link names it, which may lead upwards from the manifest's
    own URL; where there is one, ``path`` is only the file's name.

    ``lists`` is the format of a file that is a list itself, whose entries belong to the manifest;
    one that ``is_metadata`` describes other files, and is of no use before they are there.
    """

    path: str
    url: str | None = field(default=None, repr=False)
    size: int | None = None
    digests: tuple[tuple[str, str], ...] = ()
    line: int = 0
    mirrors: tuple[Mirror, ...] = ()
    pieces: Pieces | None = None
    lists: str | None = None
    is_metadata: bool = False
    reference: Reference | None = field(default=None, repr=False)

    @property
    def is_relative(self) -> bool:
        """A base is needed to know where the file can be had."""
        if self.mirrors:
            return any(isinstance(mirror.url, Relative) for mirror in self.mirrors)
        if self.reference is not None:
            return not self.reference.is_absolute
        return self.url is None

    def places(self, base: URL) -> tuple[Mirror, ...]:
        """Return where the file can be had: its absolute mirrors, or its only source as one.

        What is relative is resolved against ``base``'s folder, as in :meth:`source`, which also
        tells what is raised.
        """
        if not self.mirrors:
            return (Mirror(self._only(base)),)
        folder = URL(base.origin, f"{base.path.rpartition('/')[0]}/")
        return tuple(
            replace(mirror, url=mirror.url.against(folder))
            if isinstance(mirror.url, Relative)
            else mirror
            for mirror in self.mirrors
        )

    def source(self, base: URL) -> str:
        """Return the absolute URL of the file; ``path`` is resolved against ``base``'s folder.

        The folder is what stands before the last ``/`` of the base's path (RFC 3986 section
        5.2.3); its query and credentials are not carried over. Every character of the path but
        the unreserved ones is percent-encoded, so that ``50%.rpm``, ``a b#c?.rpm`` and ``a:b``
        mean these files and nothing else (``+`` too: some servers read it as a space).

        A ``reference`` is resolved against ``base`` as it is, by the whole of that section; raises
        InvalidURL where it then leads to no server, which only a ``file:`` base can make of it.
        """
        return str(self._only(base))

    def _only(self, base: URL) -> URL | str:
        if self.reference is not None:
            return str(self.reference.against(base))
        if self.url is not None:
            return self.url
        folder = base.path.rpartition("/")[0]
        name = self.path if _PLAIN.fullmatch(self.path) else quote(self.path)
        return URL(base.origin, f"{folder}/{name}")
