"""How often a reactor is woken."""

from __future__ import annotations

from collections.abc import Callable

from pulp_download.streamer.twisted_calls import Calls


class Reactor:
    """A reactor that goes on when the test says so."""

    def __init__(self) -> None:
        self.called: list[Callable[[], None]] = []

    def callFromThread(self, call: Callable[[], None]) -> None:
        self.called.append(call)

    def go(self) -> None:
        called, self.called = self.called, []
        for call in called:
            call()


def test_a_reactor_is_woken_once_for_all_calls_until_it_makes_them() -> None:
    reactor, story = Reactor(), list[str]()
    calls = Calls(reactor)
    for turn in ("ab", "c"):
        for name in turn:
            calls.soon(lambda name=name: story.append(name))  # type: ignore[misc]
        assert len(reactor.called) == 1
        reactor.go()
    assert story == ["a", "b", "c"]


def test_a_call_that_is_wanted_by_another_is_made_as_well() -> None:
    reactor, story = Reactor(), list[str]()
    calls = Calls(reactor)
    calls.soon(lambda: calls.soon(lambda: story.append("then")))
    reactor.go()
    reactor.go()
    assert story == ["then"]
