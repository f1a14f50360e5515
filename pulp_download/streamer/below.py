"""A supplier of all that is below base URLs, listed or not."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from pulp_download.download import Download
from pulp_download.errors import NotFound
from pulp_download.mirrors.mirror import Mirrors, Relative
from pulp_download.remote import Remote


@dataclass(frozen=True)
class Below:
    """Supplies whatever the base URLs of ``remote`` have; all are mirrors of one another.

    Nothing lists the files, so nothing but their lengths and what upstream itself says of their
    digests is verified.
    """

    remote: Remote

    def get_download(self, path: str) -> Download:
        """Return the download of a file or, with a slash at its end, of a folder's page."""
        if path:
            return Download(Mirrors([Relative(quote(path))]), remote=self.remote)
        if not self.remote.bases.given:
            raise NotFound(404, "not listed")
        return Download(Mirrors(self.remote.bases.given), remote=self.remote)
