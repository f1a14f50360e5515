"""Where a page says that a file is, as a value."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pulp_download.errors import InvalidURL
from pulp_download.urls import URL, redacted

# What a page may lead to: the local files are no page's business.
_SCHEMES = frozenset({"http", "https", "ftp", "ftps"})

_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")

# What is wrong with a reference shows against these; both are folders, as an index's pages are.
_SAMPLES = (URL.parse("https://host/a/b/"), URL.parse("ftp://host/a/b/"))


@dataclass(frozen=True, slots=True, repr=False)
class Reference:
    """A link's target: absolute, or relative to the page's own URL in any way that a URL can be.

    ``../../packages/x``, ``/packages/x`` and ``//host/x`` are all right, for it leads to a server
    and never to a local path. ``base`` is what the page itself says to resolve it against
    (``<base href>``), absolute or relative again.

    Raises InvalidURL for what leads to no file of a server: another scheme (``file:``), a folder,
    a malformed URL.
    """

    text: str
    base: str | None = None

    def __post_init__(self) -> None:
        for sample in _SAMPLES:
            self.against(sample)

    @property
    def is_absolute(self) -> bool:
        """The page's URL does not matter."""
        return any(_ABSOLUTE.match(each) for each in (self.text, self.base or ""))

    def against(self, page: URL) -> URL:
        """Return the absolute URL (RFC 3986 section 5.2) for a link on ``page``.

        Credentials are neither carried over from the page nor taken from the reference: which
        server gets some is not for a page to say. Raises InvalidURL where only ``page`` makes the
        target wrong: a page that is a local file has no server behind its relative references.
        """
        found = (page if self.base is None else page.join(self.base)).join(self.text)
        if found.scheme not in _SCHEMES:
            raise InvalidURL(f"a link to a {found.scheme}: URL: {found.redacted!r}")
        if found.path.endswith("/"):
            raise InvalidURL(f"a link to a folder, not to a file: {found.redacted!r}")
        return URL(found.origin, found.target)

    @property
    def redacted(self) -> str:
        """The reference as it may be shown, without userinfo and its query's values."""
        return redacted(self.text)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"Reference({self.redacted!r})"
