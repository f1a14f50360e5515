"""What the streamers beside this file serve from, and a client for them."""

from __future__ import annotations

import urllib.error
import urllib.request

from _upstream import Upstream, sha256

from pulp_download import DigestValidation, Download, NotFound, Remote


class Shelf:
    """Knows what is published, and how it is fetched: a Supplier. An Importer is one too."""

    def __init__(self, upstream: Upstream, remote: Remote):
        self.upstream = upstream
        self.remote = remote
        self.digests = {path: sha256(data) for path, data in upstream.files.items()}

    def get_download(self, path: str) -> Download:
        if path not in self.digests:
            raise NotFound(404, "not published", url=path)
        expected = [DigestValidation("sha256", self.digests[path])]
        return Download(self.upstream.url(path), remote=self.remote, validations=expected)


def fetch(url: str) -> str:
    """Return what a client gets, in a line."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return f"{answer.status}, {len(answer.read())} bytes"
    except urllib.error.HTTPError as error:
        with error:
            return error.read().decode().strip()
