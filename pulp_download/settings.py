"""How a remote is reached: one frozen, hashable value.

Names and meanings follow pulpcore's ``Remote`` where it has the field. Times are seconds, sizes are
bytes. Secrets are left out of ``repr``; they are part of the value, of its hash and of its pickle,
because another machine needs them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from pulp_download.bases import Bases, as_bases
from pulp_download.errors import InvalidSettings, InvalidURL
from pulp_download.headers import Headers, header_pairs
from pulp_download.mirrors.policies import POLICIES, Policy
from pulp_download.urls import URL, Credentials, Origin

TokenSource = Callable[[], tuple[str, float | None]]


class TimeLimits(NamedTuple):
    """How long one download may take, in all and in each of its phases (seconds)."""

    connect: float = 30.0
    sock_connect: float | None = None
    read: float = 30.0
    total: float | None = None
    min_speed: float = 1000.0
    stall_period: float = 30.0


class TLSSettings(NamedTuple):
    """Whom to trust and who to be: paths, or PEM text. Equal ones share one SSL context."""

    ca_cert: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    validation: bool = True

    def __repr__(self) -> str:
        return f"TLSSettings(validation={self.validation})"


class Limits(NamedTuple):
    """What a remote allows itself: transfers per host and in all, requests a second per host.

    ``retry_after`` is the longest rest in seconds that a host may ask for.
    """

    per_host: int | None = None
    in_all: int | None = None
    rate: float | None = None
    retry_after: float = 300.0


class FtpSettings(NamedTuple):
    """How FTP is spoken: ``is_tls`` upgrades ``ftp://`` by AUTH TLS or fails."""

    tls: TLSSettings = TLSSettings()
    is_tls: bool = False
    ftps_mode: str | None = None


# When TLS begins on an ftps:// connection: with its first byte, or after AUTH TLS (RFC 4217).
FTPS_MODES = ("implicit", "explicit")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All there is to say about a remote.

    ``username``, ``password``: Basic credentials. ``token``: a bearer token, or a callable that
    returns ``(token, expires_at)``, in epoch seconds or None for no expiry. ``netrc``: True for
    ``$NETRC`` or ``~/.netrc``, or a path; asked only where nothing else says who to be.
    ``ca_cert``, ``client_cert``, ``client_key``: PEM text if it holds ``-----BEGIN``, else a path.
    ``proxy_url``: for every request; else, with ``environment_proxies``, what ``http_proxy``,
    ``https_proxy`` and ``no_proxy`` said when the remote was made (never for loopback).
    ``max_retries``: repeats of URLs already tried. ``connect_timeout`` covers name look-up, all
    addresses, proxy and TLS; ``sock_connect_timeout`` one address; ``sock_read_timeout`` the wait
    for an answer's head, and for the next bytes of its body; ``total_timeout`` a download with its
    retries. Less than ``min_speed`` bytes a second over ``stall_period`` is a stall; 0 switches
    that off. ``retry_after_limit``: the longest Retry-After that is obeyed. ``require_length``
    refuses files whose length nothing tells. ``max_size`` bounds what has no expected size.
    ``trusted_origins``: origins that get this remote's secrets although nobody gave their URL.
    ``base_urls``: what relative sources are below; all are mirrors of one another. ``mirror_list``:
    the URL of a document that names more, read when one is first wanted, with
    ``mirror_variables``, a mapping or pairs, in the place of its ``$releasever`` and the like.
    ``mirror_policy``: their order, a name of :data:`~pulp_download.mirrors.policies.POLICIES` or a
    function. ``state_file``: where what is learnt about hosts is kept from one run to the next.
    ``per_host``: transfers at one host, ``download_concurrency``: at all, over every
    batch and stream of the remote; unless given, 8 per host, or as many as a batch runs.
    ``segments``: connections for one file of at least ``segments_from`` bytes, as far as others
    leave room. ``rate_limit``: requests a second per host. ``max_speed``: bytes a second in all.
    ``ftp_tls`` has ``ftp://`` upgraded to TLS, or fail. ``ftps_mode``: ``"implicit"``, TLS from the
    first byte on, or ``"explicit"``, by AUTH TLS; unless given, explicit on port 21 and else
    implicit. Of credentials, FTP takes user and password only; tokens and ``headers`` are HTTP's.
    """

    username: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    token: str | TokenSource | None = field(default=None, repr=False)
    netrc: bool | str = False
    headers: Headers = field(default=(), repr=False)
    ca_cert: str | None = field(default=None, repr=False)
    client_cert: str | None = field(default=None, repr=False)
    client_key: str | None = field(default=None, repr=False)
    tls_validation: bool = True
    proxy_url: str | None = field(default=None, repr=False)
    proxy_username: str | None = field(default=None, repr=False)
    proxy_password: str | None = field(default=None, repr=False)
    environment_proxies: bool = True
    max_retries: int = 3
    retry_after_limit: float = 300.0
    connect_timeout: float = 30.0
    sock_connect_timeout: float | None = None
    sock_read_timeout: float = 30.0
    total_timeout: float | None = None
    min_speed: float = 1000.0
    stall_period: float = 30.0
    max_redirects: int = 10
    require_length: bool = False
    max_size: int | None = None
    trusted_origins: tuple[str, ...] = ()
    base_urls: tuple[str, ...] = field(default=(), repr=False)
    mirror_list: str | None = field(default=None, repr=False)
    mirror_variables: tuple[tuple[str, str], ...] = ()
    mirror_policy: str | Policy = "best"
    state_file: str | None = None
    per_host: int | None = None
    download_concurrency: int | None = None
    rate_limit: float | None = None
    segments: int = 1
    segments_from: int = 20_000_000
    max_speed: int | None = None
    ftp_tls: bool = False
    ftps_mode: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "headers", header_pairs(self.headers))
        origins = self.trusted_origins
        origins = (origins,) if isinstance(origins, str) else tuple(origins)
        # Malformed ones are found here; userinfo in one would be shown, and means nothing.
        origins = tuple(str(URL.parse(text).origin) for text in origins)
        object.__setattr__(self, "trusted_origins", origins)
        bases = self.base_urls
        bases = (bases,) if isinstance(bases, str) else tuple(bases)
        object.__setattr__(self, "base_urls", bases)
        variables = self.mirror_variables
        if isinstance(variables, Mapping):
            object.__setattr__(self, "mirror_variables", tuple(variables.items()))
        _ = self.bases, self.policy
        if self.ftps_mode not in (None, *FTPS_MODES):
            raise InvalidSettings(f"ftps_mode is one of {', '.join(FTPS_MODES)}")
        _check_numbers(self)
        _check_secrets(self)

    @property
    def time_limits(self) -> TimeLimits:
        return TimeLimits(
            self.connect_timeout,
            self.sock_connect_timeout,
            self.sock_read_timeout,
            self.total_timeout,
            self.min_speed,
            self.stall_period,
        )

    @property
    def tls(self) -> TLSSettings:
        return TLSSettings(self.ca_cert, self.client_cert, self.client_key, self.tls_validation)

    @property
    def ftp(self) -> FtpSettings:
        return FtpSettings(self.tls, self.ftp_tls, self.ftps_mode)

    @property
    def credentials(self) -> Credentials | None:
        if self.username is None:
            return None
        return Credentials(self.username, self.password or "")

    @property
    def bases(self) -> Bases:
        """What relative sources are below; a new one each time, for it learns."""
        return as_bases(self.base_urls, self.mirror_list, dict(self.mirror_variables))

    @property
    def policy(self) -> Policy:
        """What puts mirrors in order."""
        policy = self.mirror_policy
        if callable(policy):
            return policy
        try:
            return POLICIES[policy]
        except (KeyError, TypeError):
            raise InvalidSettings(f"mirror_policy is one of {', '.join(POLICIES)}") from None

    @property
    def limits(self) -> Limits:
        return Limits(
            self.per_host, self.download_concurrency, self.rate_limit, self.retry_after_limit
        )

    @property
    def trusted(self) -> frozenset[Origin]:
        """Origins that get secrets, whoever names their URLs."""
        texts = (*self.trusted_origins, *self.base_urls)
        return frozenset(URL.parse(text).origin for text in texts)


# Field, whether None is allowed, smallest value allowed (exclusive where it is a time).
_NUMBERS: tuple[tuple[str, bool, float], ...] = (
    ("max_retries", False, 0),
    ("max_redirects", False, 0),
    ("max_size", True, 0),
    ("per_host", True, 1),
    ("download_concurrency", True, 1),
    ("rate_limit", True, 0.001),
    ("max_speed", True, 1),
    ("segments", False, 1),
    ("segments_from", False, 1),
    ("retry_after_limit", False, 0),
    ("min_speed", False, 0),
    ("stall_period", False, 0.001),
    ("connect_timeout", False, 0.001),
    ("sock_connect_timeout", True, 0.001),
    ("sock_read_timeout", False, 0.001),
    ("total_timeout", True, 0.001),
)
_WHOLE_NUMBERS = frozenset(
    {
        "download_concurrency",
        "max_redirects",
        "max_retries",
        "max_size",
        "max_speed",
        "per_host",
        "segments",
        "segments_from",
    }
)


# Kinds of proxy whose connections can be watched; a SOCKS library would bring its own.
_PROXY_SCHEMES = frozenset({"http", "https"})


def _check_numbers(settings: Settings) -> None:
    for name, optional, smallest in _NUMBERS:
        value = getattr(settings, name)
        if value is None and optional:
            continue
        kinds = (int,) if name in _WHOLE_NUMBERS else (int, float)
        if isinstance(value, bool) or not isinstance(value, kinds) or not math.isfinite(value):
            raise InvalidSettings(f"{name} must be a finite number, not {value!r}")
        if value < smallest:
            raise InvalidSettings(f"{name} must be at least {smallest:g}, not {value!r}")


def _check_secrets(settings: Settings) -> None:
    if settings.password is not None and settings.username is None:
        raise InvalidSettings("password without username")
    if settings.token is not None and settings.username is not None:
        raise InvalidSettings("token and username contradict each other")
    if settings.client_key is not None and settings.client_cert is None:
        raise InvalidSettings("client_key without client_cert")
    if settings.proxy_username is not None and settings.proxy_url is None:
        raise InvalidSettings("proxy_username without proxy_url")
    if settings.proxy_url is not None:
        _check_proxy(settings)
    elif settings.proxy_password is not None:
        raise InvalidSettings("proxy_password without proxy_url")


def _check_proxy(settings: Settings) -> None:
    try:
        url = URL.parse(settings.proxy_url or "")
    except InvalidURL:
        raise InvalidSettings("proxy_url is not an absolute URL") from None
    if url.scheme not in _PROXY_SCHEMES:
        raise InvalidSettings(f"proxy_url must begin with http:// or https://, not {url.scheme}://")
    named = settings.proxy_username is not None or url.credentials is not None
    if settings.proxy_password is not None and not named:
        raise InvalidSettings("proxy_password without proxy_username")
