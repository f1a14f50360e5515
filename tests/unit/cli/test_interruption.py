import os
import signal
import threading

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
    interruption, stopped = Interruption(), threading.Event()
    stoppers: list[threading.Thread] = []

    def stop() -> None:
        stoppers.append(threading.current_thread())
        stopped.set()

    with pytest.raises(Interrupted), interruption.stopping(stop):
        interruption.signalled(Status.INTERRUPTED)
        assert stopped.wait(10)
    assert stoppers != [threading.main_thread()]


@pytest.mark.parametrize("signalled", [True, False])
def test_the_cancellation_that_a_signal_leads_to_is_an_interruption(signalled: bool) -> None:
    interruption = Interruption()
    with (
        pytest.raises(Interrupted if signalled else Cancelled),
        interruption.stopping(lambda: None),
    ):
        if signalled:
            interruption.signalled(Status.INTERRUPTED)
        raise Cancelled


def test_without_a_signal_nothing_is_stopped() -> None:
    interruption = Interruption()
    with interruption.stopping(pytest.fail), interruption.raising():
        pass
    assert interruption.status is None


def test_a_wait_that_nothing_stops_is_ended_by_the_signal_itself() -> None:
    interruption = Interruption()
    with pytest.raises(Interrupted), interruption.stopping(pytest.fail), interruption.raising():
        interruption.signalled(Status.INTERRUPTED)
        pytest.fail("it did not raise")


def test_a_signal_just_before_such_a_wait_is_not_lost() -> None:
    interruption, waited = Interruption(), False
    with pytest.raises(Interrupted), interruption.stopping(lambda: None):
        interruption.signalled(Status.INTERRUPTED)
        with interruption.raising():
            waited = True
    assert not waited
