"""Idle connections of all pools: how many are kept, and who goes first."""

from __future__ import annotations

import gc
import signal
import threading
import weakref

from pulp_download.adapters.idle import Idle
from tests.unit.children import in_child


class Keeper:
    """Keeps idle connections, and says which it was told to close."""

    def __init__(self, idle: Idle) -> None:
        self._idle = idle
        self.closed: list[object] = []

    def close_idle(self, connection: object) -> None:
        self.closed.append(connection)

    def keep(self, *connections: object) -> None:
        for connection in connections:
            self._idle.add(connection, self)


def test_the_one_that_is_idle_longest_goes_when_there_are_too_many() -> None:
    idle = Idle(2)
    keeper = Keeper(idle)
    keeper.keep("a", "b")
    assert keeper.closed == []
    keeper.keep("c")
    assert keeper.closed == ["a"]
    keeper.keep("d", "e")
    assert keeper.closed == ["a", "b", "c"]


def test_they_are_counted_over_all_keepers_and_each_closes_its_own() -> None:
    idle = Idle(3)
    one, other = Keeper(idle), Keeper(idle)
    one.keep("a")
    other.keep("b", "c", "d")
    one.keep("e")
    assert (one.closed, other.closed) == (["a"], ["b"])


def test_one_that_is_in_use_is_not_idle() -> None:
    idle = Idle(2)
    keeper = Keeper(idle)
    keeper.keep("a", "b")
    idle.remove("a")
    keeper.keep("c")
    assert keeper.closed == []
    keeper.keep("a")
    assert keeper.closed == ["b"], "whoever was in use is idle since then"


def test_to_remove_what_nobody_kept_is_nothing() -> None:
    idle = Idle(1)
    idle.remove("a")
    keeper = Keeper(idle)
    keeper.keep("b")
    idle.remove("b")
    idle.remove("b")
    keeper.keep("c")
    assert keeper.closed == []


def test_a_connection_that_is_told_of_twice_counts_once() -> None:
    idle = Idle(2)
    keeper = Keeper(idle)
    keeper.keep("a", "b", "a")
    assert keeper.closed == []
    keeper.keep("c")
    assert keeper.closed == ["b"], "and is idle since the second time"


def test_none_are_kept_where_none_may_be() -> None:
    keeper = Keeper(idle := Idle(0))
    keeper.keep("a", "b")
    assert keeper.closed == ["a", "b"]
    idle.limit = 1
    keeper.keep("c")
    assert keeper.closed == ["a", "b"]


def test_a_keeper_is_not_kept_alive_and_what_it_kept_makes_room() -> None:
    idle = Idle(1)
    gone = Keeper(idle)
    gone.keep("a")
    still_there = weakref.ref(gone)
    del gone
    gc.collect()
    assert still_there() is None
    keeper = Keeper(idle)
    keeper.keep("b")
    assert keeper.closed == []
    keeper.keep("c")
    assert keeper.closed == ["b"]


def test_whoever_closes_a_connection_may_tell_of_others_meanwhile() -> None:
    idle = Idle(1)

    class Busy(Keeper):
        def close_idle(self, connection: object) -> None:
            super().close_idle(connection)
            idle.remove(connection)
            if connection == "a":
                self.keep("c")

    keeper = Busy(idle)
    keeper.keep("a", "b")
    assert keeper.closed == ["a", "b"]


def test_what_was_forgotten_is_closed_by_nobody() -> None:
    idle = Idle(1)
    keeper = Keeper(idle)
    keeper.keep("a")
    idle.clear()
    keeper.keep("b")
    assert keeper.closed == []


def test_a_forked_child_forgets_although_a_thread_of_its_parent_was_counting() -> None:
    idle = Idle(1)
    inside, over = threading.Event(), threading.Event()

    class Held:
        """A connection whose hash takes long, which is asked for while the lock is held."""

        def __hash__(self) -> int:
            inside.set()
            over.wait(10)
            return 1

    keeper = Keeper(idle)
    counting = threading.Thread(target=keeper.keep, args=(Held(),))
    counting.start()
    assert inside.wait(10)

    def story() -> list[object]:
        signal.alarm(10)  # a child that waits for the lock would wait for ever
        idle.clear()
        keeper.keep("a", "b")
        return keeper.closed

    try:
        assert in_child(story) == ["a"]
    finally:
        over.set()
        counting.join()
