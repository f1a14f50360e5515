"""Where one run may get its file: which source is next, and a place at its host."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pulp_download.asking import Opened
from pulp_download.errors import DownloadError, FailedTry
from pulp_download.mirrors.mirror import Mirror, Relative, resolved
from pulp_download.remote import Remote
from pulp_download.retries import Attempts, GiveUp, RetryPolicy, Wait
from pulp_download.steps import Steps
from pulp_download.turns import Turn
from pulp_download.urls import URL
from pulp_download.validations import expected_size
from pulp_download.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Callable

    from pulp_download.download import Download
    from pulp_download.host import Host
    from pulp_download.leads import Leads
    from pulp_download.segments import Setback

log = logging.getLogger(__name__)

Places = Steps[Mirror | None]

# Seconds between two looks at whether somebody else has read the remote's mirror list.
_LOOK = 0.05


class Sources:
    """The mirrors of one run, what became of them, and its turn. Used by one thread at a time.

    ``current`` is the source of the present try, ``error`` the last failure when nothing is left.
    """

    def __init__(self, download: Download, remote: Remote, watch: Watch):
        self.current = download.mirrors[0]
        self.error: DownloadError | None = None
        self._download = download
        self._remote = remote
        self._watch = watch
        self._turn = watch.turn = Turn(remote.hosts, watch)
        self._leads: Leads | None = None
        self._has_started = False
        self._attempts: Attempts | None = None

    @property
    def history(self) -> tuple[FailedTry, ...]:
        """The tries that failed."""
        return self._attempts.history if self._attempts is not None else ()

    @property
    def has_place(self) -> bool:
        """A place that was waited for is there."""
        turn = self._watch.turn
        return turn is not None and turn.host is not None

    def wake_by(self, wake: Callable[[], None]) -> None:
        """Have ``wake`` called when there is a place, from any thread."""
        turn = self._watch.turn
        if turn is not None:
            turn.wake = wake

    def next(self) -> Places:
        """Choose a source and take a place at its host; None when nothing is left to try.

        Then ``error`` is the last failure. Yields while there is something to wait for.
        """
        attempts, watch = self._attempts, self._watch
        if attempts is None:
            places: Sequence[Mirror] = self._download.mirrors
            if len(places) > 1 or type(self.current.url) is Relative:
                places = yield from self._resolved(places)
            attempts = self._attempts = Attempts(self._remote.retry_policy, places)
        while True:
            if self._leads is not None:
                yield from self._follow(self._leads, attempts)
            step = attempts.next_step()
            if isinstance(step, GiveUp):
                self.error = step.error
                return None
            watch.begin_try()
            if isinstance(step, Wait):
                yield step
                continue
            hosts, turn, sources = self._remote.hosts, self._turn, step.sources
            wanted: tuple[Host, ...]
            if len(sources) == 1:
                wanted = (hosts.at(sources[0].absolute.origin),)
            else:
                sources = tuple(hosts.ranked(sources, self._remote.policy))
                wanted = tuple(hosts.at(source.absolute.origin) for source in sources)
            if not hosts.admit(turn, wanted):
                yield from turn.until_there(watch.check)
            if not self._has_started:  # at the first place; before that was queueing
                self._has_started = True
                watch.start()
            assert turn.host is not None
            current = self.current = sources[wanted.index(turn.host)]
            if len(sources) > 1 and len(attempts.untried) > 1:
                self._watch_rivals(attempts.untried)
            return current

    @property
    def untried(self) -> Sequence[Mirror]:
        """Sources that have not failed."""
        return self._attempts.untried if self._attempts is not None else ()

    def note(self, setbacks: list[Setback]) -> None:
        """Add to the history what failed helpers, and empty the list; it costs no repeat."""
        assert self._attempts is not None
        for setback in setbacks:
            self._attempts.note(*setback)
        setbacks.clear()

    def hear(self, opened: Opened) -> None:
        """Listen to what an answer says about other places."""
        if opened.header("link") is not None:
            if self._leads is None:
                from pulp_download.leads import Leads  # readers that few programs ever need

                self._leads = Leads(self._download.validations)
            self._leads.hear(opened)

    def failed(self, error: DownloadError) -> float | None:
        """Record a failed try of the current source; see :meth:`Attempts.failed`."""
        self._turn.leave(error)
        if self._attempts is None:  # the list of its mirrors was not to be had
            self._attempts = Attempts(RetryPolicy(max_retries=0), ())
        return self._attempts.failed(self.current, error, self._watch.delivered)

    def leave(self, error: DownloadError | None) -> None:
        """Give up the place at a host, and the memory of who waits for it."""
        self._remote.hosts.release(self._turn, error)
        self._watch.turn = self._turn.wake = None

    def _resolved(self, mirrors: Sequence[Mirror]) -> Steps[Sequence[Mirror]]:
        """Return where to ask, relative places below each base."""
        if all(type(mirror.url) is URL for mirror in mirrors):
            return mirrors
        bases = self._remote.bases
        try:
            while bases.known is None:
                if not bases.claim():
                    yield Wait(time.monotonic() + _LOOK)
                    self._watch.check()
                    continue
                assert bases.place is not None
                try:
                    bases.learn((yield from self._document(bases.place)))
                except BaseException as error:
                    bases.failed(error)
                    raise
        except DownloadError as error:
            if error.final or not bases.given:
                raise
            log.warning("going on without the mirror list: %s", error.message)
            return tuple(resolved(mirrors, bases.given))
        return tuple(resolved(mirrors, bases.known))

    def _document(self, place: Mirror) -> Steps[bytes]:
        from pulp_download.documents import document  # which few runs need

        return document(self._remote, place, self._watch)

    def _follow(self, leads: Leads, attempts: Attempts) -> Steps[None]:
        """Take the places that answers named; read a metalink when nothing else is untried."""
        if not attempts.untried and leads.metalink is not None:
            name = self.current.absolute.path.rpartition("/")[2]
            try:
                leads.read((yield from self._document(leads.metalink)), name)
            except DownloadError:
                self._watch.check()
                leads.metalink = None
        attempts.learn(leads.take(attempts.known))

    def _watch_rivals(self, untried: Sequence[Mirror]) -> None:
        """Have a try ended as soon as another source is much faster."""
        here = self.current.absolute.origin
        others = [mirror for mirror in untried if mirror.absolute.origin != here]
        if not others:
            return
        from pulp_download.rivals import Rivals  # which there are among several mirrors only

        size = expected_size(self._download.validations)
        self._watch.rivals = Rivals(self._remote.hosts, others, size)
