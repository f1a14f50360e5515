"""How to reach an upstream, and all that downloads from it share."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Mapping
from typing import Any, Self

import requests

from pulp_download import tls
from pulp_download.adapters.http import HttpAdapter
from pulp_download.asking import Opened, Question, ask
from pulp_download.auth import BearerAuth, Netrc, basic_auth
from pulp_download.errors import Cancelled
from pulp_download.foreign import translated
from pulp_download.redirects import REDIRECTS, Trail
from pulp_download.retries import RetryPolicy
from pulp_download.session import Session
from pulp_download.settings import Settings
from pulp_download.urls import URL
from pulp_download.watchdog import Watch


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
        self._process = os.getpid()
        self._watches: set[Watch] = set()
        self._is_closed = False
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
        with self._lock:
            if self._is_closed:
                raise RuntimeError("this remote is closed")
            if self._session is None:
                self._session = Session(self._settings)
                self._settings_auth = self._session.auth
                self._netrc = Netrc(self._settings.netrc)
            elif self._process != os.getpid():
                self._connect_anew(self._session)
            self._process = os.getpid()
            return self._session

    def open(
        self,
        url: URL,
        watch: Watch,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
    ) -> Opened:
        """Ask for a URL, follow redirects, and return the answer once its head is there.

        Statuses are not judged here but for redirects, and for a 401 to a token of ours, which is
        renewed once. Raises DownloadErrors only, but for bugs; the caller closes the answer.
        """
        session = self._session_of_a_run()
        trail = Trail(url, session.max_redirects)
        may_renew = True
        while True:
            question = self._question(session, trail, method, headers or {})
            with translated(watch, trail.current):
                opened = ask(session, question, watch)
            if opened.status == 401 and may_renew and self._renewed(opened, question, watch):
                may_renew = False
                opened.answer.drain()
            elif opened.status in REDIRECTS:
                opened.answer.drain()
                trail.follow(opened.status, opened.header("location"))
            else:
                return opened

    def _session_of_a_run(self) -> requests.Session:
        try:
            return self.session
        except RuntimeError:
            if self._is_closed:  # between the run's beginning and now
                raise Cancelled("the remote was closed") from None
            raise

    def register(self, watch: Watch) -> None:
        """Have ``close()`` stop this transfer."""
        with self._lock:
            if self._is_closed:
                raise Cancelled("the remote is closed")
            self._watches.add(watch)

    def unregister(self, watch: Watch) -> None:
        """The transfer is over."""
        with self._lock:
            self._watches.discard(watch)

    def close(self) -> None:
        """End every transfer, close every connection. Any thread, any number of times."""
        with self._lock:
            self._is_closed = True
            watches, session = tuple(self._watches), self._session
        for watch in watches:
            watch.stop(Cancelled("the remote was closed"))
        if session is not None:
            session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __reduce__(self) -> tuple[type[Remote], tuple[Settings]]:
        return Remote, (self._settings,)

    def __repr__(self) -> str:
        return f"Remote({self._settings!r})"

    def _question(
        self, session: requests.Session, trail: Trail, method: str, headers: Mapping[str, str]
    ) -> Question:
        return Question(
            method,
            trail.current,
            headers,
            self._auth(session, trail, headers),
            is_known=self._is_known(trail),
            is_first=trail.current is trail.start,
        )

    def _is_known(self, trail: Trail) -> bool:
        """Tell whether the trail's current origin may get the secrets of this remote."""
        origin = trail.current.origin
        return origin == trail.start.origin or origin in self._settings.trusted

    def _auth(self, session: requests.Session, trail: Trail, headers: Mapping[str, str]) -> Any:
        """Return who to be at the trail's current origin, as requests takes it.

        Said closest wins: with the download (its URL, its headers), on the session, in the
        settings, in netrc.
        """
        if not self._is_known(trail):
            return None
        is_own = trail.current.origin == trail.start.origin
        if is_own and trail.start.credentials is not None:
            return basic_auth(trail.start.credentials)
        if any(name.lower() == "authorization" for name in headers):
            return None
        if session.auth is not None and session.auth is not self._settings_auth:
            return session.auth
        if session.headers.get("Authorization") is not None:
            return None
        if session.auth is None and is_own and self._netrc is not None:
            found = self._netrc.lookup(trail.current.origin.host)
            return basic_auth(found) if found else None
        return session.auth

    def _renewed(self, opened: Opened, question: Question, watch: Watch) -> bool:
        """Tell whether a rejected token of ours has been replaced by another one."""
        if not isinstance(question.auth, BearerAuth):
            return False
        with translated(watch, question.url):
            return question.auth.renew(str(opened.authorization))

    def _connect_anew(self, session: requests.Session) -> None:
        """Leave the parent's connections to the parent."""
        for adapter in session.adapters.values():
            if isinstance(adapter, HttpAdapter):
                adapter.renew()

    def _after_fork(self) -> None:
        self._lock = threading.Lock()
        self._watches.clear()
        if isinstance(self._settings_auth, BearerAuth):
            self._settings_auth.after_fork()


_remotes: weakref.WeakSet[Remote] = weakref.WeakSet()


def _after_fork() -> None:
    # Locks may be held by threads that the child does not have.
    for remote in tuple(_remotes):
        remote._after_fork()


os.register_at_fork(after_in_child=_after_fork)
