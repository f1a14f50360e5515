"""URLs, read once and by one parser: what is checked is what is connected to.

Nothing here touches the network.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote, unquote_to_bytes, urljoin

import idna

from pulp_download.errors import InvalidURL
from pulp_download.printable import CONTROL, is_unicode, printable

# What a list of files or mirrors may name; what cannot be fetched is of no use in one.
SCHEMES = ("http", "https", "ftp", "ftps", "file")

FTP_SCHEMES = frozenset({"ftp", "ftps"})
DEFAULT_PORTS = {"http": 80, "https": 443, "ftp": 21, "ftps": 990}

# Longer than what servers accept (8 KiB is common), short enough for every regular expression.
_MAX_LENGTH = 65_536

# RFC 3986: "%" only where two hexadecimal digits follow; the rest of pchar, "/" and "?".
_SAFE_IN_TARGET = "%/?:@!$&'()*+,;=-._~[]|"
_STRAY_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_PARTS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(?://([^/?#]*))?([^#]*)(?:#.*)?", re.DOTALL)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,20}://")
_MARK = re.compile(r"[?#]")
# A reference with a colon before its first slash is absolute (RFC 3986 section 4.2), or nothing.
_ABSOLUTE = re.compile(r"[^/?#]*:")
_AUTHORITY = re.compile(
    r"(?:(?P<userinfo>[^@]*)@)?(?P<host>\[[^\]]*\]|[^:@\[\]]*)(?::(?P<port>[0-9]{0,5}))?"
)
# RFC 1738 section 3.2.2: "a" rewrites line ends, "d" lists a folder, "i" is the file's own bytes.
_TYPE = re.compile(r";type=([A-Za-z])$")
_HOST_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?:\.(?!-)[a-z0-9_-]{1,63})*\.?")


class Origin(NamedTuple):
    """Scheme, host and port: whom credentials belong to (RFC 6454)."""

    scheme: str
    host: str
    port: int | None

    @property
    def authority(self) -> str:
        """Host and port as a URL and a Host field spell them."""
        return _authority_of(self)

    def __str__(self) -> str:
        return _text_of(self)


@lru_cache(1024)
def _text_of(origin: Origin) -> str:
    return f"{origin.scheme}://{_authority_of(origin)}"


@lru_cache(1024)
def _authority_of(origin: Origin) -> str:
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    port = "" if origin.port in (None, DEFAULT_PORTS.get(origin.scheme)) else f":{origin.port}"
    return f"{host}{port}"


class Credentials(NamedTuple):
    """A user name and a password; shows neither."""

    username: str
    password: str

    def __repr__(self) -> str:
        return "Credentials(***)"

    def __str__(self) -> str:
        return repr(self)


@dataclass(frozen=True, slots=True)
class URL:
    """One absolute URL in the form it is asked for: no userinfo, no fragment, percent-encoded.

    ``str(url)`` is sent; ``url.redacted`` is shown. Percent-escapes stay byte for byte, for a
    signature may cover them. ``credentials`` are what stood before the ``@``.
    """

    origin: Origin
    target: str
    credentials: Credentials | None = field(default=None, repr=False, compare=False)

    @classmethod
    def parse(cls, text: str) -> URL:
        """Read an absolute URL, or raise InvalidURL that says what is wrong with it."""
        return _parse(text)

    def join(self, reference: str) -> URL:
        """Resolve a reference (RFC 3986 section 5), such as a Location header's value."""
        if CONTROL.search(reference) or "\\" in reference.split("?", 1)[0]:
            raise InvalidURL(f"malformed reference {_shown(reference)!r}", url=self.redacted)
        if _ABSOLUTE.match(reference):
            return _parse(reference)
        # urljoin does not know that ftps has a hierarchy; http has one of the same form.
        http = f"http{str(self).removeprefix(self.origin.scheme)}"
        try:
            joined = self.origin.scheme + urljoin(http, reference).removeprefix("http")
        except ValueError:
            raise InvalidURL(
                f"malformed reference {_shown(reference)!r}", url=self.redacted
            ) from None
        return _parse(joined)

    @property
    def scheme(self) -> str:
        return self.origin.scheme

    @property
    def path(self) -> str:
        """The path, still percent-encoded, without the query."""
        return self.target.partition("?")[0]

    @property
    def redacted(self) -> str:
        """The URL as it may be shown: query values, which often are tokens, are left out."""
        if "?" not in self.target:
            return _text_of(self.origin) + self.target
        path, _, query = self.target.partition("?")
        names = (pair.partition("=") for pair in query.split("&"))
        shown = "&".join(f"{name}=***" if equals else "***" for name, equals, _ in names)
        return f"{self.origin}{path}?{shown}"

    def __str__(self) -> str:
        return _text_of(self.origin) + self.target

    def __repr__(self) -> str:
        return f"URL({self.redacted!r})"


def redacted(text: str) -> str:
    """Return any text that may be a URL without userinfo and query values, malformed or not."""
    try:
        return _parse(text).redacted
    except InvalidURL:
        return _shown(text)


def _shown(text: str) -> str:
    """Return malformed text without what may be userinfo, a query's values or a fragment."""
    mark = _MARK.search(text)
    before, rest = (text[: mark.start()], text[mark.start() :]) if mark else (text, "")
    # An "@" behind the mark may still belong to a password that holds a "?" or a "#".
    end = len(before) if "@" in rest else before.rfind("@")
    if end >= 0:
        scheme = _SCHEME.match(before, 0, end)
        before = f"{scheme[0] if scheme else ''}***{before[end:]}"
    return printable(before[:200]) + (f"{rest[0]}***" if rest else "")


# What nearly every URL of a real repository looks like: no userinfo, nothing to encode.
_PLAIN = re.compile(
    r"(https?)://([a-z0-9.-]{1,200}+(?::[0-9]{1,5})?)(/(?:[A-Za-z0-9._~+=@:,/-]++|%[0-9A-Fa-f]{2})*+)"
)


@lru_cache(1024)
def _plain_origin(scheme: str, authority: str) -> Origin:
    return _parse_slowly(f"{scheme}://{authority}/").origin


def _parse(text: str) -> URL:
    if len(text) < 2000 and (plain := _PLAIN.fullmatch(text)):
        scheme, authority, target = plain.groups()
        try:
            return URL(_plain_origin(scheme, authority), target)
        except InvalidURL:
            pass  # the slow way words it with the whole URL
    return _parse_slowly(text)


def _parse_slowly(text: str) -> URL:
    def invalid(reason: str) -> InvalidURL:
        return InvalidURL(f"{reason}: {_shown(text)!r}")

    if len(text) > _MAX_LENGTH:
        raise invalid("URL is too long")
    if found := CONTROL.search(text):
        raise invalid(f"control character {found.group()!r} in URL")
    if not is_unicode(text):
        raise invalid("text of the URL is not valid Unicode")
    parts = _PARTS.fullmatch(text)
    if parts is None:
        raise invalid("not an absolute URL (scheme://host/path)")
    scheme, authority, target = parts[1].lower(), parts[2], parts[3]
    if authority is None:
        raise invalid("no // after the scheme")
    origin, userinfo = _authority(scheme, authority, invalid)
    if scheme in FTP_SCHEMES and (found := _TYPE.search(target)):
        if found[1] not in "iI":
            raise invalid("only ;type=i is a file as it is")
        target = target[: found.start()]
    return URL(origin, _encoded(target), _credentials(userinfo))


def _authority(scheme: str, text: str, invalid: object) -> tuple[Origin, str | None]:
    assert callable(invalid)
    if "\\" in text or " " in text:
        raise invalid("host is ambiguous")
    match = _AUTHORITY.fullmatch(text)
    if match is None:
        raise invalid("malformed host or port")
    host = match["host"].lower()
    if scheme == "file":
        if host not in ("", "localhost") or match["userinfo"] or match["port"]:
            raise invalid("a file URL names no host")
        return Origin("file", "", None), None
    try:
        host = _host(host)
    except ValueError:
        raise invalid("malformed host") from None
    port = int(match["port"]) if match["port"] else DEFAULT_PORTS.get(scheme)
    if port is not None and not 0 < port < 65_536:
        raise invalid("port is not between 1 and 65535")
    return Origin(scheme, host, port), match["userinfo"]


def _host(host: str) -> str:
    """Return the one spelling of a host, or raise ValueError (which idna's errors are)."""
    if len(host) > 254:  # 253 and a final dot; before anything looks at it more closely
        raise ValueError(host)
    if host.startswith("["):
        if "%" in host:  # a zone means something on one machine only, and parsers differ
            raise ValueError(host)
        return ipaddress.IPv6Address(host[1:-1]).compressed
    if not host.isascii():
        # IDNA 2008 and no mapping: a host that merely looks like another one is refused.
        host = idna.encode(unicodedata.normalize("NFC", host), strict=True).decode("ascii").lower()
    if len(host.removesuffix(".")) > 253 or not _HOST_NAME.fullmatch(host):
        raise ValueError(host)
    # WHATWG: a host that ends in a number is an IPv4 address, and other spellings than four
    # decimal numbers mean different hosts to different parsers.
    if re.fullmatch(r"[0-9]+|0[xX][0-9a-fA-F]*", host.rstrip(".").rpartition(".")[2]):
        return str(ipaddress.IPv4Address(host))
    return host


def _credentials(userinfo: str | None) -> Credentials | None:
    if not userinfo:
        return None
    username, _, password = userinfo.partition(":")
    return Credentials(
        *(unquote_to_bytes(part).decode("utf-8", "replace") for part in (username, password))
    )


def _encoded(target: str) -> str:
    if not target.startswith("/"):
        target = f"/{target}"
    target = _STRAY_PERCENT.sub("%25", target)
    return quote(target, safe=_SAFE_IN_TARGET)
