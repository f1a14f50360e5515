"""Connections that can be stopped: names looked up and addresses tried under a watch.

Happy eyeballs (RFC 8305): a further address is tried every quarter of a second while the first ones
are silent, and the first to answer wins, so that a dead address family costs that long and not a
whole time-out. Who won is asked first the next time, so that it costs it once.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import selectors
import socket
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue

from pulp_download.watch import Watch
from pulp_download.watchdog import TICK

# RFC 8305 section 5 recommends 250 ms between attempts.
_ATTEMPT_DELAY = 0.25

# Hosts whose winner is remembered: more than a run has upstreams. Then all are forgotten.
_REMEMBERED = 1024

AddressInfo = tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[str | int, ...]]
SocketOptions = Sequence[tuple[int, int, int | bytes]]

# The address that answered last, by host and port. A hint only: what the resolver does not say any
# more is not tried, so threads may write it as they like.
_winners: dict[tuple[str, int], object] = {}


def connect(host: str, port: int, watch: Watch, options: SocketOptions = ()) -> socket.socket:
    """Return a connected, blocking TCP socket; the watch must be in a phase.

    Raises OSError as the operating system says it (``socket.gaierror`` for names), TimeoutError
    when the phase is over, and the watch's verdict.
    """
    addresses = interleave(resolve(host, port, watch))
    last = _winners.get((host, port))
    addresses.sort(key=lambda address: address[4] != last)  # stable: the others keep their order
    several = len(addresses) > 1
    winner = _Race(addresses, watch, options).winner()
    if not several:
        return winner
    if len(_winners) >= _REMEMBERED:
        _winners.clear()
    with suppress(OSError):  # reset already; whoever sends will be told
        _winners[host, port] = winner.getpeername()
    return winner


def connect_to(
    peer: tuple[object, ...], family: int, watch: Watch, options: SocketOptions = ()
) -> socket.socket:
    """Return a socket connected to one address that is known to be there; the watch ends the wait.

    Raises OSError as the operating system says it, and the watch's verdict.
    """
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        for option in options:
            sock.setsockopt(*option)
        watch.attach(sock)  # shutting it down wakes who waits for the connection as well
        sock.connect(peer)
        watch.check()
    except BaseException:
        watch.detach()
        sock.close()
        raise
    return sock


def resolve(host: str, port: int, watch: Watch) -> list[AddressInfo]:
    """Look a name up in a thread of its own, because nothing can interrupt the look-up itself.

    A look-up that is given up goes on alone and ends when the resolver does. An address needs no
    looking up, and no thread.
    """
    if is_address(host):
        return _looked_up(host, port)
    answers: SimpleQueue[list[AddressInfo] | BaseException] = SimpleQueue()

    def look_up() -> None:
        try:
            answers.put(_looked_up(host, port))
        except (OSError, UnicodeError) as error:
            answers.put(error)

    try:
        threading.Thread(target=look_up, name="pulp-resolver", daemon=True).start()
    except RuntimeError:  # no more threads to be had
        raise OSError(errno.ENOMEM, f"no thread for looking up {host}") from None
    while True:
        try:
            answer = answers.get(timeout=TICK)
        except Empty:
            watch.check()
            if not watch.remaining():
                raise TimeoutError(f"looking up {host}") from None
            continue
        if isinstance(answer, BaseException):
            raise answer
        return answer


def _looked_up(host: str, port: int) -> list[AddressInfo]:
    try:
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)  # type: ignore[return-value]
    except (OSError, UnicodeError) as error:
        raise _really(error) from None


def is_address(host: str) -> bool:
    """Tell an address from a name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _really(error: Exception) -> Exception:
    """Return what really failed: out of descriptors, the resolver says 'name not known'."""
    if isinstance(error, socket.gaierror):
        try:
            os.close(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
        except OSError as exhausted:
            if exhausted.errno in (errno.EMFILE, errno.ENFILE):
                return exhausted
    return error


def interleave(addresses: list[AddressInfo]) -> list[AddressInfo]:
    """Alternate address families, keeping the resolver's order in each (RFC 8305 section 4)."""
    families: dict[int, list[AddressInfo]] = {}
    for address in addresses:
        families.setdefault(address[0], []).append(address)
    longest = max((len(group) for group in families.values()), default=0)
    return [group[i] for i in range(longest) for group in families.values() if i < len(group)]


class _Race:
    """Several addresses of one host, one connection wanted."""

    def __init__(self, addresses: list[AddressInfo], watch: Watch, options: SocketOptions):
        self._addresses = addresses
        self._watch = watch
        self._options = options
        self._selector = selectors.DefaultSelector()
        self._failure: OSError = OSError(errno.EADDRNOTAVAIL, "no address")

    def winner(self) -> socket.socket:
        with self._selector:
            try:
                winner = self._run()
            finally:
                losers = [key.fileobj for key in list(self._selector.get_map().values())]
                for loser in losers:
                    loser.close()  # type: ignore[union-attr]
            winner.setblocking(True)
            return winner

    def _run(self) -> socket.socket:
        next_start = 0.0
        while True:
            now = time.monotonic()
            pending = self._selector.get_map()
            if self._addresses and (not pending or now >= next_start):
                if connected := self._start(self._addresses.pop(0)):
                    return connected
                next_start = now + _ATTEMPT_DELAY
                continue
            if not pending:
                raise self._failure
            if connected := self._wait():
                return connected

    def _start(self, address: AddressInfo) -> socket.socket | None:
        family, kind, protocol, _, where = address
        try:
            sock = socket.socket(family, kind, protocol)
        except OSError as error:
            self._failure = error
            return None
        sock.setblocking(False)
        for option in self._options:
            sock.setsockopt(*option)
        code = sock.connect_ex(where)
        if code not in (0, errno.EINPROGRESS, errno.EWOULDBLOCK):
            self._failed(sock, code)
            return None
        if code == 0:
            return sock
        limit = self._watch.limits.sock_connect
        deadline = None if limit is None else time.monotonic() + limit
        self._selector.register(sock, selectors.EVENT_WRITE, deadline)
        return None

    def _wait(self) -> socket.socket | None:
        ready = self._selector.select(TICK)
        self._watch.check()
        if not self._watch.remaining():
            raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
        for key, _ in ready:
            sock = key.fileobj
            assert isinstance(sock, socket.socket)
            self._selector.unregister(sock)
            code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code == 0:
                return sock
            self._failed(sock, code)
        for key in list(self._selector.get_map().values()):
            if key.data is not None and time.monotonic() >= key.data:
                assert isinstance(key.fileobj, socket.socket)
                self._selector.unregister(key.fileobj)
                self._failed(key.fileobj, errno.ETIMEDOUT)
        return None

    def _failed(self, sock: socket.socket, code: int) -> None:
        self._failure = OSError(code, os.strerror(code))
        with suppress(OSError):
            sock.close()
