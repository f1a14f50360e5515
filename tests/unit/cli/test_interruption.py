import os
import signal
import threading
from queue import SimpleQueue

import pytest

from pulp_download import Cancelled
from pulp_download.cli.interruption import Interrupted, Interruption, interruptible
from pulp_download.cli.status import Status


def test_a_signal_raises_in_the_main_thread() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Interrupted) as caught, interruptible():
        signal.raise_signal(signal.SIGTERM)
    assert caught.value.status is Status.TERMINATED
    assert signal.getsignal(signal.SIGTERM) is before


def test_the_second_signal_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[int] = []
    monkeypatch.setattr(os, "_exit", ended.append)
    with interruptible():
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
            try:
                signal.raise_signal(number)
            except Interrupted as interrupted:
                ended.append(interrupted.status)
    assert ended == [129, 130, 143]


def test_what_the_parent_ignores_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with interruptible() as interruption:
            signal.raise_signal(signal.SIGHUP)
        assert interruption.status is None
    finally:
        signal.signal(signal.SIGHUP, before)


def test_what_is_being_stopped_is_stopped_by_another_thread_and_then_raises() -> None:
    stopped = threading.Event()
    stoppers: list[threading.Thread] = []

    def stop() -> None:
        stoppers.append(threading.current_thread())
        stopped.set()

    with (
        interruptible() as interruption,
        pytest.raises(Interrupted) as caught,
        interruption.stopping(stop),
    ):
        signal.raise_signal(signal.SIGHUP)
        assert stopped.wait(10)
    assert caught.value.status is Status.HANGUP
    assert stoppers != [threading.main_thread()]


@pytest.mark.parametrize("is_signalled", [True, False])
def test_the_cancellation_that_a_signal_leads_to_is_an_interruption(is_signalled: bool) -> None:
    with (
        interruptible() as interruption,
        pytest.raises(Interrupted if is_signalled else Cancelled),
        interruption.stopping(lambda: None),
    ):
        if is_signalled:
            signal.raise_signal(signal.SIGINT)
        raise Cancelled


def test_without_a_signal_nothing_is_stopped_and_nothing_changed() -> None:
    with interruptible() as interruption:
        with interruption.stopping(pytest.fail), interruption.raising():
            pass
        assert interruption.status is None
    before = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(before)
    assert before == -1


def test_a_wait_that_nothing_stops_is_ended_by_the_signal_itself() -> None:
    with (
        interruptible() as interruption,
        pytest.raises(Interrupted),
        interruption.stopping(lambda: None),
        interruption.raising(),
    ):
        signal.raise_signal(signal.SIGINT)
        pytest.fail("it did not raise")


def test_a_signal_just_before_such_a_wait_is_not_lost() -> None:
    has_waited = False
    with (
        interruptible() as interruption,
        pytest.raises(Interrupted),
        interruption.stopping(lambda: None),
    ):
        signal.raise_signal(signal.SIGINT)
        with interruption.raising():
            has_waited = True
    assert not has_waited


def test_the_second_signal_is_heard_although_the_main_thread_is_not_to_be_had(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As where both come while it waits for a lock: its handlers would never run."""
    ended: SimpleQueue[int] = SimpleQueue()
    monkeypatch.setattr(os, "_exit", ended.put)
    interruption = Interruption()
    stopped = threading.Event()
    with pytest.raises(Interrupted), interruption.stopping(stopped.set):
        wakeup = signal.set_wakeup_fd(-1)
        signal.set_wakeup_fd(wakeup)
        os.write(wakeup, bytes([signal.SIGWINCH, signal.SIGINT]))
        assert stopped.wait(10)
        os.write(wakeup, bytes([signal.SIGTERM]))
        assert ended.get(timeout=10) == Status.TERMINATED


def test_in_a_block_inside_another_the_inner_one_says_what_is_stopped() -> None:
    stopped: SimpleQueue[str] = SimpleQueue()
    with (
        interruptible() as interruption,
        pytest.raises(Interrupted),
        interruption.stopping(lambda: stopped.put("outer")),
        interruption.stopping(lambda: stopped.put("inner")),
    ):
        signal.raise_signal(signal.SIGHUP)
        assert stopped.get(timeout=10) == "inner"
    assert stopped.empty()


def test_after_a_block_inside_another_the_outer_one_is_stopped_again() -> None:
    stopped: SimpleQueue[str] = SimpleQueue()
    with (
        interruptible() as interruption,
        pytest.raises(Interrupted),
        interruption.stopping(lambda: stopped.put("outer")),
    ):
        with interruption.stopping(lambda: stopped.put("inner")):
            pass
        signal.raise_signal(signal.SIGHUP)
        assert stopped.get(timeout=10) == "outer"
        with interruption.stopping(lambda: stopped.put("late")):
            pytest.fail("it began after the signal")
    assert stopped.empty()
