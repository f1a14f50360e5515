"""``pulp-download mirror``: all that a manifest lists, into a folder."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import click

from pulp_download.cli.interruption import Interrupted, interruptible
from pulp_download.cli.options import common, common_options, listed, variable
from pulp_download.cli.report import PLANNED, Report
from pulp_download.cli.source import Source, read_mirror_list
from pulp_download.cli.status import Status
from pulp_download.cli.transfer import connected, log_to_stderr, transfer
from pulp_download.download import Download
from pulp_download.errors import DownloadError
from pulp_download.manifests import FORMATS
from pulp_download.sweeping import sweep_partials
from pulp_download.urls import redacted

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
@click.option(
    "--mirror-list",
    type=listed,
    metavar="FILE|URL",
    help="A list of more places that have what SOURCE names by relative paths.",
)
@click.option(
    "--mirror-var",
    "mirror_variables",
    type=variable,
    multiple=True,
    metavar="NAME=VALUE",
    help="What $NAME stands for in the mirror list; may be repeated.",
)
@click.option("--include", multiple=True, metavar="GLOB", help="Only paths that match; * takes /.")
@click.option("--exclude", multiple=True, metavar="GLOB", help="No paths that match.")
@click.option("--dry-run", is_flag=True, help="Say what would be done; fetch only the manifest.")
@common_options
def mirror(
    source: str,
    dest: Path,
    format_name: str | None,
    base_url: str | None,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    dry_run: bool,  # noqa: FBT001 (click passes it by keyword)
    **shared: Any,
) -> Status:
    """Bring DEST up to date with what SOURCE lists.

    SOURCE is the URL or the path of a manifest, or - for stdin: checksum files, PULP_MANIFEST,
    Debian Packages, metalinks, lists of URLs, or what --failures wrote. Files that are there and
    right are kept, and what an interrupted run had of others is gone on with. A manifest with a bad
    line is refused as a whole, and nothing is fetched.
    """
    options = common(shared)
    log_to_stderr(verbose=options.verbose)
    with ExitStack() as stack:
        try:
            interruption = stack.enter_context(interruptible())
            origin = Source.parse(source, base_url)
            remote = stack.enter_context(connected(options.settings))
            manifest = stack.enter_context(origin.manifest(remote, format_name, interruption))
            manifest.check()
            base = origin.base_for(manifest)
            read_mirror_list(remote, interruption)
        except DownloadError as error:
            raise click.ClickException(error.at(redacted(source)).message) from None
        except Interrupted as interrupted:
            return interrupted.status

        def downloads() -> Iterator[Download]:
            for entry in manifest.entries():
                if _is_wanted(entry.path, include, exclude):
                    yield origin.download(entry, base, dest, remote)

        if dry_run:
            return _plan(downloads(), Report(options, outcomes=PLANNED))
        is_all = not (include or exclude)
        total = manifest.count if is_all else None
        started = time.time()
        status = transfer(downloads(), options, Report(options), interruption, total=total)
        # After a run that went through the whole list, what it did not use is of no listed file.
        is_through = is_all and status in (Status.DONE, Status.FAILED)
        sweep_partials(dest, unused_since=started - _TIME_STEP if is_through else None)
        return status


def _plan(downloads: Iterator[Download], report: Report) -> Status:
    """Say what would be done."""
    status: Status | None = None
    try:
        for download in downloads:
            report.planned(download)
            if report.is_closed:
                break
    except Interrupted as interrupted:
        status = interrupted.status
    finished = report.finish()
    return finished if status is None else status


def _is_wanted(path: str, include: tuple[str, ...], exclude: tuple[str, ...]) -> bool:
    if include and not any(fnmatchcase(path, glob) for glob in include):
        return False
    return not any(fnmatchcase(path, glob) for glob in exclude)
