"""One SSL context per TLS setting.

Loading the CA bundle costs about 20 ms of CPU, so it is done once for equal settings, and again
when a named file has changed.
"""

from __future__ import annotations

import os
import socket
import ssl
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.util.ssl_ import create_urllib3_context

from pulp_download.errors import InvalidSettings
from pulp_download.settings import TLSSettings

_PEM = "-----BEGIN"

_contexts: dict[tuple[object, ...], ssl.SSLContext] = {}
_lock = threading.Lock()


def is_pem(value: str) -> bool:
    """Tell whether a setting is PEM text; else it is a path."""
    return _PEM in value


def ssl_context(settings: TLSSettings) -> ssl.SSLContext:
    """Return the context for a setting; equal settings get the same one.

    Raises InvalidSettings that names the field for files that are missing or no certificates, and
    for a key with a passphrase: nobody is there to type it.
    """
    key = (settings, *(_stamp(value) for value in settings[:3]))
    with _lock:
        if key not in _contexts:
            _contexts[key] = _build(settings)
        return _contexts[key]


def as_asked(settings: TLSSettings, verify: Any, cert: Any) -> TLSSettings:
    """Return settings changed by what requests takes as ``verify`` and ``cert``.

    Raises InvalidSettings for what is neither of their kinds: to go on would be without what
    somebody wanted to be trusted, and nothing else.
    """
    authorities = settings.ca_cert
    if verify not in (True, False, None, ""):
        authorities = _path("verify", verify)
    parts = cert if isinstance(cert, (tuple, list)) else (cert, None)
    if len(parts) != 2:
        raise InvalidSettings(f"session.cert: {len(parts)} values, not a path or a pair of them")
    certificate, key = (None if part is None else _path("cert", part) for part in parts)
    return TLSSettings(authorities, certificate, key, verify is not False)


def _path(name: str, value: Any) -> str:
    try:
        return os.fsdecode(value)
    except TypeError:
        raise InvalidSettings(f"session.{name}: {type(value).__name__} is no path") from None


def wrap(
    context: ssl.SSLContext, sock: socket.socket, host: str, session: ssl.SSLSession | None = None
) -> ssl.SSLSocket:
    """Shake hands as a client, over a socket that is the result's from then on.

    An end without close_notify will raise ``ssl.SSLEOFError``, so that it can be told from one
    that the peer meant. ``session`` is one that the peer may know from another connection.
    """
    try:
        return context.wrap_socket(
            sock, server_hostname=host, suppress_ragged_eofs=False, session=session
        )
    except OSError as error:
        close_forgotten(error)
        raise


def close_forgotten(error: BaseException) -> None:
    """Close the socket that ``ssl`` forgets when it is reset before its handshake (CPython 3.11).

    It took the descriptor over and raised; only the frames of the error know it.
    """
    step = error.__traceback__
    while step is not None:
        made = step.tb_frame.f_locals.get("self")
        if isinstance(made, ssl.SSLSocket):
            made.close()
        step = step.tb_next


def _build(settings: TLSSettings) -> ssl.SSLContext:
    context = create_urllib3_context(
        cert_reqs=ssl.CERT_REQUIRED if settings.validation else ssl.CERT_NONE
    )
    # A body without a length must not look complete when somebody cut the TCP connection.
    context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
    if settings.validation:
        with _naming("ca_cert", settings.ca_cert):
            _trust(context, settings.ca_cert or DEFAULT_CA_BUNDLE_PATH)
    if settings.client_cert is not None:
        for name, value in (
            ("client_cert", settings.client_cert),
            ("client_key", settings.client_key),
        ):
            with _naming(name, value):
                _check_readable(value)
        with (
            _naming("client_cert", settings.client_cert),
            _as_file(settings.client_cert) as certificate,
            _as_file(settings.client_key) as key,
        ):
            context.load_cert_chain(certificate or "", key, password=_no_passphrase)
    return context


def _trust(context: ssl.SSLContext, authorities: str) -> None:
    if is_pem(authorities):
        context.load_verify_locations(cadata=authorities)
    elif os.path.isdir(authorities):
        context.load_verify_locations(capath=authorities)
    else:
        context.load_verify_locations(cafile=authorities)


@contextmanager
def _as_file(value: str | None) -> Iterator[str | None]:
    """Yield a path for OpenSSL, which loads a client's key from files only."""
    if value is None or not is_pem(value):
        yield value
        return
    with tempfile.NamedTemporaryFile("w", prefix="pulp-download-", suffix=".pem") as file:
        file.write(value)  # mode 0600 from its creation
        file.flush()
        yield file.name


def _check_readable(value: str | None) -> None:
    """Raise for a file that is absent or closed to us, which OpenSSL would not name."""
    if value is None or is_pem(value):
        return
    if "\n" in value:
        raise ValueError("it has no -----BEGIN line")
    with open(value, "rb"):
        pass


@contextmanager
def _naming(name: str, value: str | None) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        is_text = value is not None and ("\n" in value or is_pem(value))
        place = "the PEM text" if is_text else f"{value!r}"
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        raise InvalidSettings(f"{name}: cannot use {place}: {reason}") from None


def _no_passphrase() -> str:
    raise ValueError("the key is encrypted; a passphrase cannot be asked for")


def _stamp(value: str | None) -> tuple[int, int] | None:
    if value is None or is_pem(value):
        return None
    try:
        facts = os.stat(value)
    except (OSError, ValueError):
        return None
    return facts.st_mtime_ns, facts.st_size


def _after_fork() -> None:
    global _lock
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_after_fork)
