"""The signals that end a command: the first in good order, the second at once."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from pulp_download.cli.status import Status
from pulp_download.errors import Cancelled

_SIGNALS = {
    signal.SIGINT: Status.INTERRUPTED,
    signal.SIGTERM: Status.TERMINATED,
    signal.SIGHUP: Status.HANGUP,
}

# What the listener reads when there is nothing more to listen for; no signal has this number.
_OVER = 0


class Interrupted(BaseException):
    """A signal asked for the end. No Exception: nothing on the way may take it for a failure."""

    def __init__(self, status: Status):
        super().__init__(status)
        self.status = status


class Interruption:
    """What the first signal does: raise Interrupted in the main thread, or stop something.

    What it is: a mode, switched by the main thread, that the signals' handler looks at. What it is
    not: a lock or a wait. It guarantees that a signal which comes within ``stopping`` is never
    lost. It relies on the interpreter's wake-up descriptor: a handler written in Python runs only
    between two instructions of the main thread, which may just have begun to wait for a lock.
    """

    def __init__(self) -> None:
        self.status: Status | None = None
        self._is_stopping = False

    def signalled(self, status: Status) -> None:
        """Take the first signal; called by its handler."""
        self.status = status
        if not self._is_stopping:
            raise Interrupted(status)

    @contextmanager
    def stopping(self, stop: Callable[[], None]) -> Iterator[None]:
        """Have a signal call ``stop`` from another thread; then this block raises Interrupted.

        For what takes locks and starts threads: an exception out of the blue would leave a lock
        locked, or a thread that nobody knows of. ``stop`` makes the block end, by Cancelled or not.
        In a block inside another one, only what the inner one says is stopped.
        """
        before, self._is_stopping = self._is_stopping, True
        try:
            with self._listening(stop):
                self._raise_if_signalled()  # while an outer block was listening
                yield
        except Cancelled:
            if self.status is None:
                raise
        finally:
            self._is_stopping = before
        self._raise_if_signalled()

    @contextmanager
    def raising(self) -> Iterator[None]:
        """Within ``stopping``: have a signal raise after all, out of a wait that nothing ends."""
        before, self._is_stopping = self._is_stopping, False
        try:
            self._raise_if_signalled()
            yield
        finally:
            self._is_stopping = before

    @contextmanager
    def _listening(self, stop: Callable[[], None]) -> Iterator[None]:
        """Have a thread read the numbers of signals as they come."""
        heard, told = os.pipe()
        os.set_blocking(told, False)  # as set_wakeup_fd wants it
        listener = threading.Thread(
            target=self._listen, args=(heard, stop), name="pulp-signals", daemon=True
        )
        before = signal.set_wakeup_fd(told, warn_on_full_buffer=False)
        try:
            listener.start()
            yield
        finally:
            signal.set_wakeup_fd(before)
            os.write(told, bytes([_OVER]))
            listener.join()
            os.close(told)
            os.close(heard)

    def _listen(self, heard: int, stop: Callable[[], None]) -> None:
        stopper: threading.Thread | None = None
        while (number := os.read(heard, 1)[0]) != _OVER:
            status = next((_SIGNALS[known] for known in _SIGNALS if known == number), None)
            if status is None:
                continue  # somebody else's
            if stopper is not None:
                os._exit(status)
            self.status = status
            stopper = threading.Thread(target=stop, name="pulp-stopper", daemon=True)
            stopper.start()
        if stopper is not None:
            stopper.join()

    def _raise_if_signalled(self) -> None:
        if self.status is not None:
            raise Interrupted(self.status)


@contextmanager
def interruptible() -> Iterator[Interruption]:
    """Take the first signal as an Interruption does, and the second as the end, at once."""
    interruption = Interruption()

    def first(number: int, frame: FrameType | None) -> None:
        for each in _SIGNALS:
            if signal.getsignal(each) is first:
                signal.signal(each, second)
        interruption.signalled(_SIGNALS[signal.Signals(number)])

    def second(number: int, frame: FrameType | None) -> None:
        os._exit(_SIGNALS[signal.Signals(number)])

    before = {number: signal.getsignal(number) for number in _SIGNALS}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:  # nohup, or a shell's background job
            signal.signal(number, first)
    try:
        yield interruption
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
