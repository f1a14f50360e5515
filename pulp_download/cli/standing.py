"""``pulp-download status``: what the catalog of a mirror knows."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pulp_download.cli.mirror import importer_class
from pulp_download.cli.progress import readable
from pulp_download.cli.status import Status
from pulp_download.errors import CatalogError, WriteError
from pulp_download.printable import printable
from pulp_download.remote import Remote
from pulp_download.urls import redacted

if TYPE_CHECKING:
    from pulp_download.importer.repository import Standing

# Failures that people are shown; --json has more.
_SHOWN = 10


@click.command()
@click.argument("dest", type=click.Path(file_okay=False, path_type=Path))
@click.option("--catalog", metavar="URL", help="The database (default: the file in DEST).")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def status(dest: Path, catalog: str | None, as_json: bool) -> Status:  # noqa: FBT001
    """Tell what is known of DEST: files and bytes by state, the last run, failures."""
    try:
        with Remote() as remote, importer_class()(remote, dest, catalog=catalog) as importer:
            standing = importer.standing()
    except (CatalogError, WriteError) as error:
        raise click.ClickException(error.message) from None
    print(json.dumps(_as_json(standing)) if as_json else _as_text(standing))
    sys.stdout.flush()
    return Status.DONE


def _as_json(standing: Standing) -> dict[str, Any]:
    last = standing.last_run
    names = ("started", "finished", "downloaded", "failed")
    return {
        "artifacts": standing.files,
        "bytes": standing.bytes,
        "last_run": None if last is None else {name: getattr(last, name) for name in names},
        "failures": [
            {"path": row.path, "type": row.error_type, "message": row.error}
            for row in standing.failures
        ],
    }


def _as_text(standing: Standing) -> str:
    told = [
        f"{state}: {count} files, {readable(standing.bytes[state])}"
        for state, count in standing.files.items()
    ]
    last = standing.last_run
    if last is None:
        told.append("last run: none")
    else:
        begun = datetime.fromtimestamp(last.started, UTC).isoformat(" ", "seconds")
        ended = "has not ended"
        if last.finished is not None:
            ended = f"{last.finished - last.started:.1f} s"
            ended += f", {last.downloaded} downloaded, {last.failed} failed"
        told.append(f"last run: {begun} of {printable(redacted(last.url))}, {ended}")
    for row in standing.failures[:_SHOWN]:
        told.append(f"failed: {printable(row.path)}: {row.error_type}: {printable(row.error)}")
    return "\n".join(told)
