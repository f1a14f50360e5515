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

    def __init__(self, download: Download):
        super().__init__()
        self.download = download
        # Where it writes, so that no two live downloads of one batch write there.
        self.place = None if download.path is None else os.path.abspath(download.path)


class Crew:
    """Workers, what they have to do, and what they have done. Thread-safe; a context manager."""

    def __init__(self, concurrency: int, observer: Observer | None):
        self._concurrency = concurrency
        self._observer = observer
        self._todo: SimpleQueue[Run | None] = SimpleQueue()
        self._done: SimpleQueue[DownloadFuture | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._futures: dict[Run, DownloadFuture] = {}
        self._queued: set[Run] = set()
        self._waiting: dict[Run, Timer] = {}
        self._places: set[str] = set()
        self._executor: ThreadPoolExecutor | None = None
        self._workers = 0
        self._threads: set[int] = set()
        self._remote: Remote | None = None
        self._is_stopped = False
        self._process = os.getpid()

    def __enter__(self) -> Self:
        with self._lock:
            if self._is_stopped:
                raise Cancelled("the batch is closed")
            self._executor = ThreadPoolExecutor(self._concurrency, "pulp-download")
        watchdog.lease()
        _crews.add(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
        if os.getpid() == self._process:
            watchdog.release()

    def submit(self, download: Download) -> None:
        """Have a download run; its future will come out of :meth:`next_done`."""
        future = DownloadFuture(download)
        place = future.place
        with self._lock:
            if self._is_stopped:
                raise Cancelled("the batch was closed")
            is_taken = place is not None and place in self._places
            if not is_taken:
                run = Run(download, download.remote or self._shared_remote(), self._observer)
                self._futures[run] = future
                self._queued.add(run)
                if place is not None:
                    self._places.add(place)
        if is_taken:
            reason = "another download of this batch is writing there"
            future.set_exception(WriteError(reason, path=place))
            self._done.put(future)
            return
        run.enqueue()
        run.wake_by(partial(self._drop, run))
        self._todo.put(run)
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
        if os.getpid() != self._process:
            return  # a forked child: threads and connections are the parent's
        with self._lock:
            is_first, self._is_stopped = not self._is_stopped, True
            runs = tuple(self._futures)
        if is_first:
            for run in runs:
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

    def _shared_remote(self) -> Remote:
        if self._remote is None:
            self._remote = Remote()
        return self._remote

    def _hire(self) -> None:
        """Start another worker if there is work for one."""
        if self._workers >= min(self._concurrency, len(self._futures)):
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
        while (run := self._todo.get()) is not None:
            with self._lock:
                is_wanted = run in self._futures
                self._queued.discard(run)
            if is_wanted:
                self._advance(run)
            del run  # an idle worker must not keep the last download alive

    def _drop(self, run: Run) -> None:
        """End a run that is stopped while it is queued; its outcome waits for no worker."""
        with self._lock:
            if run not in self._queued:
                return  # a worker has it, or has had it
            self._queued.discard(run)
            future = self._take_off(run)
        self._settle(future, run.drop())

    def _advance(self, run: Run) -> None:
        try:
            outcome = run.advance()
        except BaseException as error:  # noqa: BLE001 (the future carries whatever it is)
            if isinstance(error, DownloadError):
                error.without_frames()
            self._finish(run, error)
        else:
            if isinstance(outcome, Wait):
                self._put_aside(run, outcome)
            else:
                self._finish(run, outcome)

    def _finish(self, run: Run, outcome: Result | BaseException) -> None:
        with self._lock:
            future = self._take_off(run)
        self._settle(future, outcome)

    def _take_off(self, run: Run) -> DownloadFuture:
        """Forget a run and its path; with the lock held, so that one thread settles its future."""
        future = self._futures.pop(run)
        if future.place is not None:
            self._places.discard(future.place)
        return future

    def _settle(self, future: DownloadFuture, outcome: Result | BaseException) -> None:
        if isinstance(outcome, Result):
            future.set_result(outcome)
        else:
            future.set_exception(outcome)
        self._done.put(future)

    def _put_aside(self, run: Run, wait: Wait) -> None:
        resume = partial(self._resume, run)
        with self._lock:
            self._waiting[run] = watchdog.call_at(wait.until, resume)
            is_stopped = self._is_stopped
        run.wake_by(resume)
        if is_stopped:
            run.cancel()

    def _resume(self, run: Run) -> None:
        """Give a waiting run back to the workers, once, whoever wakes it first."""
        with self._lock:
            timer = self._waiting.pop(run, None)
            is_stopped = self._is_stopped
            if timer is not None and not is_stopped:
                self._todo.put(run)  # with the lock held: in front of what sends workers home
        if timer is not None:
            watchdog.call_off(timer)
            if is_stopped:  # no worker will come
                self._advance(run)


_crews: weakref.WeakSet[Crew] = weakref.WeakSet()


def _stop_all() -> None:
    for crew in tuple(_crews):
        crew.stop()


# Executor threads are joined before atexit handlers run, so a handler there would come too late to
# stop a running batch, and the process would wait for every download. There is no public way in;
# tests/unit/test_dependencies.py fails loudly when this one changes.
threading._register_atexit(_stop_all)  # type: ignore[attr-defined]
