"""How a command ends: exit statuses, and the signals that lead to some of them."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from types import FrameType


class Status(IntEnum):
    """Exit statuses. Never dependent on the order in which files end."""

    DONE = 0  # every file is there and verified
    FAILED = 1  # some failed
    USAGE = 2  # wrong usage, or a manifest that cannot be used
    HANGUP = 128 + signal.SIGHUP
    INTERRUPTED = 128 + signal.SIGINT
    CLOSED = 128 + signal.SIGPIPE  # nobody reads the output any more
    TERMINATED = 128 + signal.SIGTERM


class Interrupted(BaseException):
    """A signal asked for the end. No Exception: nothing on the way may take it for a failure."""

    def __init__(self, status: Status):
        super().__init__(status)
        self.status = status


_SIGNALS = {
    signal.SIGINT: Status.INTERRUPTED,
    signal.SIGTERM: Status.TERMINATED,
    signal.SIGHUP: Status.HANGUP,
}


@contextmanager
def interruptible() -> Iterator[None]:
    """Turn the first signal into Interrupted, and the second into the end, at once."""

    def first(number: int, frame: FrameType | None) -> None:
        for each in _SIGNALS:
            if signal.getsignal(each) is first:
                signal.signal(each, second)
        raise Interrupted(_SIGNALS[signal.Signals(number)])

    def second(number: int, frame: FrameType | None) -> None:
        os._exit(_SIGNALS[signal.Signals(number)])

    before = {number: signal.getsignal(number) for number in _SIGNALS}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:  # nohup, or a shell's background job
            signal.signal(number, first)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
