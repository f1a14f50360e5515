"""A large file that is fetched in parts: what outlives a try, and how a try goes on with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pulp_download.delivery import Ask, Delivery
from pulp_download.edition import edition_of
from pulp_download.mirrors.mirror import Mirror
from pulp_download.remote import Remote
from pulp_download.repair import Repair, repair_of
from pulp_download.segments import Segments, Setback
from pulp_download.shares import Shares
from pulp_download.steps import Asking
from pulp_download.telling import Teller
from pulp_download.validations import Validation, judges_content
from pulp_download.watch import Watch
from pulp_download.writers import Sink


class Sharing:
    """The parts of one file that are there, and the answer that says what file it is.

    State of one run. The first bytes, up to where the first helper began, are seen by the checks as
    they come; the rest is read from the sink when all of it is there.
    """

    def __init__(
        self,
        delivery: Delivery,
        sink: Sink,
        validations: Sequence[Validation],
        remote: Remote,
        watch: Watch,
    ):
        assert delivery.size is not None
        self._validations = validations
        self._delivery = delivery
        self._sink = sink
        self._remote = remote
        self._watch = watch
        self._first = delivery.source
        self._edition = edition_of(delivery.opened.header, delivery.size)
        self._shares = Shares(0, delivery.size)
        self._begun = self._shares.take()  # what the answer is the beginning of, until it ends
        self._is_in_part = False
        sink.write(b"")  # there must be something to write into
        self.setbacks: list[Setback] = []

    def attempt(
        self, source: Mirror, others: Sequence[Mirror], ask: Ask, teller: Teller
    ) -> Asking[Delivery]:
        """Fetch what is missing, from this source and with helpers from all; judge the whole."""
        is_judged = judges_content(self._validations)
        sources = [*dict.fromkeys([source, *others])] if is_judged else [self._first]
        segments = Segments(
            self._shares,
            self._sink,
            self._edition,
            sources,
            self._first,
            ask,
            self._remote,
            self._watch,
        )
        try:
            self._watch.may_block()
            self._watch.forget_rivals()  # what helpers bring does not count as this try's
            segments.start(self._remote.settings.segments - 1)
            yield from self._own_parts(segments, source, self._telling(teller, segments))
        finally:
            self._let_go()
            segments.stop()
            self.setbacks += segments.setbacks
        segments.check()
        self._judge()
        return self._delivery

    def may_go_on_with(self, source: Mirror) -> bool:
        """Tell whether this source may give the rest: another one only if a digest judges it."""
        return source is self._first or judges_content(self._validations)

    @property
    def is_hopeless(self) -> bool:
        """A part was asked for, and none has ever come."""
        return self._is_in_part and self._shares.received == self._delivery.received

    def repair(self) -> Repair | None:
        """Return what is to be mended of the file, if its pieces tell."""
        return repair_of(self._delivery.checks)

    def _own_parts(
        self, segments: Segments, source: Mirror, tell: Callable[[], None]
    ) -> Asking[None]:
        """Fetch parts until nobody has anything left to do."""
        while not self._shares.is_done:
            tell()
            begun, self._begun = self._begun, None
            share = begun or self._shares.take()
            if share is None:
                segments.rest()
                continue
            self._is_in_part = begun is None
            try:
                delivery = self._delivery
                if begun is None:
                    delivery = yield from segments.part(source, share, self._watch)
                segments.receive(delivery, share, tell)
            finally:
                self._shares.end(share)

    def _let_go(self) -> None:
        """Close the answer that was there at the beginning, if nobody has come to read it."""
        begun, self._begun = self._begun, None
        if begun is not None:
            self._shares.end(begun)
            self._delivery.close()

    def _telling(self, teller: Teller, segments: Segments) -> Callable[[], None]:
        def tell() -> None:
            segments.check()
            if teller.has_observer:
                teller.progressed(self._shares.received, self._shares.total)

        return tell

    def _judge(self) -> None:
        """Have the checks see what helpers fetched."""
        delivery = self._delivery
        for chunk in self._sink.chunks(delivery.checks.received):
            self._watch.check()
            delivery.checks.update(chunk)
        delivery.conclude(delivery.checks)


def shared(
    delivery: Delivery,
    sink: Sink,
    validations: Sequence[Validation],
    remote: Remote,
    watch: Watch,
) -> Sharing | None:
    """Have several connections fetch what this delivery has just begun to; None if one is better.

    Without a digest and a validator nobody could tell whether the parts belong together.
    """
    edition = edition_of(delivery.opened.header, delivery.size)
    is_worth_it = (
        (judges_content(validations) or edition.validator is not None)
        and delivery.opened.status == 200
        and delivery.received == 0
        and delivery.size is not None
        and delivery.size >= remote.settings.segments_from
        and edition.coding is None
        and not edition.refuses_ranges
        and hasattr(sink, "write_at")
    )
    return Sharing(delivery, sink, validations, remote, watch) if is_worth_it else None
