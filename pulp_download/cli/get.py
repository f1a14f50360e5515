"""``pulp-download get``: URLs, named by their last segments."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TextIO

import click

from pulp_download.cli.failures import Failures
from pulp_download.cli.interruption import Interrupted, Interruption, interruptible
from pulp_download.cli.items import Items
from pulp_download.cli.options import Common, common, common_options, digest, place, size
from pulp_download.cli.report import Report, silence_stdout
from pulp_download.cli.status import Status
from pulp_download.cli.transfer import connected, log_to_stderr, transfer
from pulp_download.download import Download
from pulp_download.errors import DownloadError, InvalidInput, InvalidURL
from pulp_download.mirrors.mirror import Mirrors
from pulp_download.paths import file_name
from pulp_download.printable import printable
from pulp_download.remote import Remote
from pulp_download.sweeping import sweep_partials
from pulp_download.urls import URL
from pulp_download.validations import DigestValidation, SizeValidation, Validation


@click.command()
@click.argument("urls", nargs=-1, metavar="URL...")
@click.option(
    "--into",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the files (default: this one).",
)
@click.option("--output", metavar="FILE", help="Name for the one file; - is stdout.")
@click.option("--input", "listed", metavar="FILE", help="More URLs, one a line; - is stdin.")
@click.option(
    "--digest",
    "digests",
    type=digest,
    metavar="ALG:HEX",
    multiple=True,
    help="What the one file must have; may be repeated.",
)
@click.option(
    "--size", "expected_size", type=size, metavar="BYTES", help="Bytes that the one file must have."
)
@click.option(
    "--mirror",
    "mirrors",
    type=place,
    metavar="URL",
    multiple=True,
    help="Another place of the one file; may be repeated.",
)
@common_options
def get(
    urls: tuple[str, ...],
    into: Path | None,
    output: str | None,
    listed: str | None,
    digests: tuple[DigestValidation, ...],
    expected_size: int | None,
    mirrors: tuple[URL, ...],
    **shared: Any,
) -> Status:
    """Download each URL to a file named by the last segment of its path.

    A file that is already there is kept if it has the digest asked for, or if the server says that
    it has not changed since; what an interrupted run had of it is gone on with. The URL of a
    metalink (.meta4, .metalink) stands for the files that it lists, unless --output names a file
    for the metalink itself.
    """
    options = common(shared)
    _check_usage(
        urls, into, output, listed, one=bool(digests or mirrors) or expected_size is not None
    )
    if output == "-" and options.as_json:
        raise click.UsageError("--output - and --json would both write to stdout")
    log_to_stderr(verbose=options.verbose)
    validations: list[Validation] = [*digests]
    if expected_size is not None:
        validations.append(SizeValidation(expected_size))
    with ExitStack() as stack:
        interruption = stack.enter_context(interruptible())
        remote = stack.enter_context(_remote(options))
        if output == "-":
            return _to_stdout(urls[0], mirrors, validations, remote, options, interruption)
        report = Report(options)
        items = Items(into or Path(), remote, report, interruption, validations, mirrors)
        if output is not None:
            return transfer(items.single(urls[0], output), options, report, interruption)
        lines = stack.enter_context(_opened(listed)) if listed else ()
        downloads = items.each(_each(urls, lines, interruption))
        status = transfer(downloads, options, report, interruption)
        if into is not None:
            sweep_partials(into, is_deep=False)
        return status


def _check_usage(
    urls: tuple[str, ...], into: Path | None, output: str | None, listed: str | None, *, one: bool
) -> None:
    if not urls and listed is None:
        raise click.UsageError("name a URL, or a file of them with --input")
    if (one or output is not None) and (len(urls) != 1 or listed is not None):
        raise click.UsageError("--output, --digest, --size and --mirror go with exactly one URL")
    if into is not None and output is not None:
        raise click.UsageError("--into and --output contradict each other")
    if output not in (None, "-") and _is_device(output):
        raise click.UsageError(f"--output {output!r} is no regular file; - is stdout")


def _is_device(path: str) -> bool:
    """Tell whether a rename over this path would destroy a device, a pipe or a socket."""
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _remote(options: Common) -> Remote:
    try:
        return connected(options.settings)
    except InvalidInput as error:
        raise click.UsageError(str(error)) from None


def _opened(path: str) -> TextIO:
    """Open a list so that bytes which are no text spoil their own line only."""
    try:
        # A stream of its own; what it takes in at once is what is there.
        where = 0 if path == "-" else path
        return open(where, encoding="utf-8", errors="surrogateescape", closefd=where != 0)
    except OSError as error:
        raise click.UsageError(f"cannot read {path!r}: {error.strerror}") from None


def _each(urls: tuple[str, ...], lines: Iterable[str], interruption: Interruption) -> Iterator[str]:
    yield from urls
    rest = iter(lines)
    while True:
        with interruption.raising():  # the next line may be long in coming
            line = next(rest, None)
        if line is None:
            return
        text = line.strip()
        if text and not text.startswith("#"):
            yield text


def _to_stdout(
    url: str,
    others: tuple[URL, ...],
    validations: list[Validation],
    remote: Remote,
    options: Common,
    interruption: Interruption,
) -> Status:
    """Write the one file to stdout; its last byte only when it has been verified."""
    failures = Failures(options.failures)
    failures.begin()
    if sys.stdout is None:
        return Status.CLOSED
    out = sys.stdout.buffer
    try:
        places = Mirrors([url, *others])
        download = Download(places, validations=validations, remote=remote, attachment=_name(url))
        try:
            with interruption.stopping(remote.close), download.iter_content() as content:
                for chunk in content:
                    with interruption.raising():  # nobody may be reading
                        out.write(chunk)
                        out.flush()
        except DownloadError:
            failures.add(download)
            raise
    except DownloadError as error:
        click.echo(f"pulp-download: failed: {printable(error.message)}", err=True)
        return Status.FAILED
    except OSError as error:
        silence_stdout()
        if isinstance(error, BrokenPipeError):
            return Status.CLOSED
        click.echo(f"pulp-download: failed: stdout: {error.strerror}", err=True)
        return Status.FAILED
    except Interrupted as interrupted:
        return interrupted.status
    finally:
        failures.close()
    return Status.DONE


def _name(url: str) -> str:
    """Return what a list would call the file that goes to stdout."""
    try:
        return file_name(url)
    except InvalidURL:
        return "stdout"
