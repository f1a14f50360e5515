"""How a run gets its file: try by try into one sink, which is committed once, or discarded."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from pulp_download.adapters.wire import BUFFER_SIZE
from pulp_download.asking import Opened
from pulp_download.delivery import Ask, Delivery
from pulp_download.errors import (
    DownloadError,
    PieceMismatch,
    ProtocolViolation,
    ValidationError,
    WriteError,
)
from pulp_download.existing import needs_upstream, unchanged
from pulp_download.kept import Kept, judged, keep
from pulp_download.mirrors.mirror import Mirror
from pulp_download.remote import Remote
from pulp_download.statuses import modified
from pulp_download.steps import Asking
from pulp_download.telling import Teller
from pulp_download.validations import judges_content, repairable
from pulp_download.watch import Watch
from pulp_download.writers import Existing, Sink

if TYPE_CHECKING:
    from pulp_download.download import Download
    from pulp_download.making import Making
    from pulp_download.repair import Repair
    from pulp_download.segments import Setback
    from pulp_download.sharing import Sharing

log = logging.getLogger(__name__)

_NOT_MODIFIED = frozenset({304})


class Fetch:
    """The sink of one run, and what each try does with it. Used by one thread at a time."""

    __slots__ = (
        "_download",
        "_existing",
        "_is_touched",
        "_made",
        "_may_share",
        "_remote",
        "_repair",
        "_sharing",
        "_sink",
        "_teller",
        "_validations",
        "_watch",
        "setbacks",
        "stat",
    )

    def __init__(self, download: Download, remote: Remote, watch: Watch, teller: Teller):
        self._download = download
        self._validations = repairable(download.validations)
        self._remote = remote
        self._watch = watch
        self._teller = teller
        self._sink: Sink | None = None
        self._is_touched = False  # there may be bytes in the sink
        self._made: Making | None = None
        self._repair: Repair | None = None
        self._sharing: Sharing | None = None
        self._may_share = remote.settings.segments > 1
        self.setbacks: list[Setback] = []
        self.stat: os.stat_result | None = None
        self._existing: Existing | None = None

    def attempt(
        self, source: Mirror, others: Sequence[Mirror], ask: Ask
    ) -> Asking[Delivery | Kept]:
        """One try: open, write, verify, commit. Raises DownloadErrors, but for bugs.

        ``others`` are sources that parts of a large file may come from as well; ``setbacks`` are
        what became of such parts.
        """
        if self._sink is None:
            self._sink = self._download.open_writer()
            if (existing := self._sink.existing()) is not None:
                self._watch.may_block()
                if kept := judged(existing, self._validations, self._watch.check):
                    self._keep()
                    return kept
                if needs_upstream(existing, self._validations):
                    self._existing = existing
            if self._sink.is_lasting:
                self._made = self._found(self._sink)
        delivery = None
        if self._sharing is not None and not self._sharing.may_go_on_with(source):
            self._sharing = None
        if self._sharing is not None:
            delivery = yield from self._shared(self._sharing, source, others, ask)
        if delivery is None and self._repair is None:
            if self._made is not None:
                delivery = yield from self._continued(self._made, source, ask)
            if delivery is None and self._repair is None:
                if self._existing is None:
                    opened = yield from ask(source)
                else:
                    opened = yield from ask(source, unchanged(self._existing), _NOT_MODIFIED)
                delivery = self._afresh(opened, source)
                if opened.status == 304 and self._existing is not None:
                    self._keep()
                    return Kept(self._existing.size, {}, delivery)
        if self._sharing is not None and delivery is not None and delivery.digests is None:
            delivery = yield from self._shared(self._sharing, source, others, ask)
            if delivery is None and self._repair is None:
                opened = yield from ask(source)
                delivery = self._afresh(opened, source)
        if self._repair is not None:
            delivery = yield from self._mended(self._repair, source, ask)
        assert delivery is not None
        self._commit(delivery)
        return delivery

    def discard(self, error: BaseException) -> None:
        """Leave the target as it was."""
        if self._sink is not None:
            sink, self._sink = self._sink, None
            if self._made is None and sink.is_lasting:
                with suppress(WriteError):  # the first error is the one to tell
                    sink.restart()
            sink.__exit__(type(error), error, None)

    def _continued(self, made: Making, source: Mirror, ask: Ask) -> Asking[Delivery | None]:
        """Have the rest, or whatever else the source answers.

        None to ask for the whole file, or for pieces of it. What came in two parts and is wrong
        says nothing about the source: the parts may not belong together. So it is no failed try.
        """
        is_judged = judges_content(self._validations)
        conditions = made.conditions(source, is_judged=is_judged)
        if conditions is None:
            return None
        opened = yield from ask(source, conditions, made.answers)
        if opened.status == 200:
            return self._afresh(opened, source)
        total = made.total_with(opened, source)
        if total is None or opened.status == 416:
            opened.answer.drain()
        if total is None:
            log.debug("%s: an unsuitable answer to a range", source.url.redacted)
            return None
        try:
            delivery = Delivery(
                opened,
                source,
                self._watch,
                self._validations,
                self._remote.settings,
                checks=made.checks,
                total=total,
            )
            self._stored(delivery)
        except (ValidationError, ProtocolViolation) as error:
            if self._repair is not None:
                raise
            log.debug("%s: continued, and wrong: %s", source.url.redacted, error.message)
            self._repair = made.repair() if isinstance(error, PieceMismatch) else None
            self._made = None if self._repair is None else made
            return None
        return delivery

    def _afresh(self, opened: Opened, source: Mirror) -> Delivery:
        """Store an answer from the first byte on; what there was goes when this has begun."""
        validations = self._validations if opened.status != 304 else ()
        delivery = Delivery(opened, source, self._watch, validations, self._remote.settings)
        if opened.status == 304:
            delivery.close()
        else:
            self._begin(delivery)
        return delivery

    def _begin(self, delivery: Delivery) -> None:
        """Store the whole of an answer, unless it is to be fetched in parts."""
        sink = self._sink
        assert sink is not None
        try:
            if self._is_touched:
                sink.restart()
                self._made = None
            self._is_touched = True
            if self._may_share:
                from pulp_download.sharing import shared  # which only large files need

                self._sharing = shared(delivery, sink, self._validations, self._remote, self._watch)
            if self._sharing is None:
                self._stored(delivery)
        except BaseException:
            delivery.close()
            raise

    def _shared(
        self, sharing: Sharing, source: Mirror, others: Sequence[Mirror], ask: Ask
    ) -> Asking[Delivery | None]:
        """Have the file in parts; None for a clean start, or for pieces of it."""
        try:
            return (yield from sharing.attempt(source, others, ask, self._teller))
        except DownloadError as error:
            if error.final or not (sharing.is_hopeless or isinstance(error, ValidationError)):
                raise
            log.debug("%s: not to be had in parts: %s", source.url.redacted, error.message)
            self._sharing, self._may_share = None, False
            self._repair = sharing.repair() if isinstance(error, PieceMismatch) else None
            return None
        finally:
            self.setbacks, sharing.setbacks = [*self.setbacks, *sharing.setbacks], []

    def _stored(self, delivery: Delivery) -> None:
        """Write what passes the checks, until everything held; remember what is left if not."""
        sink = self._sink
        assert sink is not None
        began = delivery.checks.received
        try:
            piece = delivery.receive(BUFFER_SIZE)
            # What came in one piece will be whole in a moment.
            if sink.is_lasting and self._made is None and not delivery.is_all_read:
                from pulp_download.notes import describe  # which is for FileWriter(resume=True)

                describe(sink, delivery, self._validations)
            while piece:
                if self._teller.has_observer:
                    self._teller.progressed(delivery.received, delivery.size)
                sink.write(piece)
                piece = delivery.receive(BUFFER_SIZE)
        except PieceMismatch as error:
            self._blame(delivery, began, error)
        except BaseException as error:
            from pulp_download.making import left_by  # which few deliveries come to

            self._made = left_by(delivery, error, self._made)
            raise
        finally:
            delivery.close()

    def _blame(self, delivery: Delivery, began: int, error: PieceMismatch) -> None:
        """Have wrong pieces mended; raises the error of one that was wholly in this delivery."""
        from pulp_download.making import made_by

        made = made_by(delivery, self._made)
        self._repair = made.repair()
        self._made = None if self._repair is None else made
        own = error if self._repair is None else self._repair.error(since=began)
        if own is not None:
            raise own from None

    def _mended(self, repair: Repair, source: Mirror, ask: Ask) -> Asking[Delivery]:
        """Have wrong pieces fetched again, and the whole judged."""
        from pulp_download.mending import Mending  # for files that are judged by pieces

        assert self._sink is not None
        mending = Mending(
            repair, self._sink, self._validations, self._remote.settings, self._watch, self._teller
        )
        try:
            return (yield from mending.from_source(source, ask))
        except ValidationError:
            if repair.is_done:  # the pieces are right, and the file is not
                self._repair = self._made = None
            raise

    def _found(self, sink: Sink) -> Making | None:
        """Return what an earlier run left, if it can be gone on with."""
        facts = sink.found()
        if not facts:
            return None
        from pulp_download.notes import recalled

        self._watch.may_block()
        self._is_touched = True
        made = recalled(facts, self._validations, sink.chunks(), self._watch.check)
        if made is not None and made.offset == made.total:
            self._repair = made.repair()
        return made

    def _commit(self, delivery: Delivery) -> None:
        assert self._sink is not None
        if self._sink.is_dated:
            self._sink.mtime = modified(delivery.opened.header("last-modified"))
        self._watch.check()
        sink, self._sink = self._sink, None
        sink.__exit__(None, None, None)
        self.stat = sink.stat

    def _keep(self) -> None:
        assert self._sink is not None
        sink, self._sink = self._sink, None
        self.stat = keep(sink)
