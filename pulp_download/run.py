"""One run of one download: the state that a description does not have.

A run is a sequence of steps. ``advance()`` works until the file is there, or until there is nothing
to do before some moment; then it says so and lets go of its thread, which a batch gives to another
run and ``Download.run()`` puts to sleep.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

from pulp_download.adapters.awaited import Awaited
from pulp_download.asking import Opened
from pulp_download.content import Content
from pulp_download.delivery import Delivery, deliver
from pulp_download.errors import Cancelled, DownloadError, WriteError
from pulp_download.fetch import Fetch
from pulp_download.kept import Kept
from pulp_download.mirrors.mirror import Mirror
from pulp_download.outcome import result_of
from pulp_download.remote import Remote
from pulp_download.result import Result
from pulp_download.retries import Wait
from pulp_download.sources import Sources
from pulp_download.steps import Asking, Outcome, Steps
from pulp_download.telling import SILENT, Observer, Teller
from pulp_download.turns import Turn
from pulp_download.watch import Watch
from pulp_download.watchdog import watchdog

if TYPE_CHECKING:
    from pulp_download.download import Download
    from pulp_download.resuming import Resuming

log = logging.getLogger(__name__)

# Statuses that are handed on as they are: answers to conditions and ranges.
_ANSWERS_TO_CONDITIONS = frozenset({206, 304, 412, 416})
_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class Run:
    """One run, used by one thread at a time; ``cancel`` and its owners stop it from any thread."""

    def __init__(
        self,
        download: Download,
        remote: Remote,
        observer: Observer | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        owner: object = None,
        place: str | None = None,
        looks_ahead: bool = False,
    ):
        self.download = download
        self.place = place  # where it writes, for an owner who lets nobody else write there
        self._looks_ahead = looks_ahead  # a wrong body that came with its head is a failed try
        self._remote = remote
        self._watch = Watch(remote.time_limits, (download, remote, owner))
        self._watch.speed = remote.speed
        self._sources = Sources(download, remote, self._watch)
        self._teller = Teller(download, observer) if observer is not None else SILENT
        self._headers = headers or _NO_HEADERS
        if download.headers:
            self._headers = {**dict(download.headers), **self._headers}
        self._answers = _ANSWERS_TO_CONDITIONS if headers else ()
        self._steps: Steps[Any] | None = None
        self._has_begun = self._is_watched = False
        self._fetch = Fetch(download, remote, self._watch, self._teller)
        self._delivery: Delivery | None = None
        self._resuming: Resuming | None = None

    def cancel(self) -> bool:
        """Stop this run from any thread; tell whether it was not stopped before."""
        return self._watch.cancel()

    def enqueue(self, drop: Callable[[], None]) -> None:
        """Let this run be stopped although it has not begun; see :meth:`drop_by`."""
        self._is_watched = True
        watchdog.add(self._watch)
        self.drop_by(drop)

    def drop(self) -> DownloadError:
        """Give up a run that was stopped while it was queued; return why."""
        error = self._watch.verdict or Cancelled()
        if self._steps is not None:
            self._steps.close()
            self._failed(error)
        self.abandon(error)
        return error

    @property
    def is_stopped(self) -> bool:
        """Somebody stopped it, or its time is over; not only its try."""
        verdict = self._watch.verdict
        return verdict is not None and verdict.final

    def drop_by(self, drop: Callable[[], None]) -> None:
        """Have a stop call ``drop``, from any thread, perhaps more than once."""
        self._watch.on_stop = drop
        if self._watch.verdict is not None:
            drop()

    def wake_by(self, wake: Callable[[], None]) -> None:
        """Have the end of a wait for a host, and a stop, call ``wake``; as :meth:`drop_by`."""
        self.drop_by(wake)
        self._sources.wake_by(wake)
        if self._sources.has_place:
            wake()

    def advance(self, on_block: Callable[[], None] | None = None) -> Result | Wait | Awaited | Turn:
        """Work until the file is there, or until nothing can be done before a moment.

        With ``on_block``, which is called before anything else that may take a while, also until
        there is an answer to wait for; going on before it begins blocks. Raises the last failure
        when there is nothing left to try; then, and with a Result, the run is over and holds
        nothing.
        """
        if self._steps is None:
            self._steps = self._next(
                lambda source: self._fetch.attempt(source, self._sources.untried, self._ask)
            )
        try:
            step = self._step(on_block)
            if isinstance(step, (Awaited, Wait, Turn)):
                return step
            result = self._result(step)
            self._end(result, None)
            return result
        except BaseException as error:
            self.abandon(error)
            raise

    def connect(
        self, method: str, chunk_size: int, on_block: Callable[[], None] | None
    ) -> Content | Wait | Awaited | Turn:
        """Work until an answer is open. Its bytes are the caller's, who abandons what is raised."""
        if self._steps is None:
            self._steps = self._next(lambda source: self._deliver(source, method))
        step = self._step(on_block)
        return self._hand_over(step, chunk_size) if isinstance(step, Delivery) else step

    def may_go_on(self, broken: Delivery, error: DownloadError) -> bool:
        """Tell whether the rest of a body that broke is worth asking for; then it is asked for."""
        if self._answers:
            return False  # what is passed on as it is
        if self._resuming is None:
            from pulp_download.resuming import Resuming  # which few bodies come to

            self._resuming = Resuming(self.download.validations, self._remote.settings, self._watch)
        resuming = self._resuming
        if not resuming.is_possible(broken, error):
            return False
        self._failed(error)
        self._steps = self._next(lambda source: resuming.from_source(source, self._ask))
        return True

    def go_on(self) -> Delivery | Wait | Turn:
        """Work until the rest is open; raises the last failure where it is not to be had."""
        self._watch.may_block()
        step = self._step(None)
        if isinstance(step, Delivery):
            self._delivery = step
        assert not isinstance(step, Awaited)
        return step

    def _step(self, on_block: Callable[[], None] | None) -> Delivery | Wait | Awaited | Turn:
        assert self._steps is not None
        self._watch.on_block = on_block
        try:
            while isinstance(step := next(self._steps), Awaited) and on_block is None:
                pass
        except StopIteration as end:
            return cast(Delivery, end.value)
        return step

    def abandon(self, error: BaseException) -> None:
        """End a run that is waiting, because its runner leaves with this error."""
        try:
            if self._steps is not None:
                self._steps.close()
            self._fetch.discard(error)
        finally:
            self._end(None, error)

    def _next(self, action: Callable[[Mirror], Asking[Outcome]]) -> Steps[Outcome]:
        """Take steps until one has an outcome."""
        self._begin()
        while True:
            try:
                source = yield from self._sources.next()
                if source is not None:
                    return (yield from action(source))
            except DownloadError as error:
                self._failed(error)
                continue
            finally:
                if self._fetch.setbacks:
                    self._sources.note(self._fetch.setbacks)
            assert self._sources.error is not None
            raise self._sources.error

    def _ask(
        self,
        source: Mirror,
        conditions: Mapping[str, str] | None = None,
        answers: Collection[int] = (),
        watch: Watch | None = None,
    ) -> Asking[Opened]:
        """Ask for the source, with these conditions below the caller's own.

        A helper has a ``watch`` of its own, and what it is told is not listened to.
        """
        headers = {**conditions, **self._headers} if conditions else self._headers
        return self._remote.opening(
            source,
            watch or self._watch,
            method="GET",
            headers=headers,
            answers=answers,
            hear=self._sources.hear if watch is None else None,
        )

    def _deliver(self, source: Mirror, method: str) -> Asking[Delivery]:
        """Ask for the source on behalf of a caller, whose pace counts once the answer is there."""
        delivery = yield from deliver(
            self._remote,
            source,
            self._watch,
            method=method,
            headers=self._headers,
            answers=self._answers,
            validations=self.download.validations,
            hear=self._sources.hear,
        )
        try:
            self._watch.forget_rivals()
            if self._looks_ahead:
                delivery.look_ahead()
        except BaseException:
            delivery.close()
            raise
        return delivery

    def _result(self, got: Delivery | Kept) -> Result:
        return result_of(self.download, got, self._sources, self._watch.started, self._fetch.stat)

    def _hand_over(self, delivery: Delivery, chunk_size: int) -> Content:
        """Let the caller's reading be the end of this run."""

        def ended(content: Content, error: DownloadError | None) -> None:
            if error is None and not content.is_verified:
                error = Cancelled("closed before its end")
            if error is not None:
                if error is not self._sources.error:  # which has been told already
                    self._sources.failed(error)
                self._end(None, error)
            else:
                self._end(self._result(self._delivery or delivery), None)

        self._delivery = delivery
        content = Content(delivery, self._watch, chunk_size=chunk_size)
        if self._teller.has_observer:
            content.on_progress = self._teller.progressed
            if delivery.ahead:
                self._teller.progressed(delivery.received, delivery.size)
        content.when_over(ended)
        return content

    def _begin(self) -> None:
        if self._has_begun:
            return
        self._has_begun = True
        self._watch.started = time.monotonic()
        if not self._is_watched:
            watchdog.add(self._watch)
        self._teller.started()
        self._remote.check_open()  # after the above, so that a close in between finds this run

    def _end(self, result: Result | None, error: BaseException | None) -> None:
        self._sources.leave(error if isinstance(error, DownloadError) else None)
        # They may know this run, and cycles wait for the collector.
        self._watch.on_stop = self._watch.on_block = self._steps = None
        watchdog.discard(self._watch)
        if self._has_begun and self._teller.has_observer:
            failure = error if isinstance(error, DownloadError) else None
            teller, self._teller = self._teller, SILENT  # it ends once
            teller.finished(result, failure, time.monotonic() - self._watch.started)

    def _failed(self, error: DownloadError) -> None:
        if not isinstance(error, WriteError):
            error.at(self._sources.current.url.redacted)
        wait = self._sources.failed(error)
        log.debug("%s", error.message)
        self._teller.try_failed(self._sources.history[-1], wait)
