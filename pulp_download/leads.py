"""What the answers to a run say about other places of its file (RFC 6249)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pulp_download.asking import Opened, headers_of
from pulp_download.errors import DownloadError
from pulp_download.mirrors.links import links
from pulp_download.mirrors.mirror import Mirror
from pulp_download.urls import URL
from pulp_download.validations import Validation, expected_size, judges_content

# From which scheme a lead may go to which: never from TLS to what anybody may read on the way.
_ALLOWED = {
    "https": frozenset({"https", "ftps"}),
    "http": frozenset({"http", "https", "ftp", "ftps"}),
}
_CHUNK = 65_536


class Leads:
    """Places that answers named, and that nobody has been told of yet. State of one run.

    They are heard only where the caller expects a digest: whoever answers may name any place, and
    what comes from there is judged by nothing else. ``metalink`` is the URL of a document that
    would name more.
    """

    __slots__ = ("_is_heard", "_new", "_validations", "metalink")

    def __init__(self, validations: Sequence[Validation]):
        self._validations = validations
        self._is_heard = not judges_content(validations)
        self._new: list[Mirror] = []
        self.metalink: Mirror | None = None

    def hear(self, opened: Opened) -> None:
        """Listen to an answer; the first one that names places counts."""
        if self._is_heard or opened.header("link") is None:
            return
        self._is_heard = True
        found = links(headers_of(opened.fields).getlist("link"), opened.url)
        self._new += (mirror for mirror in found.mirrors if _may_lead(opened.url, mirror))
        if found.metalink is not None:
            described = Mirror(found.metalink, is_learnt=True)
            self.metalink = described if _may_lead(opened.url, described) else None

    def read(self, document: bytes, name: str) -> None:
        """Take what a metalink says of the file of this name; of nonsense nothing."""
        from pulp_download.mirrors import metalink  # an XML parser that few programs ever need

        assert self.metalink is not None
        here, self.metalink = self.metalink.absolute, None
        size = expected_size(self._validations)
        try:
            files = list(metalink.parse(_chunks(document)))
        except DownloadError:
            return
        for file in files:
            is_it = len(files) == 1 or file.name.rpartition("/")[2] == name
            if is_it and (size is None or file.size in (None, size)):
                absolute = (mirror for mirror in file.mirrors if isinstance(mirror.url, URL))
                self._new += (mirror for mirror in absolute if _may_lead(here, mirror))

    def take(self, known: Iterable[Mirror]) -> tuple[Mirror, ...]:
        """Return the places that are new, and forget them."""
        there = {mirror.url for mirror in known}
        new, self._new = self._new, []
        return tuple({m.url: m for m in new if m.url not in there}.values())


def _may_lead(here: URL, mirror: Mirror) -> bool:
    return mirror.absolute.scheme in _ALLOWED.get(here.scheme, ())


def _chunks(document: bytes) -> Iterable[bytes]:
    return (document[at : at + _CHUNK] for at in range(0, len(document), _CHUNK))
