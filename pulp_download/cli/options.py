"""The options that commands share, and the values they become."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from pulp_download.errors import InvalidInput
from pulp_download.settings import Settings
from pulp_download.urls import URL
from pulp_download.validations import DigestValidation

Command = TypeVar("Command", bound=Callable[..., Any])

_SUFFIXES = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def size(text: str) -> int:
    """Read a number of bytes, with K, M, G or T for powers of 1024."""
    match = re.fullmatch(r"([0-9]{1,15})([KMGT]?)(?:i?B)?", str(text), re.IGNORECASE)
    if match is None:
        raise click.BadParameter(f"{text!r} is no size; write 500, 10K, 2M or 1G")
    return int(match[1]) * _SUFFIXES[match[2].upper()]


def digest(text: str) -> DigestValidation:
    """Read ALGORITHM:HEX, checked for form."""
    algorithm, colon, hexdigest = text.partition(":")
    if not colon:
        raise click.BadParameter("write ALGORITHM:HEX, such as sha256:0123...")
    try:
        return DigestValidation(algorithm, hexdigest)
    except InvalidInput as error:
        raise click.BadParameter(str(error)) from None


def place(text: str) -> URL:
    """Read an absolute URL."""
    try:
        return URL.parse(text)
    except InvalidInput as error:
        raise click.BadParameter(str(error)) from None


def listed(text: str) -> str:
    """Read a URL, or a path, as a URL."""
    if "://" not in text:
        return Path(text).absolute().as_uri()
    place(text)
    return text


def variable(text: str) -> tuple[str, str]:
    """Read NAME=VALUE."""
    name, equals, value = text.partition("=")
    if not equals or not re.fullmatch(r"[A-Za-z0-9_]+", name):
        raise click.BadParameter(f"{text!r} is not NAME=VALUE")
    return name, value


@dataclass(frozen=True, kw_only=True)
class Common:
    """What both commands are told, as values."""

    settings: Settings
    concurrency: int
    as_json: bool
    failures: Path | None
    quiet: bool
    progress: bool
    verbose: bool


_FILE = click.Path(dir_okay=False, path_type=Path)


class Seconds(click.FloatRange):
    """A finite number of seconds."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        seconds = super().convert(value, param, ctx)
        if not math.isfinite(seconds):
            self.fail(f"{value!r} is no number of seconds.", param, ctx)
        return seconds


_SECONDS = Seconds(min=0.001)

_CONCURRENCY = (
    click.option("--concurrency", type=click.IntRange(1, 1000), default=8, show_default=True,
                 help="Transfers at once."),
)  # fmt: skip

_CONNECTION = (
    click.option("--retries", type=click.IntRange(0, 1000), default=3, show_default=True,
                 help="Further tries after the first."),
    click.option("--connect-timeout", type=_SECONDS, default=30.0, show_default=True,
                 help="Seconds for name look-up, connection and TLS."),
    click.option("--read-timeout", type=_SECONDS, default=30.0, show_default=True,
                 help="Seconds without an answer or without a byte."),
    click.option("--total-timeout", type=_SECONDS,
                 help="Seconds for one file, retries included."),
    click.option("--per-host", type=click.IntRange(1, 1000), metavar="N",
                 help="Transfers at one host (default: as many as at all)."),
    click.option("--limit-rate", type=size, metavar="BYTES",
                 help="Bytes a second, all files together; 0 is no limit."),
    click.option("--host-state", type=_FILE,
                 help="Remember in FILE how well each host did, for the next run."),
    click.option("--min-speed", type=size, metavar="BYTES", default=1000, show_default=True,
                 help="Bytes a second; less over 30 s is a failed try, 0 allows any."),
    click.option("--username", help="For Basic authentication, with --password-file."),
    click.option("--password-file", type=_FILE, help="File whose first line is the password."),
    click.option("--token-file", type=_FILE, help="File whose first line is a bearer token."),
    click.option("--netrc", is_flag=True, help="Take credentials from $NETRC or ~/.netrc."),
    click.option("--header", "headers", multiple=True, metavar="'K: V'|@FILE",
                 help="Send this header, or those in FILE, one a line."),
    click.option("--ca-cert", type=click.Path(), help="PEM file or folder of CAs to trust."),
    click.option("--client-cert", type=_FILE, help="PEM certificate to show to the server."),
    click.option("--client-key", type=_FILE, help="Its key, where that is another file."),
    click.option("--insecure", is_flag=True, help="Accept any TLS certificate."),
    click.option("--ftp-tls", is_flag=True, help="Upgrade ftp:// to TLS, or fail."),
    click.option("--proxy", help="Proxy URL; else the environment's http_proxy, https_proxy."),
)  # fmt: skip

_TRANSFER = (
    click.option("--segments", type=click.IntRange(1, 64), metavar="N", default=1,
                 help="Connections for one file of 20 MB or more, as far as there is room."),
    click.option("--json", "as_json", is_flag=True, help="One JSON object per file on stdout."),
    click.option("--failures", type=_FILE,
                 help="Write what failed to FILE, which mirror takes as SOURCE."),
    click.option("--quiet", is_flag=True, help="No progress and no summary."),
    click.option("--no-progress", is_flag=True, help="No progress."),
    click.option("--verbose", is_flag=True, help="Say each file, and log to stderr."),
)  # fmt: skip


_MIRROR_LIST = (
    click.option("--mirror-list", type=listed, metavar="FILE|URL",
                 help="A list of more places that have what SOURCE names by relative paths."),
    click.option("--mirror-var", "mirror_variables", type=variable, multiple=True,
                 metavar="NAME=VALUE",
                 help="What $NAME stands for in the mirror list; may be repeated."),
)  # fmt: skip


def common_options(command: Command) -> Command:
    """Add what ``get`` and ``mirror`` share, in the order above."""
    return _with(command, (*_CONCURRENCY, *_CONNECTION, *_TRANSFER))


def connection_options(command: Command) -> Command:
    """Add what tells how upstreams are reached; see :func:`settings`."""
    return _with(command, _CONNECTION)


def mirror_list_options(command: Command) -> Command:
    """Add where a list of mirrors is; see :func:`settings`."""
    return _with(command, _MIRROR_LIST)


def _with(command: Command, options: tuple[Callable[[Command], Command], ...]) -> Command:
    for option in reversed(options):
        command = option(command)
    return command


def common(options: dict[str, Any]) -> Common:
    """Take what ``get`` and ``mirror`` share out of a command's keywords and return it as values.

    Raises UsageError for what contradicts itself or cannot be read.
    """
    take = options.pop
    concurrency, quiet = take("concurrency"), take("quiet")
    return Common(
        settings=settings(options, at_once=concurrency, segments=take("segments")),
        concurrency=concurrency,
        as_json=take("as_json"),
        failures=take("failures"),
        quiet=quiet,
        progress=not (take("no_progress") or quiet),
        verbose=take("verbose"),
    )


def settings(options: dict[str, Any], *, at_once: int, **more: Any) -> Settings:
    """Take what tells how upstreams are reached out of a command's keywords.

    ``at_once`` are the transfers at one host, unless that was told; ``more`` are settings that
    no option of these says. Raises UsageError.
    """
    take = options.pop
    username = take("username")
    try:
        return Settings(
            username=username,
            password=_password(username, take("password_file")),
            token=_first_line(take("token_file")),
            netrc=take("netrc"),
            headers=_headers(take("headers")),
            ca_cert=take("ca_cert"),
            client_cert=_text(take("client_cert")),
            client_key=_text(take("client_key")),
            tls_validation=not take("insecure"),
            ftp_tls=take("ftp_tls"),
            proxy_url=take("proxy"),
            max_retries=take("retries"),
            connect_timeout=take("connect_timeout"),
            sock_read_timeout=take("read_timeout"),
            total_timeout=take("total_timeout"),
            min_speed=take("min_speed"),
            per_host=take("per_host") or at_once,
            max_speed=take("limit_rate") or None,
            state_file=_text(take("host_state")),
            mirror_list=take("mirror_list", None),
            mirror_variables=take("mirror_variables", ()),
            **more,
        )
    except InvalidInput as error:
        raise click.UsageError(str(error)) from None


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _password(username: str | None, path: Path | None) -> str | None:
    """Return the password for a name, which alone would be sent with an empty one."""
    if username is not None and path is None:
        raise click.UsageError("--username goes with --password-file")
    return _first_line(path)


def _first_line(path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        text = sys.stdin.readline() if str(path) == "-" else path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise click.UsageError(f"cannot read {str(path)!r}: {reason}") from None
    line = text.split("\n", 1)[0].rstrip("\r")
    if not line:
        raise click.UsageError(f"{str(path)!r} has an empty first line")
    return line


def _headers(given: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    lines: list[str] = []
    for item in given:
        if not item.startswith("@"):
            lines.append(item)
            continue
        try:
            lines += Path(item[1:]).read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "not UTF-8 text"
            raise click.UsageError(f"cannot read headers {item[1:]!r}: {reason}") from None
    pairs = []
    for line in lines:
        if not line.strip():
            continue
        name, colon, value = line.partition(":")
        if not colon:
            raise click.UsageError("a header is 'Name: value'")
        pairs.append((name.strip(), value.strip()))
    return tuple(pairs)
