"""Places where one file can be had, as values."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from urllib.parse import unquote

from pulp_download.errors import InvalidInput, InvalidURL
from pulp_download.printable import CONTROL, is_unicode
from pulp_download.urls import URL, redacted

# RFC 5854 section 4.2.16.2: 1 is asked first; what says nothing is asked last.
LOWEST_PRIORITY = 999_999

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")


@dataclass(frozen=True, slots=True)
class Relative:
    """A URL reference below whatever base a remote has: no scheme, no host, no way upwards."""

    reference: str

    def __post_init__(self) -> None:
        path = self.reference.partition("?")[0]
        is_text = is_unicode(self.reference) and not CONTROL.search(self.reference)
        if not path or path.startswith("/") or "\\" in path or not is_text:
            raise InvalidURL(f"not an absolute URL (scheme://host/path): {self.redacted!r}")
        if any(unquote(segment) in (".", "..") for segment in path.split("/")):
            raise InvalidURL(f"a relative path may not lead upwards: {self.redacted!r}")

    def against(self, base: URL) -> URL:
        """Return the absolute URL below ``base``, which is a folder also without a final slash."""
        folder = base.path if base.path.endswith("/") else f"{base.path}/"
        below = URL(base.origin, folder, base.credentials).join(f"./{self.reference}")
        return URL(below.origin, below.target, base.credentials)

    @property
    def redacted(self) -> str:
        """The reference as it may be shown, without its query."""
        return redacted(self.reference)

    def __str__(self) -> str:
        return self.reference


@dataclass(frozen=True, slots=True)
class Mirror:
    """One place where a file can be had.

    ``url`` is absolute, or relative to the base URLs of a remote. ``priority`` is 1 for the first
    to be asked, up to 999,999; ``location`` an ISO 3166-1 country code in lower case. A mirror that
    ``is_learnt``, from a list, a metalink or an answer's fields, was named by nobody whom the
    caller trusts with secrets: it gets none, unless its origin is trusted for another reason.

    Raises InvalidInput for what cannot be meant.
    """

    url: URL | Relative
    priority: int = field(default=LOWEST_PRIORITY, kw_only=True)
    location: str | None = field(default=None, kw_only=True)
    is_learnt: bool = field(default=False, kw_only=True)

    def __init__(
        self,
        url: str | URL | Relative,
        *,
        priority: int = LOWEST_PRIORITY,
        location: str | None = None,
        is_learnt: bool = False,
    ):
        if priority is not LOWEST_PRIORITY:
            _check_priority(priority)
        fill = object.__setattr__
        fill(self, "url", located(url))
        fill(self, "priority", priority)
        fill(self, "location", None if location is None else location.lower())
        fill(self, "is_learnt", is_learnt)

    @property
    def absolute(self) -> URL:
        """The URL of a mirror that has been resolved."""
        assert isinstance(self.url, URL), "relative; a run resolves it first"
        return self.url

    def without_credentials(self) -> Mirror:
        """Return the same place without the userinfo that its URL had."""
        if not isinstance(self.url, URL) or self.url.credentials is None:
            return self
        return replace(self, url=URL(self.url.origin, self.url.target))

    def __str__(self) -> str:
        return str(self.url)


def _check_priority(priority: object) -> None:
    if isinstance(priority, bool) or not isinstance(priority, int):
        raise InvalidInput(f"a mirror's priority is a whole number, not {priority!r}")
    if not 1 <= priority <= LOWEST_PRIORITY:
        raise InvalidInput(f"a mirror's priority is 1 to {LOWEST_PRIORITY}, not {priority}")


def located(url: str | URL | Relative) -> URL | Relative:
    """Read a URL or a relative reference; raises InvalidURL, or TypeError for what is neither."""
    if isinstance(url, str):
        return URL.parse(url) if _SCHEME.match(url) else Relative(url)
    if isinstance(url, (URL, Relative)):
        return url
    raise TypeError(f"a URL is text, not a {type(url).__name__}")


class Mirrors(tuple[Mirror, ...]):
    """Where one file can be had: URLs and :class:`Mirror` values, in the order they were given.

    A value, as a ``Download``'s source; repeats of one URL count once. Raises InvalidInput where
    there is none.
    """

    __slots__ = ()

    def __new__(cls, mirrors: Iterable[str | URL | Relative | Mirror]) -> Mirrors:
        if isinstance(mirrors, (str, os.PathLike)):
            raise TypeError("mirrors is a list of URLs, even of one")
        distinct: dict[URL | Relative, Mirror] = {}
        for given in mirrors:
            mirror = given if isinstance(given, Mirror) else Mirror(given)
            distinct.setdefault(mirror.url, mirror)
        if not distinct:
            raise InvalidInput("a file needs at least one mirror")
        return super().__new__(cls, distinct.values())

    def __repr__(self) -> str:
        return f"Mirrors([{', '.join(repr(mirror.url.redacted) for mirror in self)}])"


def resolved(mirrors: Iterable[Mirror], bases: Iterable[Mirror]) -> Iterator[Mirror]:
    """Yield mirrors with absolute URLs; a relative one becomes one below each base.

    Such a one has the base's priority and location, and is learnt if either is.
    """
    below = tuple(bases)
    for mirror in mirrors:
        if isinstance(mirror.url, URL):
            yield mirror
            continue
        for base in below:
            yield Mirror(
                mirror.url.against(base.absolute),
                priority=base.priority,
                location=base.location,
                is_learnt=mirror.is_learnt or base.is_learnt,
            )
