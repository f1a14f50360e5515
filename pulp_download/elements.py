"""XML as a stream of the elements that somebody wants, in flat memory.

A document type is refused before anything in it is looked at, so that there are no entities but the
five predefined ones and nothing is ever fetched or read. Bounded are depth, attributes, tags and
texts; whatever is not wanted is read over with all that is in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple
from xml.parsers import expat

from pulp_download.errors import ManifestError
from pulp_download.printable import printable

# Real documents nest less than ten deep and have less than ten attributes.
_MAX_DEPTH = 32
_MAX_ATTRIBUTES = 64

# Characters of a text that is wanted; a URL has at most 64 Ki.
_MAX_TEXT = 64 * 1024

# Bytes of a tag, a comment or an instruction, which expat keeps until it has seen the end. Some
# versions look at all of it again with each chunk, so this bounds the time as well.
_MAX_TOKEN = 1024 * 1024

# What XML processors must know (XML 1.0 section 4.3.3); expat takes others for what they are not.
_ENCODINGS = frozenset({"utf-8", "utf-16", "us-ascii"})

# Characters of a name that an error shows; not measured.
_SHOWN = 80


class Begun(NamedTuple):
    """The start of a wanted element that may hold other wanted ones."""

    place: str
    attributes: Mapping[str, str]
    line: int


class Ended(NamedTuple):
    """The end of a wanted element; ``text`` is empty where it may hold other wanted ones.

    ``line`` is where it began. An attribute in a namespace is named ``namespace name``.
    """

    place: str
    attributes: Mapping[str, str]
    line: int
    text: str


def below(namespace: str, places: Mapping[str, str]) -> dict[str, str]:
    """Return paths of plain names (``a/b``), all of one namespace, as :func:`elements` takes them.

    The values, whatever the caller wants to call the elements at these paths, stay as they are.
    """
    return {
        "/".join(f"{namespace} {name}" for name in path.split("/")): place
        for path, place in places.items()
    }


def elements(
    chunks: Iterable[bytes], places: Mapping[str, str], *, what: str
) -> Iterator[Begun | Ended]:
    """Yield the beginnings and ends of the elements at ``places`` as the chunks come.

    ``what`` names the kind of document in the error for one with another root. What is wrong
    further down is raised (ManifestError, with the line) after what stands before it, and so is a
    document that was cut.
    """
    reader = _Reader(places, what)
    for chunk in chunks:
        yield from reader.read(chunk, is_last=False)
    yield from reader.read(b"", is_last=True)


class _Open:
    """A wanted element whose end has not come."""

    __slots__ = ("attributes", "is_container", "length", "line", "path", "place", "texts")

    def __init__(
        self, path: str, place: str, attributes: dict[str, str], line: int, *, is_container: bool
    ):
        self.path = path
        self.place = place
        self.attributes = attributes
        self.line = line
        self.is_container = is_container
        self.texts: list[str] = []
        self.length = 0


class _Reader:
    """One document, as far as it has been read."""

    def __init__(self, places: Mapping[str, str], what: str):
        self._places = places
        self._containers = {
            path for path in places if any(each.startswith(f"{path}/") for each in places)
        }
        self._what = what
        self._open: list[_Open] = []
        self._depth_ignored = 0
        self._fed = 0
        self._found: list[Begun | Ended] = []
        self._parser = parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        parser.XmlDeclHandler = self._declaration
        parser.StartDoctypeDeclHandler = self._document_type
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text

    def read(self, chunk: bytes, *, is_last: bool) -> list[Begun | Ended]:
        """Return what the next bytes, or the end, bring to light."""
        found: list[Begun | Ended] = []
        self._found = found
        self._fed += len(chunk)
        try:
            self._parser.Parse(chunk, is_last)
        except expat.ExpatError as error:
            reason = expat.ErrorString(error.code) or "malformed"
            raise ManifestError(f"not well-formed XML ({reason})", line=error.lineno) from None
        if self._fed - self._parser.CurrentByteIndex > _MAX_TOKEN:
            raise self._refusal(f"a tag or a comment of more than {_MAX_TOKEN} bytes")
        return found

    def _refusal(self, reason: str) -> ManifestError:
        return ManifestError(reason, line=self._parser.CurrentLineNumber)

    def _declaration(self, version: str, encoding: str | None, standalone: int) -> None:
        if encoding is not None and encoding.lower() not in _ENCODINGS:
            raise self._refusal(f"encoding {_shown(encoding)}; only UTF-8 and UTF-16 are read")

    def _document_type(self, *_: object) -> None:
        raise self._refusal("a document type declaration, which is not allowed")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if len(self._open) + self._depth_ignored >= _MAX_DEPTH:
            raise self._refusal(f"more than {_MAX_DEPTH} elements in one another")
        if len(attributes) > _MAX_ATTRIBUTES:
            raise self._refusal(f"more than {_MAX_ATTRIBUTES} attributes")
        path = f"{self._open[-1].path}/{name}" if self._open else name
        place = None if self._depth_ignored else self._places.get(path)
        if place is None:
            if not self._open:
                local = name.rpartition(" ")[2]
                raise self._refusal(f"no {self._what}: its root element is {_shown(local)}")
            self._depth_ignored += 1
            return
        line = self._parser.CurrentLineNumber
        is_container = path in self._containers
        self._open.append(_Open(path, place, attributes, line, is_container=is_container))
        if is_container:
            self._found.append(Begun(place, attributes, line))

    def _end(self, name: str) -> None:
        if self._depth_ignored:
            self._depth_ignored -= 1
            return
        ended = self._open.pop()
        text = "".join(ended.texts)
        self._found.append(Ended(ended.place, ended.attributes, ended.line, text))

    def _text(self, text: str) -> None:
        element = self._open[-1]
        if self._depth_ignored or element.is_container:
            return
        element.length += len(text)
        if element.length > _MAX_TEXT:
            raise self._refusal(f"a text of more than {_MAX_TEXT} characters")
        element.texts.append(text)


def _shown(text: str) -> str:
    more = "..." if len(text) > _SHOWN else ""
    return f"'{printable(text[:_SHOWN])}{more}'"
