"""Many downloads at once, from a plain ``for`` loop."""

from __future__ import annotations

import inspect
import weakref
from collections.abc import Generator, Iterable, Iterator
from itertools import islice
from typing import Self

from pulp_download.crew import Crew
from pulp_download.download import Download
from pulp_download.errors import InvalidSettings
from pulp_download.futures import DownloadFuture
from pulp_download.telling import Observer

# Futures that are handed over at once, at most: to wake the consumer, and to give the interpreter
# away and get it back, costs a good part of a small file.
_MOST_AT_ONCE = 32


class Batch:
    """A lazy, bounded window over any iterable of downloads::

        with Batch(downloads, concurrency=8) as batch:
            for result in batch:
                result.download.attachment, result.result()

    What it is: an iterable of ``concurrent.futures.Future``, in the order of completion, each done
    and with its ``download``. Failures are in the futures; the loop itself raises only what the
    iterable of downloads raises, and Cancelled when the batch is closed under it.

    What it is not: a queue to put things into, or a thread that runs ahead. Only the thread that
    iterates advances the iterable, and closes it if it is a generator.

    What it guarantees: at most ``concurrency`` downloads run, and at most ``window`` (4 times as
    many, unless given) have been taken from the iterable and not yet been handed out, so memory is
    window x (a download, its future and its result) + concurrency x (a connection, a thread),
    however long the iterable is, and a consumer that stops stops the fetching. Leaving the loop in
    any way stops the rest and leaves nothing behind; so does ``close()`` from any thread, after
    which a waiting consumer's loop raises Cancelled. Downloads that wait before another try hold
    no thread.

    What it relies on: the iterable's ``next()`` returns; nobody can wake a consumer out of it.

    Without ``with``, the loop cleans up when it ends or is garbage-collected. Iterating twice is a
    RuntimeError, as is iterating in a forked child. Two live downloads to one path: the second
    fails with WriteError. Downloads without a remote share one that the batch owns.
    """

    def __init__(
        self,
        downloads: Iterable[Download],
        *,
        concurrency: int = 8,
        window: int | None = None,
        observer: Observer | None = None,
    ):
        _check_count("concurrency", concurrency)
        if window is not None:
            _check_count("window", window)
        self._downloads = downloads
        self._window = window if window is not None else 4 * concurrency
        # Half a window goes on while the consumer sees to the other.
        group = max(1, min(_MOST_AT_ONCE, self._window // 2))
        self._crew = Crew(concurrency, group, observer)
        self._results: weakref.ref[Generator[DownloadFuture]] | None = None

    def __iter__(self) -> Iterator[DownloadFuture]:
        if self._results is not None:
            raise RuntimeError("a batch can be iterated once")
        results = self._run()
        self._results = weakref.ref(results)
        return results

    def close(self) -> None:
        """Stop every transfer and return when the workers are gone. Idempotent, any thread.

        Called by a worker (an observer, say) it returns without waiting for that worker.
        """
        self._crew.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
        results = self._results() if self._results is not None else None
        if results is not None and inspect.getgeneratorstate(results) != inspect.GEN_RUNNING:
            results.close()

    def _run(self) -> Generator[DownloadFuture]:
        crew, window = self._crew, self._window
        source = iter(self._downloads)
        taken = handed_out = 0
        is_exhausted = False
        try:
            with crew:
                while True:
                    if crew.is_forked:
                        raise RuntimeError("this batch was started before the fork; make a new one")
                    # Two taken for one handed out: the window fills although something is always
                    # done, and what is done does not wait while a slow iterable fills the window.
                    room = 0 if is_exhausted else min(2, window - (taken - handed_out))
                    target = taken + room
                    for download in islice(source, room):
                        crew.submit(_checked(download, taken))
                        taken += 1
                        del download
                    is_exhausted = is_exhausted or taken < target
                    if taken == handed_out:
                        return
                    if room and not is_exhausted and not crew.has_done():
                        continue
                    future = crew.next_done()
                    handed_out += 1
                    yield future
                    del future  # the consumer decides how long it lives
        finally:
            if isinstance(source, Generator):
                source.close()


def _check_count(name: str, value: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InvalidSettings(f"{name} must be a positive whole number, not {value!r}")


def _checked(download: object, position: int) -> Download:
    if not isinstance(download, Download):
        kind = type(download).__name__
        raise TypeError(f"item {position} of the downloads is a {kind}, not a Download")
    return download
