"""``http://`` and ``https://``: requests' adapter and urllib3's pools, with an exchange of our own.

Connecting, TLS, proxies and pooling are urllib3's. What goes over a connection is done in
:mod:`~pulp_download.adapters.pools`, because it must be watched (every blocking call can be
stopped), framed strictly, and never read further than somebody wants. A request with a body, which
this library never sends, takes the stock path of ``requests.adapters.HTTPAdapter``.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from functools import partial
from typing import Any, cast

from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from requests.exceptions import InvalidHeader
from requests.utils import get_auth_from_url
from urllib3.util.proxy import connection_requires_http_tunnel

from pulp_download import tls
from pulp_download.adapters.awaited import Awaited
from pulp_download.adapters.idle import Idle
from pulp_download.adapters.pools import POOLS_BY_SCHEME, Pool
from pulp_download.adapters.raw import RawAnswer
from pulp_download.adapters.watched import watched
from pulp_download.settings import TLSSettings
from pulp_download.urls import URL, Origin
from pulp_download.watch import Watch

# Idle connections kept per host; more than anybody should open to one. Hosts kept: mirrors.
_POOL_SIZE = 64
_POOLS = 64


class HttpAdapter(HTTPAdapter):
    """One pool per origin and TLS setting; ``tls`` is the setting behind ``verify=True``.

    ``idle`` counts the idle connections of all of them.
    """

    def __init__(
        self,
        tls_settings: TLSSettings = TLSSettings(),  # noqa: B008 (a frozen value)
        idle: Idle | None = None,
    ):
        self._tls = tls_settings
        self.idle = idle or Idle(_POOL_SIZE)
        self._pool_classes: dict[str, Any] = {
            scheme: partial(pool, idle=self.idle) for scheme, pool in POOLS_BY_SCHEME.items()
        }
        self._direct: dict[tuple[Origin, Any, Any], tuple[Pool, str]] = {}
        super().__init__(pool_connections=_POOLS, pool_maxsize=_POOL_SIZE, max_retries=0)

    def renew(self) -> None:
        """Start with fresh pools; what the old ones hold belongs to another process."""
        self.proxy_manager.clear()
        self._direct.clear()
        self.idle.clear()
        self.init_poolmanager(_POOLS, _POOL_SIZE)

    def close(self) -> None:
        """Close every idle connection; those in use are closed when they come back."""
        for pool, _ in tuple(self._direct.values()):  # runs that are being stopped may add some
            pool.close()
        self._direct.clear()
        self.idle.clear()
        super().close()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pool_classes

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        """Return the pools of a proxy; one spoken to over TLS is trusted as origins are."""
        if proxy.lower().startswith("https://"):  # without the client certificate: no origin
            trust = TLSSettings(self._tls.ca_cert, validation=self._tls.validation)
            kwargs["proxy_ssl_context"] = tls.ssl_context(trust)
        manager = super().proxy_manager_for(proxy, **kwargs)
        if not proxy.lower().startswith("socks"):
            manager.pool_classes_by_scheme = self._pool_classes
        return manager

    def proxy_headers(self, proxy: str) -> dict[str, str]:
        """Return a proxy's credentials in UTF-8, as origins get theirs; requests knows Latin-1."""
        username, password = get_auth_from_url(proxy)
        if not username and not password:
            return {}
        pair = b64encode(f"{username}:{password}".encode()).decode("ascii")
        return {"Proxy-Authorization": f"Basic {pair}"}

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Do nothing: the shared SSL context has it all, and must not be added to."""

    def build_connection_pool_key_attributes(
        self, request: PreparedRequest, verify: Any, cert: Any = None
    ) -> tuple[Any, Any]:
        """Put a shared SSL context in the place of paths that each connection would load."""
        host, _ = super().build_connection_pool_key_attributes(request, verify, None)
        return host, self._tls_fields(host["scheme"], verify, cert)

    def send(
        self,
        request: PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> Response:
        """Send a request and return the answer once its head is there; ``raw`` is its body.

        Raises this library's errors, and those of the socket and TLS layers as they come.
        """
        if request.body is not None:
            return super().send(request, stream, timeout, verify, cert, cast(Any, proxies))
        known = dict(proxies or {})
        pool = cast("Pool", self.get_connection_with_tls_context(request, verify, known, cert))
        message = _message(request, self.request_url(request, known), pool)
        method, tunnel = request.method or "GET", _needs_tunnel(request, pool)
        exchange = watched(timeout, partial(pool.exchange, method, message, tunnel=tunnel))
        response = self.build_response(request, RawAnswer(exchange, method))
        if not stream:
            _ = response.content
        return response

    def ask(
        self, method: str, url: URL, fields: str, watch: Watch, *, verify: Any, cert: Any
    ) -> Awaited:
        """Ask without a PreparedRequest: the same exchange for a request that needs none.

        ``fields`` are the header lines but for Host, each with its end. Never by way of a proxy.
        """
        key = (url.origin, verify, tuple(cert) if type(cert) is list else cert)
        pool, host = self._direct.get(key) or (None, "")
        if pool is None or pool.pool is None:  # closed, by its manager's limit or by somebody
            pool, host = self._direct_pool(url.origin, verify, cert), url.origin.authority
            self._direct[key] = pool, host
        message = f"{method} {url.target} HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n"
        return pool.send(method, message.encode("latin-1"), watch, tunnel=False)

    def _direct_pool(self, origin: Origin, verify: Any, cert: Any) -> Pool:
        tls_fields = self._tls_fields(origin.scheme, verify, cert)
        pool = self.poolmanager.connection_from_host(
            origin.host, origin.port, origin.scheme, pool_kwargs=tls_fields
        )
        return cast(Pool, pool)

    def _tls_fields(self, scheme: str, verify: Any, cert: Any) -> dict[str, Any]:
        if scheme != "https":
            return {}
        settings = tls.as_asked(self._tls, verify, cert)
        required = "CERT_REQUIRED" if settings.validation else "CERT_NONE"
        return {"ssl_context": tls.ssl_context(settings), "cert_reqs": required}


def _message(request: PreparedRequest, target: str, pool: Pool) -> bytes:
    """Return a request's head as it is sent."""
    fields = dict(request.headers)
    if pool.proxy is not None and _scheme(request) != "https":
        fields.update(pool.proxy_headers)
    lines = [f"{request.method} {target} HTTP/1.1"]
    if not any(name.lower() == "host" for name in fields):
        host = (request.url or "").split("://", 1)[1].split("/", 1)[0].rpartition("@")[2]
        lines.append(f"Host: {host}")
    for name, value in fields.items():
        text = value.decode("latin-1") if isinstance(value, bytes) else value
        lines.append(f"{name}: {text}")
    try:
        return "\r\n".join([*lines, "", ""]).encode("latin-1")
    except UnicodeEncodeError:
        raise InvalidHeader("a header is not Latin-1 text") from None


def _scheme(request: PreparedRequest) -> str:
    """Return what is asked for; to a proxy that is spoken to over TLS the pool says https."""
    return (request.url or "").partition(":")[0].lower()


def _needs_tunnel(request: PreparedRequest, pool: Pool) -> bool:
    scheme = "https" if _scheme(request) == "https" else "http"  # a proxy asks FTP servers itself
    return connection_requires_http_tunnel(pool.proxy, pool.proxy_config, scheme)
