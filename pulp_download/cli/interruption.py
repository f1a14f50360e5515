"""The signals that end a command: the first in good order, the second at once."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from types import FrameType

from pulp_download.cli.status import Status
from pulp_download.errors import Cancelled


class Interrupted(BaseException):
    """A signal asked for the end. No Exception: nothing on the way may take it for a failure."""

    def __init__(self, status: Status):
        super().__init__(status)
        self.status = status


class Interruption:
    """What the first signal does: raise Interrupted in the main thread, or stop something.

    What it is: a mode, switched by the main thread, that a signal's handler looks at. What it is
    not: a lock or a wait. It guarantees that a signal is never lost: one that comes while something
    is being stopped by it, or before a wait that it should end, raises Interrupted afterwards. It
    relies on ``SimpleQueue.put`` being reentrant, as handlers run between any two instructions.
    """

    def __init__(self) -> None:
        self.status: Status | None = None
        self._stopper: SimpleQueue[bool] | None = None

    def signalled(self, status: Status) -> None:
        """Take the first signal; called by its handler."""
        self.status = status
        if self._stopper is None:
            raise Interrupted(status)
        self._stopper.put(True)

    @contextmanager
    def stopping(self, stop: Callable[[], None]) -> Iterator[None]:
        """Have a signal call ``stop`` from another thread; then this block raises Interrupted.

        For what takes locks and starts threads: an exception out of the blue would leave a lock
        locked, or a thread that nobody knows of. ``stop`` makes the block end, by Cancelled or not.
        """
        wanted: SimpleQueue[bool] = SimpleQueue()

        def wait() -> None:
            if wanted.get():
                stop()

        thread = threading.Thread(target=wait, name="pulp-interruption", daemon=True)
        self._stopper = wanted
        thread.start()
        try:
            yield
        except Cancelled:
            if self.status is None:
                raise
        finally:
            wanted.put(False)
            thread.join()
            self._stopper = None
        self._raise_if_signalled()

    @contextmanager
    def raising(self) -> Iterator[None]:
        """Within ``stopping``: have a signal raise after all, out of a wait that nothing ends."""
        before, self._stopper = self._stopper, None
        try:
            self._raise_if_signalled()
            yield
        finally:
            self._stopper = before

    def _raise_if_signalled(self) -> None:
        if self.status is not None:
            raise Interrupted(self.status)


_SIGNALS = {
    signal.SIGINT: Status.INTERRUPTED,
    signal.SIGTERM: Status.TERMINATED,
    signal.SIGHUP: Status.HANGUP,
}


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
