"""Having the pieces of a file that were wrong fetched again, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence

from pulp_download.adapters.wire import BUFFER_SIZE
from pulp_download.asking import Opened
from pulp_download.delivery import Ask, Delivery
from pulp_download.edition import content_coding
from pulp_download.mirrors.mirror import Mirror
from pulp_download.ranges import PARTIAL, Span
from pulp_download.repair import Repair
from pulp_download.settings import Settings
from pulp_download.steps import Asking
from pulp_download.telling import Teller
from pulp_download.validations import Checks, Validation
from pulp_download.watch import Watch
from pulp_download.writers import Sink


class Mending:
    """The mending of one file in its sink, by one source after another."""

    def __init__(
        self,
        repair: Repair,
        sink: Sink,
        validations: Sequence[Validation],
        settings: Settings,
        watch: Watch,
        teller: Teller,
    ):
        self._repair = repair
        self._sink = sink
        self._validations = validations
        self._settings = settings
        self._watch = watch
        self._teller = teller

    def from_source(self, source: Mirror, ask: Ask) -> Asking[Delivery]:
        """Fetch what is missing; return the last answer, of a file that is whole and verified.

        Each span is asked for by itself. A source that answers with the whole file is read, and
        what is missing taken from it. Raises the PieceMismatch of a piece that this source has
        wrong as well; those that were right are missing no more.
        """
        repair = self._repair
        delivery = None
        for span in repair.spans():
            opened = yield from ask(source, {"Range": span.asked}, PARTIAL)
            if opened.status != 200 and not self._is_part(opened, span):
                opened.answer.drain()
                opened = yield from ask(source)
            delivery = self._taken(opened, source, span.start if opened.status == 206 else 0)
            if opened.status == 200:
                break
        error = repair.error()
        if error is not None:
            raise error
        assert delivery is not None
        self._judge(delivery)
        return delivery

    def _is_part(self, opened: Opened, span: Span) -> bool:
        """Tell whether an answer is what was asked for, of a file that could be this one."""
        told = opened.header("content-range")
        is_it = span.is_answered_by(opened.status, told, self._repair.total)
        return is_it and content_coding(opened.header) is None

    def _taken(self, opened: Opened, source: Mirror, position: int) -> Delivery:
        """Write what is missing in its place."""
        repair = self._repair
        repair.begin(position)
        counting = Checks(())
        delivery = Delivery(
            opened, source, self._watch, self._validations, self._settings, checks=counting
        )
        try:
            while not repair.is_done and (piece := delivery.receive(BUFFER_SIZE)):
                for offset, part in repair.take(piece):
                    self._sink.write_at(offset, part)
                if self._teller.has_observer:
                    self._teller.progressed(repair.present, repair.total)
        finally:
            delivery.close()
        return delivery

    def _judge(self, delivery: Delivery) -> None:
        """Read the file through all the checks: in its order, it has never been seen as it is."""
        self._watch.may_block()
        checks = Checks(self._validations)
        for chunk in self._sink.chunks():
            self._watch.check()
            checks.update(chunk)
        delivery.conclude(checks)
