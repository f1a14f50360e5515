"""A download that is being opened for a caller, who then reads what comes."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from pulp_download.adapters.awaited import Awaited
from pulp_download.content import Content
from pulp_download.delivery import Delivery
from pulp_download.errors import DownloadError
from pulp_download.remote import Remote
from pulp_download.retries import Wait
from pulp_download.run import Run
from pulp_download.telling import Observer
from pulp_download.turns import Turn
from pulp_download.watchdog import Timer, watchdog

if TYPE_CHECKING:
    from pulp_download.download import Download

# Seconds after which whoever waits looks up. A signal that another thread has taken, or that comes
# in the instant before the wait, does not end the wait; its handler runs then.
LOOK_UP = 1.0


class Opening:
    """A run on its way to an open answer. Used by one thread at a time.

    Whoever does not call it to its end cancels the download.
    """

    def __init__(
        self,
        download: Download,
        method: str,
        chunk_size: int,
        headers: Mapping[str, str],
        observer: Observer | None,
        *,
        resume: bool = False,
    ):
        self._remote = OwnedRemote(download.remote)
        self._run = Run(
            download, self._remote.remote, observer, headers=headers, looks_ahead=resume
        )
        self._method = method
        self._chunk_size = chunk_size
        self._resume = resume

    def content(self) -> Content:
        """Return the open answer; blocks until it is there."""
        content = self.advance()
        assert isinstance(content, Content)
        return content

    def advance(self, on_block: Callable[[], None] | None = None) -> Content | Awaited | Aside:
        """Work until the answer is open, or, with ``on_block``, until there is one to wait for.

        Or a moment, or a place at a host. ``on_block`` is called before anything else that may take
        a while, also while the content is read; going on before the answer begins blocks. Raises
        the last failure.
        """
        try:
            while True:
                step = self._run.connect(self._method, self._chunk_size, on_block)
                if isinstance(step, Awaited):
                    return step
                if isinstance(step, Content):
                    step.own(self._remote.close)
                    step.go_on = partial(_rest, self._run) if self._resume else None
                    return step
                if on_block is not None:
                    return Aside(self._run, step)
                sleep(self._run, step)
        except BaseException as error:
            self._run.abandon(error)
            self._remote.close()
            raise

    def cancel(self) -> bool:
        """Stop this opening, also one that has not begun, and no other of its download; True."""
        self._run.cancel()
        return True


class Aside:
    """A run that waits for a moment, or for a place at a host."""

    __slots__ = ("_run", "_timer", "_wait")

    def __init__(self, run: Run, wait: Wait | Turn):
        self._run = run
        self._wait = wait
        self._timer: Timer | None = None

    def wake_by(self, wake: Callable[[], None]) -> None:
        """Have ``wake`` called when it can go on or is stopped; perhaps more than once."""
        if isinstance(self._wait, Wait):
            self._timer = watchdog.call_at(self._wait.until, wake)
        self._run.wake_by(wake)

    def end(self) -> None:
        """Say that it goes on."""
        if self._timer is not None:
            watchdog.call_off(self._timer)


class OwnedRemote:
    """The remote of one call: the download's, or one that is closed with the call."""

    def __init__(self, remote: Remote | None):
        self.remote = remote if remote is not None else Remote()
        self._is_owned = remote is None

    def __enter__(self) -> Remote:
        return self.remote

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close it unless it is the download's."""
        if self._is_owned:
            self.remote.close()


def sleep(run: Run, wait: Wait | Turn) -> None:
    """Block until the wait is over or the run is stopped."""
    woken = threading.Event()
    run.wake_by(woken.set)
    until = wait.until if isinstance(wait, Wait) else math.inf
    while not woken.is_set() and (left := until - time.monotonic()) > 0:
        woken.wait(min(left, LOOK_UP))


def _rest(run: Run, broken: Delivery, error: DownloadError) -> Delivery | None:
    """Return the rest of a body that broke, or None where it is not worth asking for."""
    if not run.may_go_on(broken, error):
        return None
    while not isinstance(step := run.go_on(), Delivery):
        sleep(run, step)
    return step
