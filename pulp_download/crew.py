"""The workers of one batch: long-lived loops in a thread pool, of which one is at the helm.

What it is: at most ``concurrency`` threads that begin downloads, go on with them, put those aside
that wait, and hand over what is done. What it is not: a scheduler; the order is that of submission.
It guarantees that at most ``concurrency`` downloads are under way and that every submitted one
comes out once, done. It relies on runs being stoppable at any moment (see
:mod:`~pulp_download.watchdog`), for ``stop`` waits for the workers.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Self

from pulp_download import exits
from pulp_download.adapters.awaited import Awaited
from pulp_download.download import Download
from pulp_download.errors import Cancelled, DownloadError, WriteError
from pulp_download.futures import DownloadFuture, Handover
from pulp_download.helm import Helm, Shift
from pulp_download.remote import Remote
from pulp_download.result import Result
from pulp_download.retries import Wait
from pulp_download.run import Run
from pulp_download.telling import Observer
from pulp_download.turns import Turn
from pulp_download.watchdog import Timer, watchdog

Outcome = Result | Wait | Turn | BaseException


class Crew:
    """Workers, what they have to do, and what they have done. Thread-safe; a context manager.

    What changes with every download is in sets and queues, of which each change is a single step of
    the interpreter: who takes a run out of ``_todo``, or a timer out of ``_waiting``, has it.
    ``submit`` and ``next_done`` are called by one thread at a time. While the worker at the helm is
    busy, what is done is handed over by the ``group``.
    """

    def __init__(self, concurrency: int, group: int, observer: Observer | None):
        self._concurrency = concurrency
        self._observer = observer
        self._todo: deque[Run] = deque()
        self._under_way: set[Run] = set()
        self._waiting: dict[Run, Timer | None] = {}
        self._places: set[str] = set()
        self._done = Handover(group)
        self._lock = threading.Lock()
        self._helm: Helm[Run] = Helm(self._hire, self._done.flush)
        self._executor = ThreadPoolExecutor(concurrency, "pulp-download")
        self._workers = 0
        self._threads: set[int] = set()
        self._remote: Remote | None = None
        self._is_stopped = False
        self.is_forked = False

    def __enter__(self) -> Self:
        with self._lock:
            if self._is_stopped:
                raise Cancelled("the batch is closed")
            self._helm.open()
        exits.crews.add(self)
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def submit(self, download: Download) -> None:
        """Have a download run; its future will come out of :meth:`next_done`."""
        place = download.place
        if place is not None:
            if place in self._places:
                reason = "another download of this batch is writing there"
                refused = WriteError(reason, path=place)
                self._done.put(DownloadFuture(download, refused))
                return
            self._places.add(place)
        remote = download.remote or self._shared_remote()
        remote.widen(self._concurrency)
        run = Run(download, remote, self._observer, owner=self, place=place)
        run.enqueue(partial(self._drop, run))
        self._todo.append(run)
        if self._is_stopped:  # only now, so that a stop in between finds this one
            run.cancel()
            self._drop(run)
            raise Cancelled("the batch was closed")
        self._wake()
        if not self._workers:
            self._hire()

    def has_done(self) -> bool:
        """Tell whether :meth:`next_done` would return at once."""
        return self._is_stopped or self._done.is_ready

    def next_done(self) -> DownloadFuture:
        """Wait for the next future that is done; raises Cancelled once the crew is stopped."""
        future = self._done.next()
        if future is None:
            raise Cancelled("the batch was closed")
        return future

    def stop(self) -> None:
        """Cancel every run, and wait until the workers are gone (but for the caller's own)."""
        if self.is_forked:
            return  # threads and connections are the parent's
        with self._lock:
            self._is_stopped = True
        self._done.close()  # first: what is cancelled now is not handed out
        self._give_up_waiting()
        watchdog.cancel(self)
        self._helm.ring()
        # Loops that no thread could be started for are still queued there.
        is_worker = threading.get_ident() in self._threads
        self._executor.shutdown(wait=not is_worker, cancel_futures=True)
        if not is_worker:
            self._helm.close()
        if self._remote is not None:
            self._remote.close()
        exits.crews.discard(self)
        watchdog.rest()

    def _shared_remote(self) -> Remote:
        if self._remote is None:
            self._remote = Remote()
        return self._remote

    def _wake(self) -> None:
        """Tell the worker at the helm, if it sleeps, that there is something to do."""
        if self._helm.is_asleep and self._has_news():
            self._helm.ring()

    def _has_news(self) -> bool:
        if self._todo:
            return len(self._under_way) < self._concurrency
        return self._is_stopped and not self._helm.has_parked

    def _hire(self) -> None:
        """Start another worker, if there may be one."""
        with self._lock:
            if self._is_stopped or self._workers >= self._concurrency:
                return
            try:
                self._executor.submit(self._work)
            except RuntimeError:  # no more threads to be had: go on with those there are
                if not self._workers:
                    raise
                self._concurrency = self._workers
            else:
                self._workers += 1

    def _work(self) -> None:
        self._threads.add(threading.get_ident())
        while (shift := self._helm.take()) is not None:
            with shift:
                self._steer(shift)

    def _steer(self, shift: Shift) -> None:
        """Do one thing after the other for as long as this worker is at the helm."""
        helm = self._helm
        while (run := self._next()) is not None:
            shift.begin_step()
            outcome = _outcome(run, shift.end)
            if not shift.end_step():
                self._end_elsewhere(run, outcome)
                return
            if isinstance(outcome, Awaited):
                helm.park(outcome, run)
            elif isinstance(outcome, (Wait, Turn)):
                self._put_aside(run, outcome)
            else:
                self._done.keep(self._settled(run, outcome))
            del run, outcome  # who sleeps must not keep the last download alive
        helm.send_home()

    def _end_elsewhere(self, run: Run, outcome: Outcome | Awaited) -> None:
        """Go on with a run as any thread does: another worker is at the helm by now."""
        if isinstance(outcome, Awaited):
            outcome = _outcome(run, None)
            assert not isinstance(outcome, Awaited)
        if isinstance(outcome, (Wait, Turn)):
            self._put_aside(run, outcome)
        else:
            self._done.put(self._settled(run, outcome))
        self._wake()

    def _next(self) -> Run | None:
        """Wait for something to do; None when there will be nothing more.

        All answers first, then all new requests: an upstream that gets several at once need not be
        woken for each, and neither way through the code pushes the other out of the caches.
        """
        helm = self._helm
        while True:
            if (run := helm.answered()) is not None:
                return run
            while self._todo and len(self._under_way) < self._concurrency:
                try:
                    new = self._todo.popleft()
                except IndexError:  # dropped at this moment
                    break
                self._under_way.add(new)
                return new
            if helm.look():
                continue
            self._done.flush()
            if self._is_stopped and not helm.has_parked and not self._todo:
                return None
            helm.wait(self._has_news)

    def _drop(self, run: Run) -> None:
        """End a run that is stopped while it is queued; its outcome waits for no worker.

        One of which only the last try was stopped goes on.
        """
        if not run.is_stopped:
            return
        try:
            self._todo.remove(run)
        except ValueError:
            return  # a worker has it, or has had it
        self._give_up(run)

    def _give_up(self, run: Run) -> None:
        """Hand over a run that was stopped while no worker had it."""
        try:
            error: BaseException = run.drop()
        except Exception as raised:  # noqa: BLE001 (by somebody's sink)
            error = raised
        self._done.put(self._settled(run, error))

    def _give_up_waiting(self) -> None:
        """End all that waits. What that gives free wakes nobody: whoever stops does this."""
        while self._waiting:
            with suppress(KeyError):  # somebody else is at it
                run, timer = self._waiting.popitem()
                if timer is not None:
                    watchdog.call_off(timer)
                run.cancel()
                self._give_up(run)

    def _settled(self, run: Run, outcome: Result | BaseException) -> DownloadFuture:
        """Return what is done, and give its path free."""
        self._under_way.discard(run)
        if run.place is not None:
            self._places.discard(run.place)
        return DownloadFuture(run.download, outcome)

    def _put_aside(self, run: Run, wait: Wait | Turn) -> None:
        """Go on with a run at a moment, or when its host has a place for it."""
        self._under_way.discard(run)
        resume = partial(self._resume, run)
        with self._lock:
            is_stopped = self._is_stopped
            if not is_stopped:
                self._waiting[run] = None
        if is_stopped:
            run.cancel()
            self._give_up(run)
            return
        run.wake_by(resume)
        if isinstance(wait, Wait):  # only now, so that nobody is woken by two at once
            with self._lock:
                if run in self._waiting:
                    self._waiting[run] = watchdog.call_at(wait.until, resume)

    def _resume(self, run: Run) -> None:
        """Give a waiting run back to the workers, once, whoever wakes it first."""
        with self._lock:
            if self._is_stopped or run not in self._waiting:
                return
            timer = self._waiting.pop(run)
        if timer is not None:
            watchdog.call_off(timer)
        drop = partial(self._drop, run)
        run.drop_by(drop)  # while nobody else has it
        self._todo.appendleft(run)  # which may have a place at a host, for others to want
        drop()  # if it has been stopped in between
        self._wake()


def _outcome(run: Run, on_block: Callable[[], None] | None) -> Outcome | Awaited:
    """Advance a run, and return what came of it, an exception as well."""
    try:
        return run.advance(on_block)
    except BaseException as error:  # noqa: BLE001 (the future carries whatever it is)
        return error.without_frames() if isinstance(error, DownloadError) else error
