"""The workers of one batch: long-lived loops in a thread pool, and two queues.

What it is: ``concurrency`` threads that take a run, advance it, and put its future on the queue of
what is done, or put the run aside while it waits. What it is not: a scheduler; the order is that of
submission. It guarantees that every submitted download comes out once, done. It relies on runs
being stoppable at any moment (see :mod:`~pulp_download.watchdog`), for ``stop`` waits for workers.
"""

from __future__ import annotations

import os
import threading
import weakref
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from queue import SimpleQueue
from types import TracebackType
from typing import Self

from pulp_download.download import Download
from pulp_download.errors import Cancelled, DownloadError, WriteError
from pulp_download.events import Observer
from pulp_download.remote import Remote
from pulp_download.result import Result
from pulp_download.retries import Wait
from pulp_download.run import Run
from pulp_download.watchdog import Timer, watchdog


class DownloadFuture(Future[Result]):
    """A future that knows its ``download``. A cancelled download's future holds Cancelled."""

    def __init__(self, download: Download, run: Run):
        super().__init__()
        self.download = download
        self._run: Run | None = run  # until it is over
        # Where it writes, so that no two live downloads of one batch write there.
        self._place = download.place


class Crew:
    """Workers, what they have to do, and what they have done. Thread-safe; a context manager.

    What changes with every download is in sets, a dict and queues, of which each change is a single
    step of the interpreter: who takes a future out of ``_queued``, or a timer out of ``_waiting``,
    has it. ``submit`` is called by one thread at a time.
    """

    def __init__(self, concurrency: int, observer: Observer | None):
        self._concurrency = concurrency
        self._observer = observer
        self._todo: SimpleQueue[DownloadFuture | None] = SimpleQueue()
        self._done: SimpleQueue[DownloadFuture | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._live: set[DownloadFuture] = set()
        self._queued: dict[DownloadFuture, Run] = {}
        self._waiting: dict[DownloadFuture, Timer] = {}
        self._places: set[str] = set()
        self._executor: ThreadPoolExecutor | None = None
        self._workers = 0
        self._threads: set[int] = set()
        self._remote: Remote | None = None
        self._is_stopped = False
        self.is_forked = False

    def __enter__(self) -> Self:
        with self._lock:
            if self._is_stopped:
                raise Cancelled("the batch is closed")
            self._executor = ThreadPoolExecutor(self._concurrency, "pulp-download")
        _crews.add(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def submit(self, download: Download) -> None:
        """Have a download run; its future will come out of :meth:`next_done`."""
        run = Run(download, download.remote or self._shared_remote(), self._observer)
        future = DownloadFuture(download, run)
        place = future._place
        if place is not None:
            if place in self._places:
                reason = "another download of this batch is writing there"
                future.set_exception(WriteError(reason, path=place))
                self._done.put(future)
                return
            self._places.add(place)
        self._live.add(future)
        self._queued[future] = run
        if self._is_stopped:  # only now, so that a stop in between finds this one
            raise Cancelled("the batch was closed")
        run.enqueue(partial(self._drop, future))
        self._todo.put(future)
        if self._workers < self._concurrency:
            self._hire()

    def has_done(self) -> bool:
        """Tell whether :meth:`next_done` would return at once."""
        return self._is_stopped or not self._done.empty()

    def next_done(self) -> DownloadFuture:
        """Wait for the next future that is done; raises Cancelled once the crew is stopped."""
        future = self._done.get()
        if future is None or self._is_stopped:
            self._done.put(None)  # for whoever asks again
            raise Cancelled("the batch was closed")
        return future

    def stop(self) -> None:
        """Cancel every run, and wait until the workers are gone (but for the caller's own)."""
        if self.is_forked:
            return  # threads and connections are the parent's
        with self._lock:
            is_first, self._is_stopped = not self._is_stopped, True
        if is_first:
            for future in self._live.copy():
                if (run := future._run) is not None:
                    run.cancel()
            for _ in range(self._concurrency):
                self._todo.put(None)
            self._done.put(None)
        if self._executor is not None:
            # Loops that no thread could be started for are still queued there.
            is_worker = threading.get_ident() in self._threads
            self._executor.shutdown(wait=not is_worker, cancel_futures=True)
        if self._remote is not None:
            self._remote.close()
        _crews.discard(self)
        watchdog.rest()

    def _shared_remote(self) -> Remote:
        if self._remote is None:
            self._remote = Remote()
        return self._remote

    def _hire(self) -> None:
        """Start another worker if there is work for one."""
        if self._workers >= len(self._live):
            return
        assert self._executor is not None
        try:
            self._executor.submit(self._work)
        except RuntimeError:  # no more threads to be had: go on with those there are
            if not self._workers and not self._is_stopped:
                raise
            self._concurrency = max(1, self._workers)
            return
        self._workers += 1

    def _work(self) -> None:
        self._threads.add(threading.get_ident())
        while (future := self._todo.get()) is not None:
            run = self._queued.pop(future, None)
            if run is not None:
                self._advance(future, run)
            del future, run  # an idle worker must not keep the last download alive

    def _drop(self, future: DownloadFuture) -> None:
        """End a run that is stopped while it is queued; its outcome waits for no worker."""
        run = self._queued.pop(future, None)
        if run is not None:
            self._settle(future, run.drop())

    def _advance(self, future: DownloadFuture, run: Run) -> None:
        outcome: Result | Wait | BaseException
        try:
            outcome = run.advance()
        except BaseException as error:  # noqa: BLE001 (the future carries whatever it is)
            outcome = error.without_frames() if isinstance(error, DownloadError) else error
        if isinstance(outcome, Wait):
            self._put_aside(future, run, outcome)
        else:
            self._settle(future, outcome)

    def _settle(self, future: DownloadFuture, outcome: Result | BaseException) -> None:
        """Let a future be done, and give its path free."""
        future._run = None
        self._live.discard(future)
        if future._place is not None:
            self._places.discard(future._place)
        if isinstance(outcome, Result):
            future.set_result(outcome)
        else:
            future.set_exception(outcome)
        self._done.put(future)

    def _put_aside(self, future: DownloadFuture, run: Run, wait: Wait) -> None:
        resume = partial(self._resume, future, run)
        with self._lock:
            self._waiting[future] = watchdog.call_at(wait.until, resume)
            is_stopped = self._is_stopped
        run.wake_by(resume)
        if is_stopped:
            run.cancel()

    def _resume(self, future: DownloadFuture, run: Run) -> None:
        """Give a waiting run back to the workers, once, whoever wakes it first."""
        with self._lock:
            timer = self._waiting.pop(future, None)
            is_stopped = self._is_stopped
            if timer is not None and not is_stopped:
                self._queued[future] = run
                self._todo.put(future)  # with the lock held: in front of what sends workers home
        if timer is not None:
            watchdog.call_off(timer)
            if is_stopped:  # no worker will come
                self._advance(future, run)


_crews: weakref.WeakSet[Crew] = weakref.WeakSet()


def _stop_all() -> None:
    for crew in tuple(_crews):
        crew.stop()


# Executor threads are joined before atexit handlers run, so a handler there would come too late to
# stop a running batch, and the process would wait for every download. There is no public way in;
# tests/unit/test_dependencies.py fails loudly when this one changes.
threading._register_atexit(_stop_all)  # type: ignore[attr-defined]


def _after_fork() -> None:
    for crew in tuple(_crews):
        crew.is_forked = True


os.register_at_fork(after_in_child=_after_fork)
