"""One large file over several connections, and from several mirrors, at once.

What it is: threads that help a run with its file for as long as connections are idle: each takes a
part that nobody has, or half of what the slowest has left, and writes it in its place. What it is
not: a way around limits; a helper has a place at a host as every transfer has, and only while fewer
transfers are under way than a batch may run. It guarantees that no helper outlives the run's try,
and that a helper's failure is no failure of the file: somebody else gets its part. It relies on the
whole being judged afterwards, for its parts may come from different mirrors.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import NamedTuple

from pulp_download.adapters.wire import BUFFER_SIZE
from pulp_download.delivery import Ask, Delivery
from pulp_download.edition import Edition, content_coding
from pulp_download.errors import DownloadError, ProtocolViolation, WriteError
from pulp_download.mirrors.mirror import Mirror
from pulp_download.ranges import Span
from pulp_download.remote import Remote
from pulp_download.shares import Share, Shares
from pulp_download.steps import Asking, Outcome
from pulp_download.turns import Turn
from pulp_download.validations import Checks
from pulp_download.watch import Watch
from pulp_download.watchdog import watchdog
from pulp_download.writers import Sink

# Setbacks after which a source is not asked for parts any more in this try.
_PATIENCE = 3

# Seconds between two looks for a place at a host, or for something to do.
_LOOK = 0.1


class Setback(NamedTuple):
    """A source that failed a helper."""

    source: Mirror
    error: DownloadError
    received: int


class Segments:
    """Helpers for one try of a file. Made, entered and used by the run's thread.

    ``sources`` are where parts may come from; those beside ``first``, which gave the edition, are
    there only if a digest judges the whole. ``setbacks`` are what went wrong.
    """

    def __init__(
        self,
        shares: Shares,
        sink: Sink,
        edition: Edition,
        sources: Sequence[Mirror],
        first: Mirror,
        ask: Ask,
        remote: Remote,
        watch: Watch,
    ):
        self._shares = shares
        self._sink = sink
        self._edition = edition
        self._sources = list(sources)
        self._first = first
        self._ask = ask
        self._remote = remote
        self._watch = watch
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._helpers: list[tuple[threading.Thread, Watch]] = []
        self._failure: BaseException | None = None
        self.setbacks: list[Setback] = []

    def start(self, count: int) -> None:
        """Have so many helpers look for something to do; fewer if there are no more threads."""
        for _ in range(count):
            watch = Watch(self._remote.time_limits, self._watch.owners)
            watch.speed = self._remote.speed
            thread = threading.Thread(target=self._help, args=(watch,), name="pulp-segment")
            try:
                thread.start()
            except RuntimeError:
                return
            self._helpers.append((thread, watch))

    def stop(self) -> None:
        """Stop the helpers, and wait until they are gone."""
        self._over.set()
        for _, watch in self._helpers:
            watch.cancel()
        for thread, _ in self._helpers:
            thread.join()

    def check(self) -> None:
        """Raise the run's verdict, and what no helper can mend: a full disk, a bug."""
        self._watch.check()
        if self._failure is not None:
            raise self._failure

    def rest(self) -> None:
        """Let others go on for a moment."""
        self._over.wait(_LOOK)

    def receive(
        self, delivery: Delivery, share: Share, after_each: Callable[[], None] = lambda: None
    ) -> None:
        """Write what a delivery has of a part, as much of it as nobody else takes; close it."""
        shares = self._shares
        try:
            while allowed := shares.reserve(share, BUFFER_SIZE):
                piece = delivery.receive(allowed)
                if not piece:
                    break
                with self._lock:  # some sinks can do one thing at a time
                    self._sink.write_at(share.position, piece)
                shares.advance(share, len(piece))
                after_each()
                if self._over.is_set():
                    break
        finally:
            delivery.close()

    def part(self, source: Mirror, share: Share, watch: Watch) -> Asking[Delivery]:
        """Ask for a part; return an answer that has its bytes and no others."""
        span = Span(share.position, share.stop)
        conditions = {"Range": span.asked}
        is_first = source is self._first
        if is_first and self._edition.validator is not None:
            conditions["If-Range"] = self._edition.validator
        opened = yield from self._ask(source, conditions, _PARTS, watch)
        told = opened.header("content-range")
        is_it = (
            span.is_answered_by(opened.status, told, self._shares.total)
            and content_coding(opened.header) == self._edition.coding
            and not (is_first and self._edition.is_contradicted_by(opened.header))
        )
        if not is_it:
            opened.answer.abandon()
            raise _unsuitable(opened.status)
        return Delivery(opened, source, watch, (), self._remote.settings, checks=Checks(()))

    def _help(self, watch: Watch) -> None:
        watch.start()
        watchdog.add(watch)
        turn = watch.turn = Turn(self._remote.hosts, watch)
        try:
            while not self._over.is_set() and not self._shares.is_done:
                has_work = self._shares.has_work()
                source = self._source_with_a_place(turn) if has_work else None
                share = self._shares.take() if source is not None else None
                if source is None or share is None:
                    self._remote.hosts.give_back(turn)
                    self._over.wait(_LOOK)
                    continue
                self._fetch(source, share, watch, turn)
        except BaseException as error:  # noqa: BLE001 (the run's thread raises it)
            self._failure = error
        finally:
            self._remote.hosts.give_back(turn)
            watch.turn = None
            watchdog.discard(watch)

    def _source_with_a_place(self, turn: Turn) -> Mirror | None:
        """Return a source at whose host this helper has a place, if there is one to spare."""
        hosts, sources = self._remote.hosts, tuple(self._sources)
        if len(sources) > 1:
            sources = tuple(hosts.ranked(sources, self._remote.policy))
        wanted = [hosts.at(source.absolute.origin) for source in sources]
        if not wanted or not hosts.admit_extra(turn, wanted):
            return None
        assert turn.host is not None
        return sources[wanted.index(turn.host)]

    def _fetch(self, source: Mirror, share: Share, watch: Watch, turn: Turn) -> None:
        """Fetch a part; a failure is noted, and its source not asked again if it is of no use."""
        error: DownloadError | None = None
        try:
            watch.begin_try()
            self.receive(_driven(self.part(source, share, watch), watch), share)
        except DownloadError as failed:
            error = failed
            if self._over.is_set():  # stopped, which is neither a failure nor a success of the host
                return
            if isinstance(failed, WriteError):
                raise
            error = failed.at(source.url.redacted).without_frames()
            self._note(Setback(source, error, watch.delivered))
        finally:
            self._shares.end(share)
            turn.leave(error)

    def _note(self, setback: Setback) -> None:
        with self._lock:
            self.setbacks.append(setback)
            count = sum(one.source is setback.source for one in self.setbacks)
            is_useless = not setback.error.retryable or count > _PATIENCE
            if is_useless and setback.source in self._sources:
                self._sources.remove(setback.source)


_PARTS = frozenset({206})


def _driven(steps: Asking[Outcome], watch: Watch) -> Outcome:
    """Go through the steps of a request in this thread, which waits."""
    woken = threading.Event()
    while True:
        try:
            step = next(steps)
        except StopIteration as end:
            outcome: Outcome = end.value
            return outcome
        if isinstance(step, Turn):
            step.wake = watch.on_stop = woken.set
            if step.host is None and watch.verdict is None:
                woken.wait()
            woken.clear()


def _unsuitable(status: int) -> ProtocolViolation:
    error = ProtocolViolation("no suitable answer to a range", status=status)
    error.retryable = False  # for parts of this file
    return error
