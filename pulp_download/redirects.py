"""Following redirects, and refusing to (RFC 9110 section 15.4)."""

from __future__ import annotations

from pulp_download.errors import InvalidURL, TooManyRedirects, UnsafeRedirect
from pulp_download.urls import URL

REDIRECTS = frozenset({301, 302, 303, 307, 308})

# From which scheme to which; never to a file, never from TLS to plain text.
_ALLOWED = frozenset({("http", "http"), ("http", "https"), ("https", "https")})


class Trail:
    """One request's way from the URL that was asked for to the one that answers.

    ``limit`` redirects are followed; a URL that was on the trail before is a loop.
    """

    __slots__ = ("_limit", "_passed", "current", "start")

    def __init__(self, start: URL, limit: int):
        self.start = self.current = start
        self._limit = limit
        self._passed: tuple[URL, ...] = ()  # those that led on

    def follow(self, status: int, location: str | None) -> URL:
        """Go on to a Location header's value, or raise UnsafeRedirect that says why not."""
        here = self.current
        if not location:
            raise UnsafeRedirect("redirect without a Location", url=here.redacted, status=status)
        try:
            # Fields are read as Latin-1, but what stands there is nearly always UTF-8.
            target = here.join(location.encode("latin-1").decode("utf-8"))
        except (InvalidURL, UnicodeError):
            raise UnsafeRedirect("malformed Location", url=here.redacted, status=status) from None
        if (here.scheme, target.scheme) not in _ALLOWED:
            raise UnsafeRedirect(
                f"redirect from {here.scheme} to {target.scheme} refused",
                url=here.redacted,
                status=status,
            )
        if target == here or target in self._passed:
            raise TooManyRedirects(
                f"redirect loop: {self} -> {target.redacted}", url=here.redacted, status=status
            )
        if len(self._passed) >= self._limit:
            raise TooManyRedirects(
                f"more than {self._limit} redirects: {self}", url=here.redacted, status=status
            )
        self._passed += (here,)
        self.current = target
        return target

    def __str__(self) -> str:
        return " -> ".join(url.redacted for url in (*self._passed, self.current))
