"""One file to fetch: where from, where to, what must hold, through which remote, for whom."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NoReturn, Self

from pulp_download.arguments import as_writer, expectations, places
from pulp_download.arguments import conditions as conditions_of
from pulp_download.content import Content
from pulp_download.errors import InvalidInput, WriteError
from pulp_download.existing import verified_digests
from pulp_download.files import FileWriter
from pulp_download.headers import Headers, header_pairs
from pulp_download.mirrors.mirror import Mirror, Mirrors, Relative
from pulp_download.opening import Opening, OwnedRemote, sleep
from pulp_download.remote import Remote
from pulp_download.result import Result
from pulp_download.retries import Wait
from pulp_download.run import Run
from pulp_download.telling import Observer
from pulp_download.turns import Turn
from pulp_download.urls import URL
from pulp_download.validations import Validation
from pulp_download.watchdog import watchdog
from pulp_download.writers import Sink, Writer


class Download:
    """One file to fetch; a frozen description that does nothing until it is run.

    ``source`` is a URL, whose userinfo becomes credentials for its origin, or ``Mirrors``; a
    relative one is below the remote's ``base_urls``. ``writer`` is a path or a
    :class:`~pulp_download.writers.Writer`; without one the download can be opened with
    ``iter_content()`` only. ``remote``: without one, each call makes one for itself; in a batch
    all such downloads share one. ``attachment`` is the caller's own key, for example an artifact's
    primary key, and is handed back untouched. ``headers`` are sent to the source's own origin.

    Raises InvalidInput for what could never be downloaded. Downloads compare by identity, pickle
    with all they hold, and may be run any number of times, from several threads at once.
    """

    __slots__ = (
        "__weakref__",
        "attachment",
        "headers",
        "mirrors",
        "remote",
        "validations",
        "writer",
    )

    mirrors: tuple[Mirror, ...]
    writer: Writer | None
    validations: tuple[Validation, ...]
    remote: Remote | None
    attachment: Any
    headers: Headers

    def __init__(
        self,
        source: str | URL | Mirrors,
        writer: str | os.PathLike[str] | Writer | None = None,
        *,
        validations: Iterable[Validation] = (),
        remote: Remote | None = None,
        attachment: Any = None,
        headers: Mapping[str, str] | Headers = (),
    ):
        if not (remote is None or isinstance(remote, Remote)):
            raise TypeError(f"remote is a Remote, not a {type(remote).__name__}")
        fill = object.__setattr__
        has_bases = remote is not None and remote.bases.are_there
        fill(self, "mirrors", places(source, has_bases=has_bases))
        fill(self, "writer", None if writer is None else as_writer(writer))
        fill(self, "validations", expectations(validations))
        fill(self, "remote", remote)
        fill(self, "attachment", attachment)
        fill(self, "headers", header_pairs(headers) if headers else ())

    @property
    def url(self) -> URL | Relative:
        """Where it is to be had: the first place of several, as it was given."""
        return self.mirrors[0].url

    @property
    def source(self) -> str:
        """The URL as it is asked for, without userinfo."""
        return str(self.url)

    @property
    def path(self) -> Path | None:
        """The file's final path, or None where the writer is no file."""
        return self.writer.path if self.writer is not None else None

    @property
    def place(self) -> str | None:
        """The file's absolute final path as text, or None where the writer is no file."""
        writer = self.writer
        if writer is None:
            return None
        shown = writer.shown if type(writer) is FileWriter else writer.path
        if shown is None:
            return None
        text = os.fspath(shown)
        if text[0] == "/" and "//" not in text and "/." not in text:
            return text
        return os.path.abspath(text)

    def run(self, *, observer: Observer | None = None) -> Result:
        """Fetch, verify and commit; block until it is there.

        Waits between tries in this thread. Raises the last failure, a DownloadError whose
        ``attempts`` are all tries; then the target is as it was before.
        """
        with OwnedRemote(self.remote) as remote:
            run = Run(self, remote, observer)
            try:
                while not isinstance(outcome := run.advance(), Result):
                    assert isinstance(outcome, (Wait, Turn))
                    sleep(run, outcome)
            except BaseException as error:
                run.abandon(error)
                raise
            return outcome

    download = run

    def iter_content(
        self,
        chunk_size: int = 65_536,
        *,
        headers: Mapping[str, str] | None = None,
        observer: Observer | None = None,
        resume: bool = False,
    ) -> Content:
        """Connect, and return the answer once its head is there; iterate it for the bytes.

        What fails before the head is tried again like a run; what fails after it is raised by the
        iteration. With ``resume``, a body that breaks is gone on with where it broke, by a run's
        rules, while the iteration blocks; what proves wrong is raised all the same, but for a body
        of a told length that came with its head: it is judged before it is opened, and a wrong one
        looked for at the next place. ``headers`` may hold Range,
        If-Range, If-None-Match and If-Modified-Since; an answer other than 200 to them skips
        validation and is returned as it is. Close the content: until its end it has one of the
        places that the remote allows at a host.
        """
        return self.opening(chunk_size, headers=headers, observer=observer, resume=resume).content()

    def opening(
        self,
        chunk_size: int = 65_536,
        *,
        headers: Mapping[str, str] | None = None,
        observer: Observer | None = None,
        resume: bool = False,
    ) -> Opening:
        """Return what connects step by step, for whoever has more to do than wait for one."""
        conditions = dict(conditions_of(headers))
        if not isinstance(chunk_size, int) or chunk_size < 1:
            raise InvalidInput(f"chunk_size must be a positive number, not {chunk_size!r}")
        return Opening(self, "GET", chunk_size, conditions, observer, resume=resume)

    def head(self) -> Content:
        """Return the answer to a HEAD request: status, headers and size, and no body."""
        return Opening(self, "HEAD", 1, {}, None).content()

    def cancel(self) -> bool:
        """Stop this download's running and waiting runs, from any thread.

        They fail with Cancelled. Tells whether there was one to stop; is not remembered.
        """
        return watchdog.cancel(self)

    def is_present(self) -> bool:
        """Tell whether the file at the target meets the validations; nothing is fetched.

        Reads it through. False where there is none, where no digest is expected and only upstream
        could tell, and for writers that keep nothing (see FileWriter's ``keep``).
        """
        with self.open_writer() as sink:
            existing = sink.existing()
            sink.keep()
            if existing is None:
                return False
            try:
                return verified_digests(existing, self.validations, lambda: None) is not None
            finally:
                existing.close()

    def open_writer(self) -> Sink:
        """Return the entered sink of one run; raises WriteError where there is no writer."""
        if self.writer is None:
            raise WriteError("a download without a writer can only be opened with iter_content()")
        return self.writer.open().__enter__()

    def with_remote(self, remote: Remote | None) -> Self:
        """Return the same download through another remote."""
        copy = object.__new__(type(self))
        for name in Download.__slots__[1:]:
            object.__setattr__(copy, name, getattr(self, name))
        object.__setattr__(copy, "remote", remote)
        return copy

    def without_remote(self) -> Self:
        """Return the same download without its remote and credentials, as results keep it."""
        copy = self.with_remote(None)
        object.__setattr__(
            copy, "mirrors", tuple(each.without_credentials() for each in self.mirrors)
        )
        object.__setattr__(copy, "headers", ())
        return copy

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"a Download is frozen; {name!r} cannot be set")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"a Download is frozen; {name!r} cannot be deleted")

    def __getstate__(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in Download.__slots__[1:]}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        path = f", {str(self.path)!r}" if self.path is not None else ""
        return f"Download({self.url.redacted!r}{path})"
