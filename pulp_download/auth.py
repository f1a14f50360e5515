"""Who to be: Basic credentials, bearer tokens, netrc.

Where these go is decided per origin by :class:`~pulp_download.remote.Remote`; here they are made.
"""

from __future__ import annotations

import os
import re
import stat
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from requests import PreparedRequest
from requests.auth import AuthBase, HTTPBasicAuth

from pulp_download.errors import InvalidSettings, TokenFailed
from pulp_download.settings import Settings, TokenSource
from pulp_download.urls import Credentials

if TYPE_CHECKING:
    import netrc

# RFC 6750 section 2.1 (b64token), and a little more, as registries give out.
_TOKEN = re.compile(r"[\x21-\x7e]+")

# Seconds for which a token source that failed is not asked again: every download of a batch would.
_FAILURE_PAUSE = 5.0


class AsAskedFor(AuthBase):
    """Puts a request's URL back as it was asked for, then has ``auth`` sign it, if there is one.

    requests rewrites escapes, which the signature in a URL may cover, and which an auth object must
    see as they are sent. ``url`` is None where requests' spelling is to stay. ``auth`` is whatever
    requests takes; None keeps the session from sending its own.
    """

    def __init__(self, url: str | None, auth: Any):
        self._url = url
        self._auth = HTTPBasicAuth(*auth) if isinstance(auth, tuple) else auth

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        if self._url is not None:
            request.url = self._url
        return self._auth(request) if self._auth is not None else request


def basic_auth(credentials: Credentials) -> HTTPBasicAuth:
    """Return Basic credentials in UTF-8 (RFC 7617); requests alone would use Latin-1."""
    return HTTPBasicAuth(credentials.username.encode(), credentials.password.encode())


class BearerAuth(AuthBase):
    """A bearer token (RFC 6750) that many threads share and one of them renews.

    ``source`` is the token itself, or a callable returning ``(token, expires_at)``, with
    ``expires_at`` in epoch seconds or None. It is called by one thread at a time: first when a
    token is needed, again when that has expired or was rejected; it must have a time limit of its
    own. Raises TokenFailed without the source's words, which may hold a secret.
    """

    def __init__(self, source: str | TokenSource):
        self._source = source
        self._lock = threading.Lock()
        self._token: str | None = None
        self._expires_at: float | None = None
        self._failed_at: float | None = None

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self.token()}"
        return request

    @property
    def is_current(self) -> bool:
        """There is a token, and it has not expired."""
        expires_at = self._expires_at
        return self._token is not None and (expires_at is None or time.time() < expires_at)

    def token(self) -> str:
        """Return the current token, asking the source if there is none or it has expired."""
        with self._lock:
            if not self.is_current:
                self._renew()
            assert self._token is not None
            return self._token

    def after_fork(self) -> None:
        """Begin with a lock of this process's own; the other's may be held by a thread of it."""
        self._lock = threading.Lock()

    def renew(self, rejected: str | None) -> bool:
        """Replace a rejected Authorization value; tell whether another is there to be tried.

        However many threads report the same rejected token, the source is asked once.
        """
        with self._lock:
            if rejected == f"Bearer {self._token}":
                if isinstance(self._source, str):
                    return False
                self._renew()
            return rejected != f"Bearer {self._token}"

    def _renew(self) -> None:
        if isinstance(self._source, str):
            self._token = _checked(self._source)
            return
        if self._failed_at is not None and time.monotonic() - self._failed_at < _FAILURE_PAUSE:
            raise TokenFailed("the token source failed a moment ago")
        try:
            token, expires_at = self._source()
            self._token, self._expires_at = _checked(token), _checked_expiry(expires_at)
        except TokenFailed:
            self._failed_at = time.monotonic()
            raise
        except Exception as error:  # noqa: BLE001 (its words may hold a secret, its class not)
            self._failed_at = time.monotonic()
            raise TokenFailed(f"the token source raised {type(error).__name__}") from None
        self._failed_at = None


def _checked(token: object) -> str:
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        raise TokenFailed("the token source returned what is no token")
    return token


def _checked_expiry(expires_at: object) -> float | None:
    if expires_at is not None and not isinstance(expires_at, (int, float)):
        raise TokenFailed("the token source returned an expiry that is no number")
    return expires_at


def session_auth(settings: Settings) -> AuthBase | None:
    """Return what the settings say a session should be, or None."""
    if settings.token is not None:
        return BearerAuth(settings.token)
    if settings.credentials is not None:
        return basic_auth(settings.credentials)
    return None


class Netrc:
    """Credentials by host from a netrc file, read once.

    ``path`` is a path or True for ``$NETRC``, else ``~/.netrc``; a file that others may read, or
    that cannot be parsed, is refused with InvalidSettings, a default file that is absent is empty.
    """

    def __init__(self, path: str | bool):  # noqa: FBT001 (a setting's value, not a switch)
        self._hosts = self._read(path if isinstance(path, str) else None) if path else None

    def lookup(self, host: str) -> Credentials | None:
        """Return what the file says for this host, its ``default`` entry included."""
        found = self._hosts.authenticators(host) if self._hosts else None
        return Credentials(found[0], found[2] or "") if found and found[0] else None

    @staticmethod
    def _read(path: str | None) -> netrc.netrc | None:
        import netrc  # with a lexer of its own

        named = path or os.environ.get("NETRC")
        file = Path(named) if named else Path.home() / ".netrc"
        try:
            mode = file.stat().st_mode
            if stat.S_IMODE(mode) & 0o077:
                raise InvalidSettings(f"netrc: others may read {str(file)!r}; chmod 600 it")
            return netrc.netrc(str(file))
        except FileNotFoundError:
            if path is not None:
                raise InvalidSettings(f"netrc: no file {path!r}") from None
            return None
        except netrc.NetrcParseError as error:
            where = f"line {error.lineno}"
            raise InvalidSettings(f"netrc: cannot parse {str(file)!r}, {where}") from None
        except UnicodeDecodeError:
            raise InvalidSettings(f"netrc: cannot parse {str(file)!r}, it is no text") from None
        except OSError as error:
            raise InvalidSettings(f"netrc: cannot read {str(file)!r}: {error.strerror}") from None
