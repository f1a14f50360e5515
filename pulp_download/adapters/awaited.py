"""A request that has been sent, and whose answer is awaited."""

from __future__ import annotations

import ssl

from pulp_download.adapters.connections import WatchedConnection
from pulp_download.adapters.exchange import Exchange
from pulp_download.watch import Watch

# Methods that may be sent again when a reused connection was dead (RFC 9110 section 9.2.2).
_REPEATABLE = ("GET", "HEAD", "OPTIONS")


class Awaited:
    """One request on one connection, between its sending and its answer.

    ``answer()`` blocks until the head is there; whoever has something else to do may wait until
    ``fileno()`` can be read, and call it then. A reused connection that proves dead before the
    first byte of the answer is replaced by a fresh one, once; that is no failure of upstream
    (RFC 9112 section 9.3.1). What raises has let go of the connection.
    """

    __slots__ = ("_connection", "_may_reopen", "_message", "_method", "_watch")

    def __init__(self, method: str, message: bytes, connection: WatchedConnection, watch: Watch):
        self._method = method
        self._message = message
        self._connection = connection
        self._watch = watch
        self._may_reopen = True  # until that has been done

    def send(self) -> None:
        """Send the request, over a fresh connection if the idle one is dead."""
        try:
            if self._connection.wire is not None:
                try:
                    self._connection.ask(self._message, self._watch)
                except (ConnectionError, ssl.SSLError):
                    self._watch.check()
                    if self._method not in _REPEATABLE:
                        raise
                else:
                    return
            self._send_anew()
        except BaseException:
            self.abandon()
            raise

    def fileno(self) -> int:
        """Return the descriptor that can be read when the answer begins, or is not to come."""
        return self._connection.wire.fileno() if self._connection.wire is not None else -1

    def answer(self) -> Exchange:
        """Wait for the answer's head, and return the exchange that it opens."""
        try:
            try:
                return self._connection.answer(self._method, self._watch)
            except (ConnectionError, ssl.SSLError):
                self._watch.check()
                wire = self._connection.wire
                has_begun = wire is not None and wire.pending > 0
                if has_begun or not self._may_reopen or self._method not in _REPEATABLE:
                    raise
            self._send_anew()
            return self._connection.answer(self._method, self._watch)
        except BaseException:
            self.abandon()
            raise

    def abandon(self) -> None:
        """Let go of the connection, whose answer nobody waits for any more."""
        self._watch.detach()
        self._watch.end()
        self._connection.give_back(reusable=False)

    def _send_anew(self) -> None:
        self._may_reopen = False
        assert self._connection.pool is not None
        self._connection.pool.open(self._connection, self._watch)
        self._connection.ask(self._message, self._watch)
