"""``pulp-download serve``: what a manifest lists, to any client, and no file on disk."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import click

from pulp_download.cli.access_log import AccessLog
from pulp_download.cli.interruption import Interrupted, Interruption, interruptible
from pulp_download.cli.options import Seconds, connection_options, mirror_list_options, settings
from pulp_download.cli.status import Status
from pulp_download.cli.supplying import Sought, supplied
from pulp_download.cli.transfer import connected, log_to_stderr
from pulp_download.errors import CatalogError, DownloadError, NotFound, WriteError
from pulp_download.manifests import FORMATS
from pulp_download.urls import redacted

if TYPE_CHECKING:
    from pulp_download.streamer.supplier import Supplier

_ADDRESS = re.compile(r"(?:\[([0-9A-Fa-f:.%]+)\]|([^\[\]:]*)):([0-9]{1,5})")


def address(text: str) -> tuple[str, int]:
    """Read HOST:PORT; without a host it is every address of IPv4."""
    match = _ADDRESS.fullmatch(text)
    if match is None or int(match[3]) > 65_535:
        raise click.BadParameter(f"{text!r} is not HOST:PORT, such as 127.0.0.1:8080 or [::1]:0")
    return match[1] or match[2] or "0.0.0.0", int(match[3])


def metrics_path(text: str) -> str:
    """Read an absolute path of plain characters, in its plainest form: clients ask for no other."""
    if not re.fullmatch(r"(/(?!\.{1,2}(/|$))[A-Za-z0-9._-]+)+", text):
        raise click.BadParameter(f"{text!r} is no path such as /metrics")
    return text


@click.command()
@click.argument("source")
@click.option(
    "--listen",
    type=address,
    metavar="HOST:PORT",
    default="127.0.0.1:8080",
    show_default=True,
    help="Where clients come in; port 0 is any that is free.",
)
@click.option(
    "--format",
    "format_name",
    type=click.Choice(FORMATS),
    help="The manifest's format, where name and content do not tell.",
)
@click.option(
    "--base-url",
    "base_urls",
    multiple=True,
    metavar="URL",
    help="What relative names are resolved against; more of them are its mirrors.",
)
@mirror_list_options
@click.option(
    "--catalog",
    metavar="URL",
    help="The database of a mirror of SOURCE: what is there comes from disk.",
)
@click.option(
    "--max-streams",
    type=click.IntRange(1, 10_000),
    metavar="N",
    default=100,
    show_default=True,
    help="Streams at once; more are told to come back.",
)
@click.option(
    "--stall-timeout",
    type=Seconds(min=0.001),
    metavar="S",
    default=60.0,
    show_default=True,
    help="Seconds without a client taking a byte, then it is cut off.",
)
@click.option(
    "--ranges",
    type=click.Choice(("ignore", "forward")),
    default="ignore",
    show_default=True,
    help="Whole verified files, or parts as upstream gives them.",
)
@click.option(
    "--metrics-path",
    type=metrics_path,
    metavar="PATH",
    default="/metrics",
    show_default=True,
    help="Where Prometheus finds the numbers.",
)
@click.option(
    "--grace",
    type=Seconds(min=0),
    metavar="S",
    default=30.0,
    show_default=True,
    help="Seconds that open streams have after Ctrl-C or SIGTERM.",
)
@connection_options
@click.option("--json", "as_json", is_flag=True, help="One JSON object per request on stdout.")
@click.option("--quiet", is_flag=True, help="No access log.")
@click.option("--verbose", is_flag=True, help="Log to stderr.")
def serve(
    source: str,
    format_name: str | None,
    base_urls: tuple[str, ...],
    catalog: str | None,
    as_json: bool,  # noqa: FBT001 (click passes it by keyword)
    quiet: bool,  # noqa: FBT001
    verbose: bool,  # noqa: FBT001
    **options: Any,
) -> Status:
    """Answer requests for what SOURCE lists, each from upstream at that moment.

    SOURCE is a manifest, as mirror takes it; or a folder that mirror has made; or a URL that ends
    in a slash, below which everything is served. Files are verified on their way, and nothing of
    them is written to disk.
    """
    log_to_stderr(verbose=verbose)
    sought = Sought(source, format_name, base_urls, catalog)
    sought.check()
    chosen = settings(options, at_once=options["max_streams"], base_urls=sought.bases)
    run = _service(options)
    with ExitStack() as stack:
        try:
            interruption = stack.enter_context(interruptible())
            remote = stack.enter_context(connected(chosen))
            supplier = stack.enter_context(supplied(sought, remote, interruption))
            if not sought.is_base:
                _refuse_hidden(supplier, options["metrics_path"])
            log = stack.enter_context(AccessLog(as_json=as_json, quiet=quiet))
            return run(supplier, log, interruption)
        except (CatalogError, WriteError) as error:
            raise click.ClickException(error.message) from None
        except DownloadError as error:
            raise click.ClickException(error.at(redacted(source)).message) from None
        except Interrupted as interrupted:
            return interrupted.status


def _service(options: dict[str, Any]) -> Callable[[Supplier, AccessLog, Interruption], Status]:
    """Import what needs Twisted only where it is used; raises ClickException without it."""
    try:
        from pulp_download.cli.serving import Address, Service
    except ImportError as error:
        package = str(error.name).partition(".")[0]
        raise click.ClickException(
            f"serve needs {package}: pip install 'pulp_download[streamer]'"
        ) from None
    listen = Address(*options["listen"])
    return Service(**{**options, "listen": listen}).run


def _refuse_hidden(supplier: Supplier, path: str) -> None:
    """Refuse to hide a listed file behind the numbers."""
    try:
        supplier.get_download(path[1:])
    except NotFound:
        return
    raise click.UsageError(f"SOURCE lists {path[1:]!r}; give another --metrics-path")
