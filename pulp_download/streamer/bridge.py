"""From threads that read to an event loop that writes, through a bounded buffer.

What it is: a buffer of bytes, filled by a pool's threads from a ``Content`` and emptied by an
event loop, with a lock. What it is not: a queue of calls into the loop; and it knows no framework.
It guarantees that at most ``capacity`` bytes are held, that a full stream is *parked* and needs no
thread, that the loop is woken once for all that came while it was away, and that the last byte is
there only when everything held (which is ``Content``'s promise). It relies on the loop's methods
being called in one thread.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable

from pulp_download.adapters.awaited import Awaited
from pulp_download.content import Content
from pulp_download.download import Download
from pulp_download.errors import Cancelled
from pulp_download.opening import Aside
from pulp_download.streamer.heads import SMALL, Head
from pulp_download.streamer.pool import Pool
from pulp_download.streamer.question import Opening, Question
from pulp_download.watchdog import watchdog

log = logging.getLogger(__name__)

# Bytes that one stream holds at most, and reads at a time, at most and at least. Each piece costs
# some hand-overs of the interpreter's lock; of 32 KiB always, a large file took a sixth more
# processor time. Larger ones would be paid for by slow clients, whose streams are always full:
# 200 of them take 97 to 129 MB in all, with what adapters and Twisted hold.
CAPACITY = 131_072
CHUNK = 66_560  # more than what Twisted takes before it has its producer pause
LEAST = 32_768
# Bytes after which a stream gives its thread to others that wait.
TURN = 1 << 20
# Seconds between two tries to cancel what is being opened: a run cannot be cancelled before it
# begins, and cancelling is not remembered.
CANCEL_EVERY = 0.05


class Bridge:
    """One answer on its way from upstream to one client.

    ``wake`` is called from any thread when there is news for a loop that waits for it: the
    ``head``, bytes to :meth:`take`, the end (``is_ended``), or an ``error``, which is whatever was
    raised. All the methods are the loop's, to be called in one thread.
    """

    def __init__(
        self,
        pool: Pool,
        question: Question,
        wake: Callable[[], None],
        *,
        capacity: int = CAPACITY,
    ):
        self._pool = pool
        self._question = question
        self._wake = wake
        self._capacity = capacity
        self._lock = threading.Lock()
        self._chunks: deque[bytes] = deque()
        self._held = 0
        self._is_listened_to = True
        self._is_parked = self._is_cancelled = self._is_over = False
        self._quiet: Head | None = None  # a head that is told at the end, if that holds
        self._download: Download | None = None
        self._opening: Opening | None = None
        self._asked = 0.0
        self._content: Content | None = None
        self.head: Head | None = None
        self.error: BaseException | None = None
        self.is_ended = False
        self.upstream_seconds: float | None = None

    def start(self) -> None:
        """Have the question asked."""
        self._pool.steer(self._open)

    @property
    def is_done(self) -> bool:
        """Everything was taken, and it held."""
        return self.is_ended and not self._chunks

    def listen(self) -> bool:
        """Ask to be woken at the next news; False if it is there already."""
        with self._lock:
            self._is_listened_to = not self._is_over
            return self._is_listened_to

    def take(self, limit: int = CHUNK) -> bytes:
        """Return at most ``limit`` bytes; none if none are there yet, and then be woken at news."""
        with self._lock:
            data = self._gathered(limit)
            self._held -= len(data)
            # Not before most is taken: for each piece it would be a thread's turn for each piece.
            goes_on = self._is_parked and self._held < LEAST
            if goes_on:
                self._is_parked = False
            if not data:
                self._is_listened_to = True
        if goes_on:
            self._pool.submit(self._read)
        return data

    def cancel(self) -> None:
        """Let go of upstream now, and of what is held; the client is gone. Does not block."""
        with self._lock:
            self._is_cancelled = True
            self._is_listened_to = False
            self._chunks.clear()
            self._held = 0
            content = self._content
            if self._is_over:
                return
        if content is None:
            self._stop_opening()
            return
        content.cancel()
        self._pool.submit(self._close)  # which may take a moment, if there is a dialogue to end

    def _gathered(self, limit: int) -> bytes:
        """Take up to ``limit`` bytes off the buffer."""
        parts = []
        while self._chunks and limit:
            chunk = self._chunks.popleft()
            if len(chunk) > limit:
                self._chunks.appendleft(chunk[limit:])
                chunk = chunk[:limit]
            limit -= len(chunk)
            parts.append(chunk)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _open(self, on_block: Callable[[], None] | None) -> Awaited | Aside | None:
        """Ask, and go on to read; a job of the pool's."""
        try:
            content = self._advanced(on_block)
            if isinstance(content, (Awaited, Aside)):
                return content
            self.upstream_seconds = time.monotonic() - self._asked
            head = self._head_of(content)
        except BaseException as error:  # noqa: BLE001 - the loop's thread is told
            self._end(error)
            return None
        is_small = head.size is not None and head.size <= SMALL
        is_quiet = head.has_body and is_small and content.is_at_hand
        with self._lock:
            self._content = content
            if is_quiet:
                self._quiet = head
            else:
                self.head = head
        if not head.has_body:
            try:
                self._close()
            finally:
                self._end(None)
            return None
        if not is_small and on_block is not None:
            on_block()
        if not is_quiet:
            self._tell()
        self._read()
        return None

    def _advanced(self, on_block: Callable[[], None] | None) -> Content | Awaited | Aside:
        """Go on with the question, which is put now if it has not been."""
        if self._opening is None:
            self._check()
            self._download = download = self._question.find()
            self._pool.enter(download)
            self._check()
            self._asked = time.monotonic()
            self._opening = self._question.open(download)
            if self._is_cancelled:  # before there was something to stop
                self._stop_opening()
        return self._opening.advance(on_block)

    def _head_of(self, content: Content) -> Head:
        try:
            return self._question.head(content)
        except BaseException:
            content.close()
            raise

    def _read(self) -> None:
        """Fill the buffer, in a pool's thread, until it is full or somebody else wants a turn."""
        content = self._content
        assert content is not None
        taken = 0
        try:
            self._check()
            content.chunk_size = self._room()
            for chunk in content:
                if self._is_full_with(chunk):
                    return
                content.chunk_size = self._room()
                taken += len(chunk)
                if taken >= TURN and self._pool.is_awaited:
                    self._pool.submit(self._read)
                    return
        except BaseException as error:  # noqa: BLE001 - the loop's thread is told
            content.close()
            self._end(error)
            return
        self._end(None)

    def _room(self) -> int:
        """Return how much to read next. Bytes that are taken meanwhile only make for more."""
        return min(CHUNK, self._capacity - self._held)

    def _is_full_with(self, chunk: bytes) -> bool:
        """Hold a chunk and wake the loop if it waits; tell whether the stream is parked now."""
        with self._lock:
            self._check()
            self._chunks.append(chunk)
            self._held += len(chunk)
            self._is_parked = is_parked = self._held > self._capacity - LEAST
        if self._quiet is None:
            self._tell()
        return is_parked

    def _check(self) -> None:
        if self._is_cancelled:
            raise Cancelled("the client left")

    def _tell(self) -> None:
        with self._lock:
            is_listened_to, self._is_listened_to = self._is_listened_to, False
        if is_listened_to:
            self._pool.tell(self._wake)

    def _end(self, error: BaseException | None) -> None:
        """Note that nothing more comes, once."""
        with self._lock:
            if self._is_over:
                return
            self._is_over = True
            self.error = error
            self.is_ended = error is None
            if self.is_ended and self._quiet is not None:
                self.head = self._quiet
        if self._download is not None:
            self._pool.leave(self._download)
        self._tell()

    def _close(self) -> None:
        """Let go of the content; a thread that reads it notices."""
        content = self._content
        assert content is not None
        content.close()
        with self._lock:
            is_unread, self._is_parked = self._is_parked, False
        if is_unread:
            self._end(Cancelled("the client left"))

    def _stop_opening(self) -> None:
        """Cancel what is being opened; where only its download can be, until it is, or not at all.

        Not at all if others have the same download open.
        """
        opening, download = self._opening, self._download
        if opening is None or download is None or self._is_over or self._content is not None:
            return  # without one, its thread sees that it is cancelled before it asks
        is_stopped = opening.cancel()
        if is_stopped or (is_stopped is None and self._pool.is_shared(download)):
            return
        if download.cancel():
            return
        watchdog.call_at(time.monotonic() + CANCEL_EVERY, self._stop_opening)
