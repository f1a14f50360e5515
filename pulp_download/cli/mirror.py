"""``pulp-download mirror``: all that a manifest lists, into a folder."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pulp_download.cli.interruption import Interrupted, interruptible
from pulp_download.cli.options import common, common_options, mirror_list_options
from pulp_download.cli.piped import Piped
from pulp_download.cli.progress import Display, display
from pulp_download.cli.report import OUTCOMES, PLANNED, Report
from pulp_download.cli.status import Status
from pulp_download.cli.transfer import connected, log_to_stderr
from pulp_download.errors import Cancelled, CatalogError, DownloadError, WriteError
from pulp_download.events import Event
from pulp_download.importer.selection import Selection
from pulp_download.importer.source import Source
from pulp_download.importer.telling import Listed, Observer, Settled
from pulp_download.manifests import FORMATS
from pulp_download.sweeping import sweep_partials
from pulp_download.urls import redacted

if TYPE_CHECKING:
    from pulp_download.importer.importer import Importer

# Seconds by which a file's time may be behind the clock: the coarsest file systems count in twos.
_TIME_STEP = 2.0


@click.command()
@click.argument("source")
@click.argument("dest", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--format",
    "format_name",
    type=click.Choice(FORMATS),
    help="The manifest's format, where name and content do not tell.",
)
@click.option("--base-url", help="What relative names are resolved against.")
@mirror_list_options
@click.option("--include", multiple=True, metavar="GLOB", help="Only paths that match; * takes /.")
@click.option("--exclude", multiple=True, metavar="GLOB", help="No paths that match.")
@click.option(
    "--catalog", metavar="URL", help="The database of what is there (default: a file in DEST)."
)
@click.option("--verify", is_flag=True, help="Read what is there, also where it looks untouched.")
@click.option(
    "--delete-extra", is_flag=True, help="Delete selected files in DEST that no source lists."
)
@click.option("--dry-run", is_flag=True, help="Say what would be done; fetch only the lists.")
@common_options
def mirror(
    source: str,
    dest: Path,
    format_name: str | None,
    base_url: str | None,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    catalog: str | None,
    verify: bool,  # noqa: FBT001 (click passes it by keyword)
    delete_extra: bool,  # noqa: FBT001
    dry_run: bool,  # noqa: FBT001
    **shared: Any,
) -> Status:
    """Bring DEST up to date with what SOURCE lists.

    SOURCE is the URL or the path of a manifest, or - for stdin: checksum files, PULP_MANIFEST,
    Debian Release or Packages, an RPM repository's repomd.xml, a Python index page, metalinks,
    lists of URLs, or what --failures wrote. Files that are there and right are kept, and what an
    interrupted run had of others is gone on with. A manifest with a bad line is refused as a whole,
    and nothing is fetched.
    """
    options = common(shared)
    log_to_stderr(verbose=options.verbose)
    outcomes: tuple[str, ...] = PLANNED if dry_run else OUTCOMES
    if delete_extra:
        outcomes += ("would-delete",) if dry_run else ("deleted",)
    report = Report(options, outcomes=outcomes)
    selection = Selection(include, exclude)
    started = time.time()
    status: Status | None = None
    with ExitStack() as stack:
        try:
            interruption = stack.enter_context(interruptible())
            place = Source.parse(source, base_url, format_name=format_name)
            place = replace(place, stdin=Piped(interruption))
            remote = stack.enter_context(connected(options.settings))
            importer = stack.enter_context(
                importer_class()(remote, dest, catalog=catalog, concurrency=options.concurrency)
            )
            shown = display(wanted=options.progress and not dry_run)
            with interruption.stopping(importer.stop), shown:
                importer.sync(
                    place,
                    format=format_name,
                    selection=selection,
                    verify=verify,
                    delete_extra=delete_extra,
                    dry_run=dry_run,
                    observer=_observer(report, shown, importer.stop),
                )
        except Cancelled:
            pass  # nobody reads stdout any more
        except (CatalogError, WriteError) as error:
            raise click.ClickException(error.message) from None
        except DownloadError as error:
            raise click.ClickException(error.at(redacted(source)).message) from None
        except Interrupted as interrupted:
            status = interrupted.status
            if not report.has_begun:
                return status
    finished = report.finish()
    status = finished if status is None else status
    # After a run that went through the whole list, what it did not use is of no listed file.
    is_through = selection.is_everything and status in (Status.DONE, Status.FAILED)
    if not dry_run:
        sweep_partials(dest, unused_since=started - _TIME_STEP if is_through else None)
    return status


def importer_class() -> type[Importer]:
    """Import what needs a database only where it is used; raises UsageError without it."""
    try:
        from pulp_download.importer.importer import Importer
    except ImportError as error:
        raise click.ClickException(
            f"the catalog needs {error.name}: pip install 'pulp_download[importer]'"
        ) from None
    return Importer


def _observer(report: Report, shown: Display, stop: Callable[[], None]) -> Observer:
    def observe(event: Event | Listed | Settled) -> None:
        if isinstance(event, Listed):
            report.begin()
            shown.expect(event.files)
            return
        if isinstance(event, Settled):
            report.settled(event)
        else:
            report(event)
        shown(event)
        if report.is_closed:
            stop()

    return observe
