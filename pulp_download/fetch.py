"""How a run gets its file: try by try into one sink, which is committed once, or discarded."""

from __future__ import annotations

import email.utils
from collections.abc import Collection, Generator, Mapping
from typing import TYPE_CHECKING, NamedTuple, Protocol

from pulp_download.adapters.awaited import Awaited
from pulp_download.adapters.framing import BUFFER_SIZE
from pulp_download.delivery import Delivery
from pulp_download.events import Teller
from pulp_download.existing import could_be_right, verified_digests
from pulp_download.hosts import Turn
from pulp_download.mirrors.mirror import Mirror
from pulp_download.statuses import modified
from pulp_download.validations import judges_content
from pulp_download.watch import Watch
from pulp_download.writers import Existing, Sink

if TYPE_CHECKING:
    from pulp_download.download import Download

_NOT_MODIFIED = frozenset({304})


class Kept(NamedTuple):
    """What stood at the target is the file: by its digests, or by what upstream answered."""

    size: int
    digests: dict[str, str]
    delivery: Delivery | None = None


class Deliver(Protocol):
    """How a source is asked, with these conditions; yields while an answer is awaited."""

    def __call__(
        self,
        source: Mirror,
        method: str,
        conditions: Mapping[str, str] = ...,
        answers: Collection[int] = ...,
        /,
    ) -> Generator[Awaited | Turn, None, Delivery]: ...


class Fetch:
    """The sink of one run, and what each try does with it. Used by one thread at a time."""

    __slots__ = ("_download", "_existing", "_sink", "_teller", "_watch")

    def __init__(self, download: Download, watch: Watch, teller: Teller):
        self._download = download
        self._watch = watch
        self._teller = teller
        self._sink: Sink | None = None
        self._existing: Existing | None = None

    def attempt(
        self, source: Mirror, deliver: Deliver
    ) -> Generator[Awaited | Turn, None, Delivery | Kept]:
        """One try: open, write, verify, commit. Raises DownloadErrors, but for bugs."""
        if self._sink is None:
            self._sink = self._download.open_writer()
            if kept := self._kept_by_digest(self._sink):
                return kept
        else:
            self._sink.restart()
        delivery = yield from self._asked(source, deliver)
        try:
            if delivery.opened.status == 304 and self._existing is not None:
                self._keep()
                return Kept(self._existing.size, {}, delivery)
            self._store(delivery, self._sink)
        finally:
            delivery.close()
        if self._sink.is_dated:
            self._sink.mtime = modified(delivery.opened.header("last-modified"))
        self._watch.check()
        sink, self._sink = self._sink, None
        sink.__exit__(None, None, None)
        return delivery

    def discard(self, error: BaseException) -> None:
        """Leave the target as it was."""
        if self._sink is not None:
            sink, self._sink = self._sink, None
            sink.__exit__(type(error), error, None)

    def _asked(self, source: Mirror, deliver: Deliver) -> Generator[Awaited | Turn, None, Delivery]:
        if self._existing is None:
            return deliver(source, "GET")
        since = email.utils.formatdate(self._existing.mtime, usegmt=True)
        return deliver(source, "GET", {"If-Modified-Since": since}, _NOT_MODIFIED)

    def _store(self, delivery: Delivery, sink: Sink) -> None:
        """Write what passes the checks, until everything held."""
        while piece := delivery.receive(BUFFER_SIZE):
            if self._teller.has_observer:
                self._teller.progressed(delivery.received, delivery.size)
            sink.write(piece)

    def _kept_by_digest(self, sink: Sink) -> Kept | None:
        """Judge what is there already; remember it if only upstream can tell about it."""
        existing = sink.existing()
        if existing is None:
            return None
        validations = self._download.validations
        self._watch.may_block()
        try:
            digests = verified_digests(existing, validations, self._watch.check)
            if digests is not None:
                self._keep()
                return Kept(existing.size, digests)
            if could_be_right(existing, validations) and not judges_content(validations):
                self._existing = existing
            return None
        finally:
            existing.close()

    def _keep(self) -> None:
        assert self._sink is not None
        sink, self._sink = self._sink, None
        sink.keep()
        sink.__exit__(None, None, None)
