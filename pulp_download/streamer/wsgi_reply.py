"""The answer to one request of a WSGI server."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from http import HTTPStatus
from typing import Self
from wsgiref.types import StartResponse, WSGIEnvironment

from pulp_download.content import Content
from pulp_download.errors import DownloadError
from pulp_download.printable import printable
from pulp_download.streamer.asked import shown
from pulp_download.streamer.failures import Refusal, refusal_of
from pulp_download.streamer.headers import without_date
from pulp_download.streamer.heads import SMALL, Head, head_of_refusal, measured
from pulp_download.streamer.question import Question
from pulp_download.streamer.served import Observer, Served, log_failure, tell


class Reply:
    """One request being answered, in the server's thread for it: an iterable with a ``close()``.

    Raises what goes wrong on the way, so that the server breaks the connection off.
    """

    def __init__(
        self,
        environ: WSGIEnvironment,
        target: bytes,
        start_response: StartResponse,
        *,
        observer: Observer | None,
    ):
        self._environ = environ
        self._target = target
        self._start_response = start_response
        self._observer = observer
        self.when_over: Callable[[], None] | None = None
        self._begun = time.monotonic()
        self._status = self._sent = 0
        self._upstream_seconds: float | None = None
        self._content: Content | None = None
        self._begin: deque[bytes] = deque()
        self._error: BaseException | None = None
        self._is_complete = self._is_over = False

    def refuse(self, refusal: Refusal, *extra: tuple[bytes, bytes]) -> Self:
        """Answer with a status and a line of text."""
        head = head_of_refusal(refusal, *extra)
        if self._environ["REQUEST_METHOD"] != "HEAD":
            self._begin.append(head.text)
        return self._start(head)

    def pass_on(self, question: Question, *, needs_length: bool) -> Self:
        """Answer with what comes of a question to upstream."""
        try:
            head = self._open(question)
            is_all = self._take_begin(head, needs_length=needs_length)
            if needs_length:
                head = measured(head, self._begin, is_all=is_all)
        except Exception as error:  # noqa: BLE001 - the client is told
            self._let_go()
            self._begin.clear()
            self._error = error
            return self.refuse(refusal_of(error))
        except BaseException:  # the server's thread, or greenlet, is to end: it will not close this
            self.close()
            raise
        if is_all:
            self._let_go()
        return self._start(head)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        if self._begin:
            data = self._begin.popleft()
        elif self._content is None:
            self._is_complete = True
            raise StopIteration
        else:
            try:
                data = next(self._content)
            except StopIteration:
                self._is_complete = True
                raise
            except BaseException as error:
                self._error = error
                raise
        self._sent += len(data)
        return data

    def close(self) -> None:
        """Let go of upstream; servers call this however it ended."""
        if self._is_over:
            return
        self._is_over = True
        self._let_go()
        if self.when_over is not None:
            self.when_over()
        self._tell()

    def _open(self, question: Question) -> Head:
        download = question.find()
        asked = time.monotonic()
        self._content = question.open(download).content()
        self._upstream_seconds = time.monotonic() - asked
        return question.head(self._content)

    def _take_begin(self, head: Head, *, needs_length: bool) -> bool:
        """Take what is to be there before the head, at least a chunk; tell whether that is all."""
        if not head.has_body:
            return True
        assert self._content is not None
        is_held = needs_length if head.size is None else head.size <= SMALL
        most, held = SMALL if is_held else 0, 0
        while held <= most:
            chunk = next(self._content, b"")
            if not chunk:
                return True
            self._begin.append(chunk)
            held += len(chunk)
        return False

    def _start(self, head: Head) -> Self:
        self._status = head.status
        fields = [
            (name.decode("ascii"), value.decode("ascii"))
            for name, value in without_date(head.fields)
        ]
        try:
            self._start_response(f"{head.status} {HTTPStatus(head.status).phrase}", fields)
        except BaseException:
            self.close()  # for then nobody else does
            raise
        return self

    def _let_go(self) -> None:
        if self._content is not None:
            self._content.close()
            self._content = None

    def _tell(self) -> None:
        environ, error = self._environ, self._error
        served = Served(
            client=environ.get("REMOTE_ADDR", ""),
            method=printable(environ["REQUEST_METHOD"]),
            path=shown(self._target),
            version=environ.get("SERVER_PROTOCOL", ""),
            status=self._status,
            sent=self._sent,
            upstream_seconds=self._upstream_seconds,
            seconds=time.monotonic() - self._begun,
            error=error if isinstance(error, DownloadError) else None,
            is_complete=self._is_complete,
        )
        if error is not None:
            log_failure(served, error)
        tell(served, self._observer)
