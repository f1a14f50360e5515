"""The HTML form of an index's page (see :mod:`.pypi`), in flat memory.

Every link is a file: its text is the file's name, with which the path of its target ends (PEP 503).
Links that lead to no file are read over: those to folders, within the page, to ``mailto:`` and the
like. Where text and target disagree the page is refused, for nobody can know which is meant.
"""

from __future__ import annotations

import re
from codecs import IncrementalDecoder, getincrementaldecoder
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import NamedTuple
from urllib.parse import unquote

from pulp_download.errors import ManifestError
from pulp_download.manifests.entry import ManifestEntry
from pulp_download.manifests.fields import shown
from pulp_download.manifests.pypi_entry import check_version, listed

# Characters of a tag or a comment, which the parser keeps, and looks at again with each chunk,
# until it has seen the end.
_MAX_TOKEN = 64 * 1024

# Characters of a link's text; a file name has at most 255 bytes.
_MAX_TEXT = 4096

_PATH = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*:)?(?://[^/?#]*)?([^?#]*)")
_NO_FILES = re.compile(r"(?:mailto|javascript|tel):", re.IGNORECASE)


class _Link(NamedTuple):
    """A link whose end has not come."""

    href: str
    name: str
    line: int
    texts: list[str]


def parse(chunks: Iterator[bytes]) -> Iterator[ManifestEntry]:
    """Yield an entry per link as the chunks come; see :mod:`.pypi` for what truncation is seen."""
    page = _Page()
    decoder = getincrementaldecoder("utf-8")()
    for chunk in chunks:
        yield from page.read(_decoded(decoder, chunk, page))
    _decoded(decoder, b"", page, is_last=True)
    page.check_end()


def _decoded(
    decoder: IncrementalDecoder, chunk: bytes, page: _Page, *, is_last: bool = False
) -> str:
    try:
        return decoder.decode(chunk, is_last)
    except UnicodeDecodeError:
        raise page.refusal("not UTF-8, from here on or a little later") from None


class _Page(HTMLParser):
    """One page, as far as it has been read."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._found: list[ManifestEntry] = []
        self._base: str | None = None
        self._link: _Link | None = None
        self._has_links = False
        self._opened: set[str] = set()
        self._is_closed = False

    def read(self, text: str) -> Iterator[ManifestEntry]:
        """Yield what the next characters bring to light, and then what is wrong with them."""
        self._found = []
        trouble: ManifestError | None = None
        try:
            self.feed(text)
        except ManifestError as error:
            trouble = error
        except AssertionError:  # how the parser says that a declaration makes no sense
            trouble = self.refusal("a malformed declaration")
        yield from self._found
        if trouble is not None:
            raise trouble
        if len(self.rawdata) > _MAX_TOKEN:
            raise self.refusal(f"a tag or a comment of more than {_MAX_TOKEN} characters")

    def refusal(self, reason: str) -> ManifestError:
        """Return the error that names the line that has been reached."""
        return ManifestError(reason, line=self.getpos()[0])

    def check_end(self) -> None:
        """Refuse a page that was cut, as far as that can be seen, and what never was one."""
        if self._is_closed:
            return
        if self._link is not None or "<" in self.rawdata:
            raise self.refusal("the page ends within a link or a tag; it is truncated")
        if self._opened:
            missing = " nor ".join(f"</{tag}>" for tag in sorted(self._opened))
            raise self.refusal(f"the page has no {missing}; it is truncated")
        if not self._has_links:
            raise self.refusal("no page of a package index: no <html>, and no links")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        # Of a repeated attribute the first counts (HTML section 13.2.5.33).
        told = {name: value or "" for name, value in reversed(attrs)}
        if tag in ("html", "body"):
            self._opened.add(tag)
        elif tag == "a":
            self._begin_link(told)
        elif tag == "base" and "href" in told:
            self._take_base(told["href"].strip())
        elif tag == "meta" and told.get("name", "").lower() == "pypi:repository-version":
            check_version(told.get("content", ""), self.getpos()[0])

    def handle_endtag(self, tag: str) -> None:
        if tag == "a" and self._link is not None:
            self._end_link(self._link)
        elif tag in ("html", "body"):
            if self._link is not None:
                raise self.refusal("the page ends within a link")
            self._is_closed = True

    def handle_data(self, data: str) -> None:
        if self._link is None:
            return
        self._link.texts.append(data)
        if sum(map(len, self._link.texts)) > _MAX_TEXT:
            raise self.refusal(f"a link's text of more than {_MAX_TEXT} characters")

    def _take_base(self, href: str) -> None:
        if self._has_links:
            raise self.refusal("a <base> after links that it holds for")
        if self._base is None:  # of several the first counts (HTML section 4.2.3)
            self._base = href

    def _begin_link(self, told: dict[str, str]) -> None:
        if self._is_closed:
            raise self.refusal("a link after the end of the page")
        if self._link is not None:
            raise self.refusal("a link within a link")
        href = told.get("href", "").strip()
        matched = _PATH.match(href)
        last = matched[1].rpartition("/")[2] if matched else ""
        if last not in ("", ".", "..") and not _NO_FILES.match(href):
            self._has_links = True
            self._link = _Link(href, unquote(last), self.getpos()[0], [])

    def _end_link(self, link: _Link) -> None:
        self._link = None
        name = "".join(link.texts).strip()
        if name != link.name:
            raise ManifestError(
                f"a link says {shown(name)}, but leads to a file named {shown(link.name)}",
                line=link.line,
            )
        told = (pair.partition("=") for pair in link.href.partition("#")[2].split("&"))
        hashes = [(algorithm, value) for algorithm, _, value in told]
        self._found.append(listed(name, link.href, hashes=hashes, line=link.line, base=self._base))
