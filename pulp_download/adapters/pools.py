"""urllib3's pools: idle connections, and the way to a new one.

With :mod:`~pulp_download.adapters.connections` the only place that uses names of urllib3's with a
leading underscore: of pools ``_get_conn``, ``_put_conn``, ``_new_conn`` and ``_prepare_proxy``, in
subclasses.
"""

from __future__ import annotations

import http.client
import queue
import ssl
from contextlib import suppress
from typing import Any, NoReturn, cast

import urllib3

from pulp_download.adapters.awaited import Awaited
from pulp_download.adapters.connections import WatchedConnection, WatchedTLSConnection
from pulp_download.adapters.exchange import Exchange
from pulp_download.adapters.idle import Idle
from pulp_download.errors import ProxyFailed, TimedOut
from pulp_download.watch import Watch


class _Stack(queue.LifoQueue[Any]):
    """Idle connections, the last one first, without a queue's lock and conditions.

    Nobody waits here, and appending to a list and popping from it are single steps.
    """

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        if len(self.queue) >= self.maxsize:
            raise queue.Full
        self.queue.append(item)

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        try:
            return self.queue.pop()
        except IndexError:
            raise queue.Empty from None


class Pool(urllib3.HTTPConnectionPool):
    """urllib3's pool with an exchange that is watched from the first look-up on."""

    ConnectionCls = WatchedConnection
    QueueCls = _Stack
    pool: _Stack | None

    def __init__(self, *args: Any, idle: Idle, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self._idle = idle

    def exchange(self, method: str, message: bytes, watch: Watch, *, tunnel: bool) -> Exchange:
        """Send a message without a body, and wait for the answer's head."""
        return self.send(method, message, watch, tunnel=tunnel).answer()

    def send(self, method: str, message: bytes, watch: Watch, *, tunnel: bool) -> Awaited:
        """Send a message without a body; ``tunnel`` asks for a way through the pool's proxy."""
        connection = self._get_conn()
        connection.pool = self
        connection.is_tunnelled = tunnel
        awaited = Awaited(method, message, connection, watch)
        awaited.send()
        return awaited

    def _get_conn(self, timeout: float | None = None) -> WatchedConnection:
        """Return an idle connection that is silent, or one that is not connected yet."""
        stack = self.pool
        if stack is None:
            raise urllib3.exceptions.ClosedPoolError(self, "pool is closed")
        try:
            connection: WatchedConnection | None = stack.queue.pop()
        except IndexError:
            connection = None
        if connection is None:
            return cast(WatchedConnection, self._new_conn())
        self._idle.remove(connection)
        if connection.wire is None or connection.wire.has_more():
            connection.close()
        return connection

    def _put_conn(self, connection: Any) -> None:
        """Take a connection back; who has been idle longest anywhere may have to go for it."""
        stack = self.pool
        is_open = connection is not None and connection.wire is not None
        if is_open and stack is not None and len(stack.queue) < stack.maxsize:
            stack.queue.append(connection)
            self._idle.add(connection, self)
            if self.pool is not stack:  # closed at this moment
                self._idle.remove(connection)
                connection.close()
        else:
            super()._put_conn(connection)

    def close_idle(self, connection: object) -> None:
        """Close a connection if it is still idle."""
        with suppress(ValueError, AttributeError):  # taken, or the pool is closed, at this moment
            cast(_Stack, self.pool).queue.remove(connection)
            cast(WatchedConnection, connection).close()

    def open(self, connection: WatchedConnection, watch: Watch) -> None:
        """Connect, anew if need be, and through the proxy if the connection is to go there."""
        watch.may_block()
        connection.close()  # one that urllib3 used by itself may be open
        connection.watch = watch
        watch.begin("connect", watch.limits.connect)
        try:
            if connection.is_tunnelled:
                self._prepare_proxy(connection)
            else:
                connection.connect()
            watch.check()
        except BaseException as error:
            connection.watch = None  # it may lie in the pool for long
            if self.proxy is not None and not connection.is_through and _is_late(error, watch):
                watch.blame(
                    ProxyFailed(f"proxy: connect timeout of {watch.limits.connect:g} s passed")
                )
            watch.check()
            if self.proxy is not None:
                _blame_proxy(error)
            raise
        connection.opened(watch)


class TLSPool(Pool, urllib3.HTTPSConnectionPool):
    ConnectionCls = WatchedTLSConnection


POOLS_BY_SCHEME = {"http": Pool, "https": TLSPool}


def _is_late(error: BaseException, watch: Watch) -> bool:
    """Tell whether the time for connecting is over, whoever noticed it first."""
    if watch.verdict is None:
        return isinstance(error, TimeoutError) and not watch.remaining()
    return isinstance(watch.verdict, TimedOut) and watch.verdict.limit == "connect"


def _blame_proxy(error: BaseException) -> NoReturn:
    """Tell a proxy's failure from that of the origin behind it, so that no mirror is blamed."""
    if isinstance(error, ssl.SSLCertVerificationError):
        raise error
    if isinstance(error, (OSError, http.client.HTTPException, urllib3.exceptions.HTTPError)):
        raise ProxyFailed(f"proxy: {type(error).__name__}") from None
    raise error
