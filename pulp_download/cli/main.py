"""The command ``pulp-download``: its commands, and how a run of it ends."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import click

from pulp_download.cli.get import get
from pulp_download.cli.interruption import Interrupted
from pulp_download.cli.mirror import mirror
from pulp_download.cli.serve import serve
from pulp_download.cli.standing import status
from pulp_download.cli.status import Status
from pulp_download.version import VERSION


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name="pulp-download")
def cli() -> None:
    """Download files, many at once, and verify them."""


cli.add_command(get)
cli.add_command(mirror)
cli.add_command(serve)
cli.add_command(status)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command and exit with its status."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a name that it cannot encode is no failure
            stream.reconfigure(errors="backslashreplace")
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    logging.getLogger("pulp_download").addHandler(logging.NullHandler())
    try:
        ended: Any = cli.main(arguments, prog_name="pulp-download", standalone_mode=False)
        return int(ended or Status.DONE)
    except click.ClickException as error:
        error.show()
        return Status.USAGE
    except (KeyboardInterrupt, click.Abort):
        return Status.INTERRUPTED
    except Interrupted as interrupted:
        return interrupted.status
