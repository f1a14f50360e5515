"""What a watch says to others: that its thread may block, and whose fault it was."""

from __future__ import annotations

import select
import socket
import time

import pytest

from pulp_download.errors import (
    Cancelled,
    ConnectionFailed,
    DownloadError,
    ProxyFailed,
    Stalled,
    TimedOut,
)
from pulp_download.settings import TimeLimits
from pulp_download.watch import Watch, shut_down


def test_whoever_made_a_thread_hurry_is_told_once_that_it_may_block() -> None:
    watch = Watch(TimeLimits())
    watch.may_block()
    told: list[str] = []
    watch.on_block = lambda: told.append("first")
    watch.may_block()
    watch.may_block()
    assert told == ["first"]
    watch.on_block = lambda: told.append("second")
    watch.may_block()
    assert told == ["first", "second"]


def test_whoever_is_told_may_make_the_thread_hurry_again() -> None:
    watch = Watch(TimeLimits())
    told: list[str] = []

    def tell() -> None:
        told.append("told")
        watch.on_block = again

    def again() -> None:
        told.append("again")

    watch.on_block = tell
    watch.may_block()
    assert told == ["told"]
    watch.may_block()
    assert told == ["told", "again"]


@pytest.mark.parametrize(
    "verdict",
    [None, TimedOut("connect", 1), ConnectionFailed("reset")],
    ids=["none yet", "a limit", "a failure"],
)
def test_blame_stands_instead_of_a_verdict_that_ends_a_try(verdict: DownloadError | None) -> None:
    watch = Watch(TimeLimits())
    if verdict is not None:
        watch.stop(verdict)
    blamed = ProxyFailed("proxy: it was")
    for ask in (lambda: watch.blame(blamed), watch.check):
        with pytest.raises(ProxyFailed) as caught:
            ask()
        assert caught.value is blamed


@pytest.mark.parametrize("verdict", [Cancelled(), TimedOut("total", 1)], ids=["cancel", "total"])
def test_blame_does_not_stand_instead_of_what_ends_the_run(verdict: DownloadError) -> None:
    watch = Watch(TimeLimits())
    watch.stop(verdict)
    for ask in (lambda: watch.blame(ProxyFailed("proxy: it was")), watch.check):
        with pytest.raises(DownloadError) as caught:
            ask()
        assert caught.value is verdict


@pytest.mark.fault(171, 191)
def test_a_peer_that_sends_into_a_full_buffer_hears_of_the_end_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        reader = socket.create_connection(listener.getsockname())
        sender, _ = listener.accept()
    with reader, sender:
        sender.setblocking(False)
        while _is_writable(sender):
            sender.send(bytes(1 << 20))
        shut_down(reader)
        while reader.recv(1 << 20):  # as one does who reads in another thread
            pass
        reader.close()
        poll = select.poll()
        poll.register(sender, select.POLLERR)
        assert poll.poll(2000)


def _is_writable(sock: socket.socket) -> bool:
    return bool(select.select([], [sock], [], 0.05)[1])


def test_a_read_that_ends_while_the_clock_looks_is_counted_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Ending:
        """Rivals in the place of a thread that goes on at this moment."""

        def verdict(self, *facts: object) -> None:
            watch.end_read(1)

    watch = Watch(TimeLimits(read=60, min_speed=1000, stall_period=30))
    watch.begin_body()
    watch.begin_read()
    watch.rivals = Ending()  # type: ignore[assignment]
    begun, moment = time.monotonic(), time.monotonic() + 20
    monkeypatch.setattr(time, "monotonic", lambda: moment)
    watch.inspect(moment)
    assert watch.verdict is None, "20 of 30 seconds have passed"
    watch.begin_read()
    watch.rivals = None
    watch.inspect(begun + 40)
    assert isinstance(watch.verdict, Stalled)
