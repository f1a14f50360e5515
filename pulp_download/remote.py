"""How to reach an upstream, and all that downloads from it share."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Collection, Generator, Mapping
from types import MappingProxyType
from typing import Any, Self

import requests

from pulp_download import state, tls
from pulp_download.adapters.awaited import Awaited
from pulp_download.adapters.idle import Idle
from pulp_download.asking import Opened, Question, ask
from pulp_download.auth import BearerAuth, Netrc, basic_auth
from pulp_download.errors import Cancelled
from pulp_download.fields import as_fields
from pulp_download.foreign import raise_ours
from pulp_download.hosts import Hosts
from pulp_download.mirrors.mirror import Mirror
from pulp_download.redirects import REDIRECTS, Trail
from pulp_download.retries import RetryPolicy
from pulp_download.session import Session
from pulp_download.settings import Settings
from pulp_download.speed import SpeedLimit
from pulp_download.statuses import error_of
from pulp_download.steps import Asking
from pulp_download.turns import Turn
from pulp_download.urls import FTP_SCHEMES, URL, Origin
from pulp_download.watch import Watch
from pulp_download.watchdog import watchdog

_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class Remote:
    """One upstream: a session with its adapters and pools, credentials and tokens.

    Takes one :class:`~pulp_download.settings.Settings`, or its fields as keywords. Thread-safe, a
    context manager; ``close()`` ends every transfer that uses it, whose runs then fail with
    Cancelled. Pickles as its settings, secrets included, and connects anew on the other side; what
    was set on ``session`` is not pickled. After a fork the child gets fresh pools.
    """

    def __init__(self, settings: Settings | None = None, **fields: Any):
        if settings is not None and fields:
            raise TypeError("Remote takes one Settings, or its fields as keywords")
        self._settings = settings if settings is not None else Settings(**fields)
        self.time_limits = self._settings.time_limits
        self.retry_policy = RetryPolicy(
            self._settings.max_retries, self._settings.retry_after_limit
        )
        self._lock = threading.Lock()
        self._session: Session | None = None
        self._settings_auth: Any = None
        self._netrc: Netrc | None = None
        self._trusted = self._settings.trusted
        self.bases = self._settings.bases
        self.hosts = Hosts(self._settings.limits)
        self.speed = SpeedLimit(self._settings.max_speed) if self._settings.max_speed else None
        self._idle = Idle(self.hosts.bound)
        self.policy = self._settings.policy
        self._is_closed = False
        self._is_forked = False
        if self._settings.state_file is not None:
            state.recall(self._settings.state_file, self.hosts)
        _remotes.add(self)
        if self._settings.ca_cert or self._settings.client_cert:
            tls.ssl_context(self._settings.tls)  # a bad file is told now, not by every download

    @property
    def settings(self) -> Settings:
        return self._settings

    @property
    def session(self) -> requests.Session:
        """A real ``requests.Session``, made at first use.

        Headers, cookies, params, auth, hooks, verify, cert, proxies, max_redirects and adapters
        set on it take effect and win over the settings. ``trust_env`` stays False.
        """
        session = self._session
        if session is None or self._is_closed or self._is_forked:
            return self._connected()
        return session

    def opening(
        self,
        mirror: Mirror,
        watch: Watch,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        answers: Collection[int] = (),
        hear: Callable[[Opened], None] | None = None,
    ) -> Asking[Opened]:
        """Ask a mirror; return the answer, once its head is there, if it is 200 or of ``answers``.

        A generator, which yields while an answer is awaited: going on blocks until it begins.
        Redirects are followed, and a token of ours that gets a 401 is renewed once; any other
        status raises what it says. ``hear`` is told of every answer, redirects included. Raises
        DownloadErrors only, but for bugs; the caller closes the answer.
        """
        session = self._session_of_a_run()
        url = start = mirror.absolute
        trail: Trail | None = None  # until something leads on
        may_renew = True
        while True:
            if (turn := watch.turn) is not None:
                if turn.has_asked:
                    yield from self._moved(turn, url.origin, watch)
                turn.has_asked = True
            question = self._question(
                session, start, url, method, headers or _NO_HEADERS, is_learnt=mirror.is_learnt
            )
            try:
                opened = ask(session, question, watch)
                if isinstance(opened, Awaited):
                    try:
                        yield opened  # whoever waits for the answer may do something else
                    except BaseException:  # nobody goes on with this
                        opened.abandon()
                        raise
                    exchange = opened.answer()
                    opened = Opened(question, exchange, exchange.head)
            except Exception as error:
                raise_ours(error, watch, question.url)
                raise
            if hear is not None:
                hear(opened)
            status = opened.status
            if status == 200 or status in answers:
                return opened
            opened.answer.drain()
            if status == 401 and may_renew and self._renewed(question, watch):
                may_renew = False
            elif status in REDIRECTS:
                trail = trail or Trail(start, session.max_redirects)
                url = trail.follow(status, opened.header("location"))
            else:
                asked, again = mirror.url.redacted, opened.header("retry-after")
                raise error_of(status, opened.reason, again, url=asked)

    def widen(self, concurrency: int) -> None:
        """Be ready for a batch of so many, where no setting says how many there may be."""
        self.hosts.widen(concurrency)
        if concurrency > self._idle.limit:
            self._idle.limit = min(concurrency, self._settings.download_concurrency or concurrency)

    def _moved(self, turn: Turn, there: Origin, watch: Watch) -> Generator[Turn, None, None]:
        """Give up a place for one at the host that is asked next, if that is another.

        Where requests have to be apart, also for one at the same host.
        """
        if turn.is_at(there) and not self.hosts.has_rate:
            return
        if not turn.move(self.hosts.at(there)):
            yield from turn.until_there(watch.check)

    def _connected(self) -> requests.Session:
        """Make the session, or put it right in a forked child."""
        with self._lock:
            if self._is_closed:
                raise RuntimeError("this remote is closed")
            if self._session is None:
                session = Session(self._settings, self._idle)
                self._settings_auth = session.auth
                self._netrc = Netrc(self._settings.netrc) if self._settings.netrc else None
                self._session = session
            elif self._is_forked:
                self._connect_anew(self._session)
            self._is_forked = False
            return self._session

    def _session_of_a_run(self) -> requests.Session:
        if self._session is not None and not self._is_closed and not self._is_forked:
            return self._session
        try:
            return self.session
        except RuntimeError:
            if self._is_closed:  # between the run's beginning and now
                raise Cancelled("the remote was closed") from None
            raise

    def check_open(self) -> None:
        """Raise Cancelled if the remote is closed."""
        if self._is_closed:
            raise Cancelled("the remote is closed")

    def close(self) -> None:
        """End every transfer, close every connection. Any thread, any number of times."""
        with self._lock:
            was_closed, self._is_closed = self._is_closed, True
            session = self._session
        watchdog.cancel(self, "the remote was closed")
        self.hosts.close()
        if self._settings.state_file is not None and not was_closed and not self._is_forked:
            state.remember(self._settings.state_file, self.hosts)
        if session is not None:
            session.close()
        watchdog.rest()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __reduce__(self) -> tuple[type[Remote], tuple[Settings]]:
        return Remote, (self._settings,)

    def __repr__(self) -> str:
        return f"Remote({self._settings!r})"

    def _question(
        self,
        session: requests.Session,
        start: URL,
        url: URL,
        method: str,
        headers: Mapping[str, str],
        *,
        is_learnt: bool,
    ) -> Question:
        is_first = url is start
        is_own = not is_learnt and (is_first or url.origin == start.origin)
        is_known = is_own or url.origin in self._trusted
        auth = self._auth(session, start, headers, is_own=is_own) if is_known else None
        return Question(method, url, headers, auth, is_known=is_known, is_first=is_first)

    def _auth(
        self, session: requests.Session, start: URL, headers: Mapping[str, str], *, is_own: bool
    ) -> Any:
        """Return who to be at a known origin, as requests takes it; an own one is ``start``'s.

        Said closest wins: with the download (its URL, its headers), on the session, in the
        settings, in netrc.
        """
        if is_own and start.credentials is not None:
            return basic_auth(start.credentials)
        if session.auth is None and self._netrc is None:
            return None
        if start.scheme in FTP_SCHEMES and isinstance(session.auth, BearerAuth):
            return None
        if headers and any(name.lower() == "authorization" for name in headers):
            return None
        if session.auth is not None and session.auth is not self._settings_auth:
            return session.auth
        if as_fields(session.headers).sent.authorization is not None:
            return None
        if session.auth is None and is_own and self._netrc is not None:
            found = self._netrc.lookup(start.origin.host)
            return basic_auth(found) if found else None
        return session.auth

    def _renewed(self, question: Question, watch: Watch) -> bool:
        """Tell whether a rejected token of ours has been replaced by another one."""
        if not isinstance(question.auth, BearerAuth):
            return False
        watch.may_block()
        try:
            return question.auth.renew(str(question.authorization))
        except Exception as error:
            raise_ours(error, watch, question.url)
            raise

    def _connect_anew(self, session: requests.Session) -> None:
        """Leave the parent's connections to the parent."""
        for adapter in session.adapters.values():
            renew = getattr(adapter, "renew", None)  # ours have it
            if renew is not None:
                renew()

    def _after_fork(self) -> None:
        self._lock = threading.Lock()
        self.hosts = Hosts(self._settings.limits)
        if self.bases.known is None:
            self.bases = self._settings.bases  # whoever was reading the list is the parent's
        if self._settings.max_speed:
            self.speed = SpeedLimit(self._settings.max_speed)
        self._is_forked = True
        if isinstance(self._settings_auth, BearerAuth):
            self._settings_auth.after_fork()


_remotes: weakref.WeakSet[Remote] = weakref.WeakSet()


def _after_fork() -> None:
    # Locks may be held by threads that the child does not have.
    for remote in tuple(_remotes):
        remote._after_fork()


os.register_at_fork(after_in_child=_after_fork)
