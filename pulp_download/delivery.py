"""An open answer, judged as it is read: framing, size and digests."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol

from pulp_download.adapters.wire import BUFFER_SIZE
from pulp_download.asking import Opened, headers_of
from pulp_download.errors import SizeMismatch, Truncated, UnverifiableLength, ValidationError
from pulp_download.foreign import translate
from pulp_download.mirrors.mirror import Mirror
from pulp_download.printable import printable
from pulp_download.remote import Remote
from pulp_download.settings import Settings
from pulp_download.steps import Asking
from pulp_download.validations import Checks, Chunk, Validation
from pulp_download.watch import Watch


class Ask(Protocol):
    """How a run asks a source, with these conditions; yields while an answer is awaited.

    Returns an answer whose status is 200 or one of ``answers``.
    """

    def __call__(
        self,
        source: Mirror,
        conditions: Mapping[str, str] | None = ...,
        answers: Collection[int] = ...,
        watch: Watch | None = ...,
        /,
    ) -> Asking[Opened]: ...


def deliver(
    remote: Remote,
    source: Mirror,
    watch: Watch,
    *,
    method: str,
    headers: Mapping[str, str],
    answers: Collection[int],
    validations: Sequence[Validation],
    hear: Callable[[Opened], None] | None = None,
) -> Asking[Delivery]:
    """Ask for a source, judge the status, and return what it delivers.

    Answers with one of ``answers`` are handed on as they are, without validation, as is a HEAD's.
    """
    opened = yield from remote.opening(
        source, watch, method=method, headers=headers, answers=answers, hear=hear
    )
    as_it_is = method == "HEAD" or opened.status != 200
    return Delivery(opened, source, watch, () if as_it_is else validations, remote.settings)


class Delivery:
    """What comes of a question, for one thread at a time; ``close()`` lets go of the connection.

    ``size`` is the file's length as told by upstream, or None. ``digests`` are None until the body
    has been read to its end and everything held, maybe before the caller read any: then ``ahead``
    is the body. With ``checks``, which have seen what came before, this is the rest of a file of
    ``total`` bytes, to the last of them. Raises DownloadErrors only, but for bugs, and has let go
    of everything when it does.
    """

    __slots__ = (
        "_answer",
        "_end",
        "_limit",
        "_watch",
        "ahead",
        "checks",
        "digests",
        "length_verified",
        "opened",
        "size",
        "source",
    )

    def __init__(
        self,
        opened: Opened,
        source: Mirror,
        watch: Watch,
        validations: Sequence[Validation],
        settings: Settings,
        *,
        checks: Checks | None = None,
        total: int | None = None,
    ):
        self.opened = opened
        self.source = source
        self.digests: dict[str, str] | None = None
        self._answer = opened.answer
        self._watch = watch
        self.ahead = b""
        try:
            self.checks = checks = checks or Checks(validations)
            if not checks.judge_content and (claim := _claim(opened)) is not None:
                checks.add(claim)
            length = self._answer.length
            self.size: int | None = length if total is None else total
            if opened.method == "HEAD":
                self.size = _announced(opened.header("content-length") or "")
            expected = checks.expected_size
            self._end = total
            self._limit = settings.max_size if expected is None else expected
            self.length_verified = (
                checks.judge_content
                or expected is not None
                or total is not None
                or self._answer.end_is_marked
            )
            self._judge_length(expected, settings)
            if total is not None:
                self._limit = total
            if length == 0 or total == checks.received:
                # What has no more bytes is judged now: none of them can be held back.
                self.digests = checks.finish()
        except BaseException as error:
            self._give_up(error)
            raise

    @property
    def received(self) -> int:
        """Bytes of the body that have passed the checks."""
        return self.checks.received

    def receive(self, limit: int) -> Chunk:
        """Return the next bytes, valid until the next call; empty when everything held."""
        if self.digests is not None:
            return b""
        try:
            if self._watch.speed is not None:
                limit = min(limit, self._watch.speed.piece)
            if self._limit is not None:  # one byte more is as much too many as a thousand
                limit = min(limit, self._limit - self.checks.received + 1)
            piece = b"" if self._answer.is_complete else self._answer.receive(limit)
            if piece:
                self.checks.update(piece)
                self._watch.took(len(piece))
                if self._limit is not None and self.checks.received > self._limit:
                    raise SizeMismatch(self._limit, self.checks.received)
            elif self._end is not None and self.checks.received < self._end:
                raise Truncated(self.checks.received, self._end)
            else:
                self.digests = self.checks.finish()
        except BaseException as error:
            self._give_up(error)
            raise
        return piece

    def look_ahead(self) -> None:
        """Judge a body that is at hand now, whose bytes are ``ahead`` from then on."""
        if not self.is_at_hand:
            return
        try:
            self.ahead = bytes(self.receive(BUFFER_SIZE))
            self.receive(BUFFER_SIZE)  # the end, at which the checks have their say
        except ValidationError as error:
            error.retryable = False  # somebody waits: another place may be better, not this one
            raise

    def conclude(self, checks: Checks) -> None:
        """Let checks that have seen the whole file have the last word on this part of it."""
        self.digests = checks.finish()
        self.checks = checks

    @property
    def is_all_read(self) -> bool:
        """There are no more bytes to come, as far as the framing has told by now."""
        return self._answer.is_complete

    @property
    def is_at_hand(self) -> bool:
        """All that is left has been received: none of it will be waited for."""
        return self._answer.is_at_hand and self._watch.speed is None

    def close(self) -> None:
        """Let go of the connection, which is used again if the body was read to its end."""
        self._answer.close()

    def _give_up(self, error: BaseException) -> None:
        """Abandon the connection; raise this error in our words unless it is in them already."""
        self._answer.abandon()  # what it carries can no longer be told apart
        if isinstance(error, Exception):
            ours = translate(error, self._watch, self.source.absolute)
            if isinstance(ours, ValidationError):
                ours.hint = self._hint()
            if ours is not error:
                raise ours from None

    def _judge_length(self, expected: int | None, settings: Settings) -> None:
        """Refuse before the first byte what cannot come out right."""
        if self.size is not None and expected is not None and self.size != expected:
            raise SizeMismatch(expected, self.size)
        if self.size is not None and self._limit is not None and self.size > self._limit:
            raise SizeMismatch(self._limit, self.size)
        if settings.require_length and not self.length_verified:
            raise UnverifiableLength("nothing tells the length of the file")

    def _hint(self) -> str:
        """Say what may have come in the place of the file: a portal's page, a coded copy."""
        coding = self.opened.header("content-encoding")
        if coding is not None:
            return f"upstream says Content-Encoding: {printable(coding[:40])}"
        kind = self.opened.header("content-type") or ""
        return (
            f"upstream says {printable(kind[:60])}" if kind.lower().startswith("text/html") else ""
        )


def _claim(opened: Opened) -> Validation | None:
    """Return what upstream says of the whole file's digest, if anything.

    That must hold where the caller expects no digest. It tells damage on the way, and never stands
    in for a digest from elsewhere.
    """
    if opened.status != 200 or opened.method == "HEAD":
        return None
    if opened.header("repr-digest") is None and opened.header("digest") is None:
        return None
    from pulp_download.mirrors.digest_fields import claimed  # which few upstreams need

    fields = headers_of(opened.fields)
    return claimed(fields.getlist("repr-digest"), fields.getlist("digest"))


def _announced(value: str) -> int | None:
    return int(value) if value.isascii() and value.isdigit() and len(value) < 20 else None
