"""The watch that an adapter's request is under: a run's, or one of its own.

A session hands ``timeout`` down to its adapters and nothing else, so that is what carries it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import urllib3

from pulp_download.adapters.exchange import Exchange
from pulp_download.settings import TimeLimits
from pulp_download.watch import Watch
from pulp_download.watchdog import watchdog


class WatchedTimeout(urllib3.Timeout):
    """requests' ``timeout``, carrying the watch down to whatever connects and reads.

    Adapters that know nothing of watches use it as the urllib3 time-out that it is.
    """

    def __init__(self, watch: Watch):
        super().__init__(connect=watch.limits.connect, read=watch.limits.read)
        self.watch = watch


def watched(timeout: Any, exchange: Callable[[Watch], Exchange]) -> Exchange:
    """Exchange under the watch that ``timeout`` carries.

    Somebody who uses the session without this library's runs has none; theirs is watched until it
    is closed. What requests' ``timeout`` does not say has the default limits.
    """
    if isinstance(timeout, WatchedTimeout):
        return exchange(timeout.watch)
    watch = _own_watch(timeout)
    watchdog.add(watch)
    try:
        answer = exchange(watch)
    except BaseException:
        watchdog.discard(watch)
        raise
    answer.when_closed = partial(watchdog.discard, watch)
    return answer


@contextmanager
def watching(timeout: Any) -> Iterator[Watch]:
    """Yield the watch that ``timeout`` carries, or one of its own for the block."""
    if isinstance(timeout, WatchedTimeout):
        yield timeout.watch
        return
    watch = _own_watch(timeout)
    watchdog.add(watch)
    try:
        yield watch
    finally:
        watchdog.discard(watch)


def _own_watch(timeout: Any) -> Watch:
    connect, read = timeout if isinstance(timeout, tuple) else (timeout, timeout)
    if isinstance(timeout, urllib3.Timeout):
        connect, read = timeout.connect_timeout, timeout.read_timeout
    defaults = TimeLimits()
    numbers = [
        float(value) if isinstance(value, (int, float)) else default
        for value, default in ((connect, defaults.connect), (read, defaults.read))
    ]
    return Watch(TimeLimits(connect=numbers[0], read=numbers[1]))
