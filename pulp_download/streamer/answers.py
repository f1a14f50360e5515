"""One client's question, put to upstream."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal, get_args
from urllib.parse import unquote

from pulp_download.content import Content
from pulp_download.download import Download
from pulp_download.errors import BadStatus, NotFound
from pulp_download.streamer.asked import Asked
from pulp_download.streamer.bridge import CHUNK
from pulp_download.streamer.heads import Head, head_of, head_of_folder
from pulp_download.streamer.question import Opening
from pulp_download.streamer.supplier import Supplier

Ranges = Literal["ignore", "forward"]

# Upstreams that know no HEAD say so by these (RFC 9110 sections 15.5.6 and 15.6.2).
_NO_HEAD = frozenset({405, 501})
# Ranges that go upstream: a few, of bytes. Any other field is ignored, as section 14.2 allows: many
# small ones are a way to make servers work (section 17.15).
_RANGE = re.compile(r"bytes=[0-9 \t]*-[0-9 \t]*(?:,[0-9 \t]*-[0-9 \t]*){0,9}")
_VISIBLE = re.compile(r"[\x21-\x7e]([\x20-\x7e]{0,300}[\x21-\x7e])?")


def checked_ranges(ranges: Ranges) -> Ranges:
    """Return what was given for ``ranges``; raises ValueError if it is none of them."""
    if ranges not in get_args(Ranges):
        raise ValueError(f"ranges is 'ignore' or 'forward', not {ranges!r}")
    return ranges


def _end_of(url: str) -> str:
    """Return the last name in a URL's path, with the slash that it may end in."""
    path = unquote(url.partition("?")[0])
    return path[path.rstrip("/").rfind("/") + 1 :]


@dataclass(frozen=True, slots=True)
class AtOnce:
    """An opening in a single step, which blocks."""

    content: Callable[[], Content]

    def advance(self, on_block: Callable[[], None] | None = None) -> Content:
        if on_block is not None:
            on_block()
        return self.content()

    def cancel(self) -> None:
        """Do nothing: whoever knows the run is in there."""


@dataclass(frozen=True, slots=True)
class Answering:
    """A bridge's question: what ``asked`` for, of this supplier.

    With ``ranges`` "forward", Range and If-Range go upstream, and what comes of them is passed on
    as it is, unverified. Otherwise a client always gets the whole file, as RFC 9110 section 14.2
    allows.
    """

    supplier: Supplier
    asked: Asked
    ranges: Ranges = "ignore"

    def find(self) -> Download:
        return self.supplier.get_download(self.asked.path)

    def open(self, download: Download) -> Opening:
        if self.asked.method == "HEAD":
            return AtOnce(partial(self._head_or_get, download))
        iter_content = getattr(type(download), "iter_content", None)
        if iter_content is not Download.iter_content:  # the supplier's own way, whatever it does
            return AtOnce(partial(self._get, download))
        return download.opening(CHUNK, headers=self._range(), resume=True)

    def head(self, content: Content) -> Head:
        if self._is_folder(content):
            return head_of_folder(self.asked)
        return head_of(content, self.asked, forwards_ranges=self.ranges == "forward")

    def _is_folder(self, content: Content) -> bool:
        """Tell whether upstream led from a folder's name to its page, and that may be asked for."""
        name, slash, rest = _end_of(content.final_url).partition("/")
        if not slash or rest or name != _end_of(content.url):
            return False
        try:
            self.supplier.get_download(f"{self.asked.path}/")
        except (NotFound, LookupError):
            return False
        return True

    def _get(self, download: Download) -> Content:
        return download.iter_content(CHUNK, headers=self._range(), resume=True)

    def _head_or_get(self, download: Download) -> Content:
        try:
            return download.head()
        except BadStatus as error:
            if error.status not in _NO_HEAD:
                raise
        return self._get(download)

    def _range(self) -> dict[str, str] | None:
        asked, validator = self.asked.range, self.asked.if_range
        if self.ranges == "ignore" or asked is None or not _RANGE.fullmatch(asked):
            return None
        if validator is None:
            return {"Range": asked}
        if not _VISIBLE.fullmatch(validator):
            return None  # it holds for no file: the whole one is the answer
        return {"Range": asked, "If-Range": validator}
