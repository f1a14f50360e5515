"""A ``requests.Session`` assembled from settings; what is set on it afterwards wins."""

from __future__ import annotations

import http.cookiejar
from collections.abc import Callable, Generator, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import requests
from requests.adapters import BaseAdapter
from requests.auth import HTTPDigestAuth
from requests.cookies import RequestsCookieJar

from pulp_download import auth, proxies, tls
from pulp_download.adapters.deferred import Deferred
from pulp_download.adapters.file import FileAdapter
from pulp_download.adapters.http import HttpAdapter
from pulp_download.adapters.idle import Idle
from pulp_download.fields import Fields
from pulp_download.headers import Headers
from pulp_download.settings import FtpSettings, Settings
from pulp_download.urls import URL
from pulp_download.version import VERSION

if TYPE_CHECKING:
    from pulp_download.adapters.ftp.adapter import FtpAdapter

Hook = Callable[..., Any]

# What the session's own adapters are mounted for, by scheme.
_PREFIXES = {scheme: f"{scheme}://" for scheme in ("https", "http", "file", "ftp", "ftps")}


class Session(requests.Session):
    """A session whose ``trust_env`` is False, and which reads no redirect's body unasked.

    ``trust_env`` would make requests look at the environment for every request and let what it
    finds beat the program: a CA bundle, a proxy, netrc credentials in the place of a token. What
    of the environment is wanted is read once, by :class:`~pulp_download.settings.Settings`.
    """

    def __init__(self, settings: Settings, idle: Idle | None = None):
        super().__init__()
        self.trust_env = False
        self.headers = Fields(self.headers)
        self.headers["User-Agent"] = f"pulp-download/{VERSION}"
        self.headers["Accept-Encoding"] = "identity"  # digests describe the published bytes
        del self.headers["Connection"]
        self.headers.update(_merged(settings.headers))
        self.auth = auth.session_auth(settings)
        self.proxies = proxies.configured(settings)
        self.max_redirects = settings.max_redirects
        self.verify = _verify(settings)
        if settings.client_cert is not None:
            certificate, key = settings.client_cert, settings.client_key
            self.cert = certificate if key is None else (certificate, key)
        # What a server plants is not kept: replayed cookies grow, and cross ports and origins.
        self.cookies = self._own_cookies = _Cookies(policy=_NothingPlanted())
        adapter = HttpAdapter(settings.tls, idle)
        self.mount(_PREFIXES["https"], adapter)
        self.mount(_PREFIXES["http"], adapter)
        self.mount(_PREFIXES["file"], FileAdapter())
        ftp = Deferred(partial(_ftp_adapter, settings.ftp, adapter))
        self.mount(_PREFIXES["ftp"], ftp)
        self.mount(_PREFIXES["ftps"], ftp)
        self._mounted = [*self.adapters]

    def direct_adapter(self, url: URL) -> HttpAdapter | FtpAdapter | None:
        """Return the adapter that can be asked for this URL without a ``PreparedRequest``.

        None where something is set that takes part in each request (hooks, cookies, params,
        proxies), or where another adapter is mounted for the URL.
        """
        if (
            self.params
            or self.proxies
            or self.hooks.get("response")
            or self.cookies is not self._own_cookies
            or self._own_cookies.have_been_set
        ):
            return None
        scheme = url.origin.scheme
        if scheme in _PREFIXES and [*self.adapters] == self._mounted:
            adapter = self.adapters[_PREFIXES[scheme]]
        else:
            adapter = super().get_adapter(str(url))
        if type(adapter) is HttpAdapter:
            return adapter
        if isinstance(adapter, Deferred):
            return cast("FtpAdapter", adapter.adapter)
        return None

    def get_adapter(self, url: str) -> BaseAdapter:
        """Return the adapter that is mounted for a URL; an FTP one is made when it is wanted."""
        adapter = super().get_adapter(url)
        return adapter.adapter if isinstance(adapter, Deferred) else adapter

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """Send, without a proxy where ``no_proxy`` names the host.

        requests looks for such names in the environment only, and only with ``trust_env``.
        """
        known = kwargs.get("proxies", self.proxies)
        kwargs["proxies"] = proxies.for_url(str(request.url), known)
        return super().send(request, **kwargs)

    def resolve_redirects(self, *args: Any, **kwargs: Any) -> Generator[requests.Response]:
        """Follow for those who use the session themselves; skip requests' look-ahead.

        ``Session.send`` prepares ``response.next`` even when no redirect is to be followed, and
        reads the whole body of the redirect for it.
        """
        if not kwargs.get("yield_requests"):
            yield from super().resolve_redirects(*args, **kwargs)


def _ftp_adapter(settings: FtpSettings, http: HttpAdapter) -> BaseAdapter:
    from pulp_download.adapters.ftp.adapter import FtpAdapter

    return FtpAdapter(settings, http)


def guarded(hooks: Iterable[Hook]) -> Hook:
    """Return one response hook for several, which closes the response when one of them raises.

    requests would leave it to the garbage, and its connection open.
    """

    def run(response: requests.Response, **facts: Any) -> requests.Response:
        for hook in hooks:
            try:
                instead = hook(response, **facts)
            except KeyError:
                # requests' Digest trips over a challenge without realm or nonce: the 401 stands.
                if isinstance(getattr(hook, "__self__", None), HTTPDigestAuth):
                    continue
                response.close()
                raise
            except BaseException:
                response.close()
                raise
            if instead is not None:
                response = instead
        return response

    return run


class _Cookies(RequestsCookieJar):
    """A jar that knows whether anybody ever put something into it; looking into it is slow."""

    have_been_set = False

    def set_cookie(self, cookie: http.cookiejar.Cookie, *args: Any, **kwargs: Any) -> None:
        self.have_been_set = True
        super().set_cookie(cookie, *args, **kwargs)

    def set_policy(self, policy: http.cookiejar.CookiePolicy) -> None:
        self.have_been_set = True  # or may be, by any answer
        super().set_policy(policy)


class _NothingPlanted(http.cookiejar.DefaultCookiePolicy):
    """Sends the cookies that the program set, keeps none that a server sets."""

    def set_ok(self, cookie: http.cookiejar.Cookie, request: Any) -> bool:
        return False


def _merged(headers: Headers) -> dict[str, str]:
    """Join repeated fields by commas (RFC 9110 section 5.3); a session keeps one value each."""
    merged: dict[str, tuple[str, list[str]]] = {}
    for name, value in headers:
        merged.setdefault(name.lower(), (name, []))[1].append(value)
    return {name: ", ".join(values) for name, values in merged.values()}


def _verify(settings: Settings) -> bool | str:
    if not settings.tls_validation:
        return False
    # A path can be told to adapters that are not ours as well; PEM text only to ours.
    path = settings.ca_cert
    return path if path is not None and not tls.is_pem(path) else True
