"""Whose watch a request of a session is under."""

from __future__ import annotations

from typing import Any

import pytest
import urllib3

from pulp_download.adapters.exchange import Exchange
from pulp_download.adapters.ftp.body import NoBody
from pulp_download.adapters.head import Head
from pulp_download.adapters.watched import WatchedTimeout, watched, watching
from pulp_download.settings import TimeLimits
from pulp_download.watch import Watch
from pulp_download.watchdog import watchdog

DEFAULTS = TimeLimits()


class Lender:
    wire = None

    def give_back(self, *, reusable: bool) -> None: ...

    def close(self) -> None: ...


def answering(watches: list[Watch]) -> Any:
    def exchange(watch: Watch) -> Exchange:
        watches.append(watch)
        return Exchange(Head(1, 200, "OK", "\n"), NoBody(), Lender(), watch)

    return exchange


def is_watched(watch: Watch) -> bool:
    return watch in watchdog._watches


@pytest.mark.parametrize(
    ("timeout", "connect", "read"),
    [
        (None, DEFAULTS.connect, DEFAULTS.read),
        (3, 3.0, 3.0),
        (2.5, 2.5, 2.5),
        ((1, 2), 1.0, 2.0),
        ((None, 2), DEFAULTS.connect, 2.0),
        (urllib3.Timeout(connect=1, read=2), 1.0, 2.0),
        (urllib3.Timeout(connect=1), 1.0, DEFAULTS.read),
    ],
)
def test_a_request_of_a_plain_session_is_watched_until_its_answer_is_closed(
    timeout: Any, connect: float, read: float
) -> None:
    watches: list[Watch] = []
    answer = watched(timeout, answering(watches))
    (watch,) = watches
    assert (watch.limits.connect, watch.limits.read) == (connect, read)
    assert is_watched(watch)
    answer.close()
    assert not is_watched(watch)
    with watching(timeout) as watch:
        assert (watch.limits.connect, watch.limits.read) == (connect, read)
        assert is_watched(watch)
    assert not is_watched(watch)
    watchdog.rest()


def test_a_request_of_a_run_is_under_the_watch_of_the_run() -> None:
    own = Watch(TimeLimits(connect=1, read=2))
    timeout = WatchedTimeout(own)
    assert (timeout.connect_timeout, timeout.read_timeout) == (1, 2)
    watches: list[Watch] = []
    watched(timeout, answering(watches)).close()
    with watching(timeout) as watch:
        watches.append(watch)
    assert watches == [own, own]
    assert not is_watched(own)


def test_a_request_that_fails_is_watched_no_more() -> None:
    watches: list[Watch] = []

    def failing(watch: Watch) -> Exchange:
        watches.append(watch)
        raise ConnectionError

    with pytest.raises(ConnectionError):
        watched(None, failing)
    with pytest.raises(ConnectionError), watching(None) as watch:
        failing(watch)
    assert not any(map(is_watched, watches))
    watchdog.rest()
