"""An adapter that is made when it is first wanted."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import requests
from requests.adapters import BaseAdapter

from pulp_download.adapters.deferred import Deferred

MANY = 16


class Recorder(BaseAdapter):
    """An adapter that writes down what it is asked to do."""

    def __init__(self) -> None:
        super().__init__()
        self.done: list[object] = []

    def send(self, request: requests.PreparedRequest, *args: Any, **named: Any) -> Any:
        self.done.append((request.url, args, named))
        return requests.Response()

    def renew(self) -> None:
        self.done.append("renew")

    def close(self) -> None:
        self.done.append("close")


class Plain(BaseAdapter):
    """An adapter that knows nothing of forks."""

    def send(self, *args: Any, **named: Any) -> Any: ...

    def close(self) -> None: ...


def test_an_adapter_is_made_once_however_many_threads_want_it_first() -> None:
    made = []

    def make() -> BaseAdapter:
        made.append(Recorder())
        return made[-1]

    deferred = Deferred(make)
    together = threading.Barrier(MANY)

    def want() -> BaseAdapter:
        together.wait()
        return deferred.adapter

    with ThreadPoolExecutor(MANY) as threads:
        found = {future.result() for future in [threads.submit(want) for _ in range(MANY)]}
    assert found == set(made)
    assert len(made) == 1


def test_one_that_nobody_wanted_is_not_made_to_be_closed_or_renewed() -> None:
    def never() -> BaseAdapter:
        raise AssertionError("made")

    deferred = Deferred(never)
    deferred.renew()
    deferred.close()


def test_what_is_asked_of_it_is_handed_on() -> None:
    recorder = Recorder()
    deferred = Deferred(lambda: recorder)
    asked = requests.Request("GET", "ftp://host/f").prepare()
    deferred.send(asked, True, timeout=3)
    deferred.renew()
    deferred.close()
    assert recorder.done == [("ftp://host/f", (True,), {"timeout": 3}), "renew", "close"]


def test_one_that_knows_nothing_of_forks_stays() -> None:
    plain = Plain()
    deferred = Deferred(lambda: plain)
    assert deferred.adapter is plain
    deferred.renew()
    assert deferred.adapter is plain


def test_a_lock_that_another_thread_held_at_a_fork_is_replaced() -> None:
    recorder = Recorder()
    deferred = Deferred(lambda: recorder)
    deferred._lock.acquire()
    deferred.renew()
    assert deferred.adapter is recorder
