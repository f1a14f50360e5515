"""Which proxy a URL goes through: requests' mapping of schemes to proxies, and the exceptions.

Decided once per remote from its settings or from the environment, because requests would read the
environment for every request and let it beat what the program configured.
"""

from __future__ import annotations

import ipaddress
import re
import urllib.request
from collections.abc import Mapping
from urllib.parse import quote

from pulp_download.settings import Settings
from pulp_download.urls import URL

NO_PROXY = "no_proxy"

# An address with a port: of IPv6 it stands in brackets.
_WITH_PORT = re.compile(r"(\[[^\]]*\]|[^:]*):([0-9]*)")


def configured(settings: Settings) -> dict[str, str]:
    """Return the proxies of a session: by scheme, and under ``no_proxy`` the hosts without one."""
    if settings.proxy_url is not None:
        proxy = _with_credentials(settings)
        return {"http": proxy, "https": proxy, "ftp": proxy, "ftps": proxy}
    if not settings.environment_proxies:
        return {}
    found = urllib.request.getproxies_environment()
    proxies = {
        scheme: address if "://" in address else f"http://{address}"
        for scheme in ("http", "https", "ftp", "all")
        if (address := found.get(scheme))
    }
    if proxies:
        # A program on this machine is not behind the proxy, whatever the environment forgot.
        proxies[NO_PROXY] = f"{found.get('no', '')},localhost,127.0.0.0/8,::1"
    return proxies


def for_url(url: str, proxies: Mapping[str, str]) -> dict[str, str]:
    """Return the proxies that apply to a URL: all of them, or none where ``no_proxy`` names it."""
    exceptions = proxies.get(NO_PROXY)
    if exceptions:
        origin = URL.parse(url).origin
        if is_exempt(origin.host, origin.port, exceptions):
            return {}
    return {scheme: proxy for scheme, proxy in proxies.items() if scheme != NO_PROXY}


def is_exempt(host: str, port: int | None, exceptions: str) -> bool:
    """Tell whether ``no_proxy`` names this host.

    A comma-separated list, as curl reads it: ``*``, names (with all below them, a leading dot or
    not), addresses and networks, each with an optional port.
    """
    return any(
        _names(entry.strip().lower(), host.rstrip("."), port)
        for entry in exceptions.split(",")
        if entry.strip()
    )


def _names(entry: str, host: str, port: int | None) -> bool:
    if entry == "*":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        name, _, only_port = entry.partition(":")
        name = name.removeprefix("*").strip(".")
        if only_port and only_port != str(port):
            return False
        return host == name or host.endswith(f".{name}")
    if match := _WITH_PORT.fullmatch(entry):
        entry, only_port = match[1], match[2]
        if only_port != str(port):
            return False
    try:
        return address in ipaddress.ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        return False


def _with_credentials(settings: Settings) -> str:
    assert settings.proxy_url is not None
    url = URL.parse(settings.proxy_url)
    credentials = url.credentials
    username = settings.proxy_username or (credentials.username if credentials else None)
    password = settings.proxy_password or (credentials.password if credentials else "")
    if username is None:
        return str(url.origin)
    scheme, _, host = str(url.origin).partition("://")
    return f"{scheme}://{quote(username, safe='')}:{quote(password or '', safe='')}@{host}"
