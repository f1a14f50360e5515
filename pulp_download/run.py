"""One run of one download: the state that a description does not have.

A run is a sequence of steps. ``advance()`` works until the file is there, or until there is nothing
to do before some moment; then it says so and lets go of its thread, which a batch gives to another
run and ``Download.run()`` puts to sleep.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from urllib3 import HTTPHeaderDict

from pulp_download.adapters.awaited import Awaited
from pulp_download.asking import Opened
from pulp_download.content import Content
from pulp_download.delivery import Delivery, answered, deliver
from pulp_download.errors import Cancelled, DownloadError, WriteError
from pulp_download.events import SILENT, Finished, Observer, Started, Teller, TryFailed
from pulp_download.fetch import Fetch, Kept
from pulp_download.hosts import Turn
from pulp_download.mirrors.mirror import Mirror
from pulp_download.remote import Remote
from pulp_download.result import Result
from pulp_download.retries import Attempts, GiveUp, Try, Wait
from pulp_download.rivals import Rivals
from pulp_download.validations import expected_size
from pulp_download.watch import Watch
from pulp_download.watchdog import watchdog

if TYPE_CHECKING:
    from pulp_download.download import Download

log = logging.getLogger(__name__)

# Statuses that are handed on as they are: answers to conditions and ranges.
_ANSWERS_TO_CONDITIONS = frozenset({206, 304, 412, 416})
_NO_HEADERS: Mapping[str, str] = MappingProxyType({})

Outcome = TypeVar("Outcome")
# What leads to an outcome, by way of moments at which there is nothing to do.
Steps = Generator[Wait | Awaited | Turn, None, Outcome]


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
    ):
        self.download = download
        self.place = place  # where it writes, for an owner who lets nobody else write there
        self._remote = remote
        self._watch = Watch(remote.time_limits, (download, remote, owner))
        self._turn = self._watch.turn = Turn(remote.hosts, self._watch)
        self._watch.speed = remote.speed
        self._teller = Teller(download, observer) if observer is not None else SILENT
        self._headers = headers or _NO_HEADERS
        if download.headers:
            self._headers = {**dict(download.headers), **self._headers}
        self._answers = _ANSWERS_TO_CONDITIONS if headers else ()
        self._steps: Steps[Any] | None = None
        self._has_begun = self._is_watched = False
        self._attempts = Attempts(remote.retry_policy, remote.places(download.mirrors))
        self._source = download.mirrors[0]  # of the present try
        self._fetch = Fetch(download, remote.settings, self._watch, self._teller)

    def cancel(self) -> bool:
        """Stop this run from any thread; tell whether it was not stopped before."""
        return self._watch.cancel()

    def enqueue(self, wake: Callable[[], None]) -> None:
        """Let this run be stopped although it has not begun; then ``wake`` is called."""
        self._is_watched = True
        watchdog.add(self._watch)
        self.drop_by(wake)

    def drop(self) -> DownloadError:
        """Give up a run that was stopped while it was queued; return why."""
        error = self._watch.verdict or Cancelled()
        self._fetch.discard(error)
        self._end(None, error)
        return error

    def drop_by(self, drop: Callable[[], None]) -> None:
        """Have a stop call ``drop``, from any thread, perhaps more than once."""
        self._watch.on_stop = drop
        if self._watch.verdict is not None:
            drop()

    def wake_by(self, wake: Callable[[], None]) -> None:
        """Have the end of a wait for a host, and a stop, call ``wake``; as :meth:`drop_by`."""
        self._turn.wake = wake
        self.drop_by(wake)
        if self._turn.host is not None:
            wake()

    def advance(self, on_block: Callable[[], None] | None = None) -> Result | Wait | Awaited | Turn:
        """Work until the file is there, or until nothing can be done before a moment.

        With ``on_block``, which is called before anything else that may take a while, also until
        there is an answer to wait for; going on before it begins blocks. Raises the last failure
        when there is nothing left to try; then, and with a Result, the run is over and holds
        nothing.
        """
        self._watch.on_block = on_block
        if self._steps is None:
            self._steps = self._next(self._attempt)
        try:
            step = next(self._steps)
            while on_block is None and isinstance(step, Awaited):
                step = next(self._steps)
            return step
        except StopIteration as end:
            result = self._result(end.value)
            self._end(result, None)
            return result
        except BaseException as error:
            self.abandon(error)
            raise

    def connect(self, method: str, chunk_size: int) -> Content | Wait | Turn:
        """Work until an answer is open. Its bytes are the caller's and are not tried again."""
        if self._steps is None:
            self._steps = self._next(lambda source: self._deliver(source, method))
        try:
            while isinstance(step := next(self._steps), Awaited):
                pass
            return step
        except StopIteration as end:
            return self._hand_over(end.value, chunk_size)
        except BaseException as error:
            self._end(None, error)
            raise

    def abandon(self, error: BaseException) -> None:
        """End a run that is waiting, because its runner leaves with this error."""
        if self._steps is not None:
            self._steps.close()
        self._fetch.discard(error)
        self._end(None, error)

    def _next(
        self, action: Callable[[Mirror], Generator[Awaited | Turn, None, Outcome]]
    ) -> Steps[Outcome]:
        """Take steps until one has an outcome."""
        self._begin()
        while True:
            step = self._attempts.next_step()
            if isinstance(step, GiveUp):
                raise step.error
            try:
                self._watch.begin_try()
                if isinstance(step, Try):
                    self._source = yield from self._placed(step.sources)
                    return (yield from action(self._source))
            except DownloadError as error:
                self._failed(error)
                continue
            yield step

    def _attempt(self, source: Mirror) -> Generator[Awaited | Turn, None, Delivery | Kept]:
        """Fetch from a source, as long as no other one is much faster."""
        others = [mirror for mirror in self._attempts.untried if mirror is not source]
        if others:
            size = expected_size(self.download.validations)
            self._watch.rivals = Rivals(self._remote.hosts, others, size, time.monotonic())
        return self._fetch.attempt(source, self._ask)

    def _placed(self, sources: Sequence[Mirror]) -> Generator[Turn, None, Mirror]:
        """Choose a source whose host has a place for this run, and take it."""
        hosts = self._remote.hosts
        if len(sources) > 1:
            sources = hosts.ranked(sources, self._remote.policy)
        wanted = [hosts.at(source.absolute.origin) for source in sources]
        if not self._turn.take(wanted):
            yield from self._awaiting()
            if not self._attempts.history:
                self._watch.start()  # that was queueing
        assert self._turn.host is not None
        return sources[wanted.index(self._turn.host)]

    def _awaiting(self) -> Generator[Turn, None, None]:
        """Wait for a place."""
        while self._turn.host is None:
            yield self._turn
            self._watch.check()

    def _ask(
        self, source: Mirror, conditions: Mapping[str, str], answers: Collection[int]
    ) -> Generator[Awaited | Turn, None, Opened]:
        """Ask for the source, with these conditions below the caller's own."""
        headers = {**conditions, **self._headers} if conditions else self._headers
        return answered(
            self._remote, source, self._watch, method="GET", headers=headers, answers=answers
        )

    def _deliver(self, source: Mirror, method: str) -> Generator[Awaited | Turn, None, Delivery]:
        return deliver(
            self._remote,
            source,
            self._watch,
            method=method,
            headers=self._headers,
            answers=self._answers,
            validations=self.download.validations,
        )

    def _result(self, got: Delivery | Kept) -> Result:
        size, digests, delivery = (
            got if isinstance(got, Kept) else (got.received, got.digests or {}, got)
        )
        url = self._source.url
        shown = final_url = url.redacted
        if delivery is not None and delivery.opened.url is not url:
            final_url = delivery.opened.url.redacted
        return Result(
            self.download,
            shown,
            final_url.partition("?")[0],
            size,
            digests,
            delivery.opened.fields if delivery is not None else HTTPHeaderDict(),
            length_verified=delivery.length_verified if delivery is not None else True,
            elapsed=time.monotonic() - self._watch.started,
            attempts=self._attempts.history,
            present=got is not delivery,
        )

    def _hand_over(self, delivery: Delivery, chunk_size: int) -> Content:
        """Let the caller's reading be the end of this run."""

        def ended(content: Content, error: DownloadError | None) -> None:
            if error is None and not content.is_verified:
                error = Cancelled("closed before its end")
            if error is not None:
                self._attempts.failed(self._source, error)
                self._end(None, error)
            else:
                self._end(self._result(delivery), None)

        content = Content(delivery, self._watch, chunk_size=chunk_size)
        if self._teller.has_observer:
            content.on_progress = self._teller.progressed
        content.when_over(ended)
        return content

    def _begin(self) -> None:
        if self._has_begun:
            return
        self._has_begun = True
        self._watch.start()
        if not self._is_watched:
            watchdog.add(self._watch)
        if self._teller.has_observer:
            self._teller.tell(Started)
        self._remote.check_open()  # after the above, so that a close in between finds this run

    def _end(self, result: Result | None, error: BaseException | None) -> None:
        self._turn.leave(error if isinstance(error, DownloadError) else None)
        # They may know this run, and cycles wait for the collector.
        self._watch.on_stop = self._watch.on_block = self._steps = None
        self._watch.turn = self._turn.wake = None
        watchdog.discard(self._watch)
        if self._has_begun and self._teller.has_observer:
            failure = error if isinstance(error, DownloadError) else None
            elapsed = time.monotonic() - self._watch.started
            self._teller.tell(Finished, result, failure, elapsed)

    def _failed(self, error: DownloadError) -> None:
        if not isinstance(error, WriteError):
            error.at(self._source.url.redacted)
        self._turn.leave(error)
        wait = self._attempts.failed(self._source, error, self._watch.delivered)
        log.debug("%s", error.message)
        self._teller.tell(TryFailed, self._attempts.history[-1], wait)
