"""The streams that are being opened, with one thread at the helm for all of them.

What it is: :mod:`~pulp_download.helm` for streams. One thread asks upstream for one stream after
the other and goes on with those that are answered, as long as nothing blocks; what blocks, blocks
in that thread, after another has taken over. What it is not: a pool; threads are its owner's. It
guarantees that loops are told together of what came together, and that nobody is at the helm while
nothing is under way. It relies on jobs that say so before they block.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from pulp_download.adapters.awaited import Awaited
from pulp_download.helm import Helm, Shift
from pulp_download.opening import Aside
from pulp_download.watchdog import watchdog

log = logging.getLogger(__name__)

# Goes on as far as it goes, and returns what to wait for before it goes on further, or None at its
# end. Calls what it is given before it blocks; without, it blocks. Raises nothing.
Job = Callable[[Callable[[], None] | None], Awaited | Aside | None]

# Calls that are kept until there is nothing else to do, at most: as many as a helm has answers at a
# time. Waking a loop costs as much as half a small file.
_TOGETHER = 8
# Seconds until a thread is asked for again when none was to be had.
_AGAIN = 0.05


class Steering:
    """Jobs, and whoever is at the helm. Thread-safe; close it.

    ``hire`` has a thread call what it is given, and tells whether there is one to be had; ``over``
    is called when it is closed and nothing is under way any more. Of the process that adds the
    first job: what is made before a fork may be used after it.
    """

    def __init__(self, hire: Callable[[Callable[[], None]], bool], over: Callable[[], None]):
        self._hire_thread = hire
        self._over = over
        self._helm: Helm[Job] = Helm(self._hire, self._hand_over)
        self._lock = threading.Lock()
        self._under_way = 0
        self._waiting: dict[Job, Aside] = {}
        self._todo: deque[Job] = deque()
        self._left: deque[tuple[Awaited, Job]] = deque()  # to be parked by whoever is at the helm
        self._news: deque[Callable[[], None]] = deque()
        self._thread_at_helm = 0
        self._is_hired = self._is_closed = self._is_open = False

    def add(self, job: Job) -> None:
        """Have a job begun by :meth:`begin`."""
        with self._lock:
            self._under_way += 1
            if not self._is_open:
                self._is_open = True
                self._helm.open()
        self._todo.append(job)

    def begin(self) -> None:
        """Have somebody do what was added."""
        if self._helm.is_asleep:
            self._helm.ring()
        elif self._helm.is_free:  # whoever leaves it looks once more for jobs afterwards
            self._hire()

    def tell(self, wake: Callable[[], None]) -> None:
        """Call ``wake``, now or, from the helm, when others have come to be called as well."""
        if threading.get_ident() != self._thread_at_helm:
            wake()
            return
        self._news.append(wake)  # then look: the helm may have been taken away just now
        if len(self._news) >= _TOGETHER or threading.get_ident() != self._thread_at_helm:
            self._flush()

    def close(self) -> None:
        """Begin no more jobs. Those that are under way come to their end."""
        self._is_closed = True
        self._take_down()

    def _take_down(self) -> None:
        """Close the helm if nothing is under way, unless somebody has it, who does that then."""
        if self._is_closed and not self._under_way and self._helm.take_free() is not None:
            self._helm.close()
            self._over()

    def _has_news(self) -> bool:
        return bool(self._todo or self._left)

    @property
    def _has_jobs(self) -> bool:
        return self._has_news() or self._helm.has_parked

    def _hire(self) -> None:
        """Have a thread take the helm, if there is something to do and none is on its way."""
        if self._has_jobs and not self._is_hired:
            self._is_hired = True
            if not self._hire_thread(self._work):
                self._is_hired = False
                with suppress(RuntimeError):  # which the next who comes may have
                    watchdog.call_at(time.monotonic() + _AGAIN, self.begin)

    def _work(self) -> None:
        """Be at the helm, and again after what blocked, for as long as nobody else is."""
        self._is_hired = False
        while self._has_jobs and (shift := self._helm.take_free()) is not None:
            self._thread_at_helm = threading.get_ident()
            with shift:
                self._steer(shift)
        self._take_down()

    def _steer(self, shift: Shift) -> None:
        """Do one thing after the other until there is nothing, or the helm is another's."""
        while (job := self._next()) is not None:
            shift.begin_step()
            step = self._advanced(job, shift.end)
            has_helm = shift.end_step()
            if not has_helm:
                self._flush()  # what was told while the helm was taken away
            if isinstance(step, Aside):
                self._put_aside(job, step)
            elif step is not None and has_helm:
                self._helm.park(step, job)
            elif step is not None:
                self._left.append((step, job))
                self.begin()
            if not has_helm:
                return
            del job, step  # who sleeps must not keep the last stream alive

    def _advanced(self, job: Job, on_block: Callable[[], None]) -> Awaited | Aside | None:
        try:
            step = job(on_block)
        except BaseException:
            log.exception("a job failed")
            step = None
        if step is None:
            with self._lock:
                self._under_way -= 1
        return step

    def _put_aside(self, job: Job, aside: Aside) -> None:
        """Go on with a job at its moment, or when its host has a place for it."""
        self._waiting[job] = aside
        aside.wake_by(partial(self._resume, job))

    def _resume(self, job: Job) -> None:
        """Have a waiting job gone on with, once, whoever wakes it first; from any thread."""
        if (aside := self._waiting.pop(job, None)) is not None:
            aside.end()
            self._todo.append(job)
            self.begin()

    def _next(self) -> Job | None:
        """Wait for something to do: all answers first, then all that is new. None if nothing is."""
        helm = self._helm
        while True:
            while self._left:
                helm.park(*self._left.popleft())
            if (job := helm.answered()) is not None:
                return job
            if self._todo:
                return self._todo.popleft()
            self._flush()
            if not helm.has_parked:
                return None
            helm.wait(self._has_news)

    def _hand_over(self) -> None:
        self._thread_at_helm = 0  # before the next takes it: whoever blocks tells at once
        self._flush()

    def _flush(self) -> None:
        """Call what was kept. More than one thread may be at it."""
        while self._news:
            try:
                wake = self._news.popleft()
            except IndexError:
                return
            try:
                wake()
            except Exception:  # a bug in one must not keep the others waiting
                log.exception("a wake-up failed")
