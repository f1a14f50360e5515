"""The base URLs of a remote: those that were given, and those of its mirror list, read once."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from copy import copy

from pulp_download.errors import DownloadError
from pulp_download.mirrors.mirror import Mirror
from pulp_download.urls import URL

# Seconds for which a list that could not be read is not asked for again by the next download.
_BAD_FOR = 30.0


class Bases:
    """What relative sources are below. Thread-safe; the reading is done by whoever claims it.

    ``place`` is where the mirror list is, or None. Bases of the list come behind the given ones.
    """

    def __init__(self, given: Sequence[Mirror], place: Mirror | None, variables: Mapping[str, str]):
        self.place = place
        self.given = tuple(given)
        self._variables = variables
        self._lock = threading.Lock()
        self._is_claimed = False
        self._failure: tuple[float, DownloadError] | None = None
        self.known: tuple[Mirror, ...] | None = self.given if place is None else None

    @property
    def are_there(self) -> bool:
        """There is something to resolve relative sources against, or a list of it."""
        return bool(self.given) or self.place is not None

    def claim(self) -> bool:
        """Tell whether the caller shall read the list now; raises why it cannot be read of late."""
        with self._lock:
            if self._failure is not None:
                moment, error = self._failure
                if time.monotonic() - moment < _BAD_FOR:
                    raise copy(error)
                self._failure = None
            if self._is_claimed or self.known is not None:
                return False
            self._is_claimed = True
            return True

    def learn(self, document: bytes) -> None:
        """Take the list that was read; raises ManifestError."""
        from pulp_download.mirrors import mirror_list  # parsers that few programs ever need

        assert self.place is not None
        is_local = self.place.absolute.scheme == "file"
        listed = mirror_list.parse(document, local=is_local, variables=self._variables)
        given = {mirror.url for mirror in self.given}
        self.known = (*self.given, *(mirror for mirror in listed if mirror.url not in given))

    def failed(self, error: BaseException) -> None:
        """Give the claim back, because of this error."""
        with self._lock:
            self._is_claimed = False
            if isinstance(error, DownloadError) and not error.final:
                self._failure = (time.monotonic(), error.without_frames())


def as_bases(base_urls: Sequence[str], listed: str | None, variables: Mapping[str, str]) -> Bases:
    """Return the bases that settings describe."""
    given = [Mirror(_folder(URL.parse(text))) for text in base_urls]
    return Bases(given, None if listed is None else Mirror(listed), variables)


def _folder(url: URL) -> URL:
    path = url.path if url.path.endswith("/") else f"{url.path}/"
    return URL(url.origin, path, url.credentials)
