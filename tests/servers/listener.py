"""A loopback listener with one thread for each connection: what every server here is built on."""

from __future__ import annotations

import contextlib
import errno
import socket
import threading
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Self

from tests.servers.conversation import Conversation
from tests.servers.gate import Gate
from tests.servers.ledger import Ledger

BACKLOG = 4096  # connections; the kernel lowers it to net.core.somaxconn
JOIN = 10.0  # seconds until a script that ignores the end of its connection is called stuck
NO_DESCRIPTOR = {errno.EMFILE, errno.ENFILE}


class Listener:
    """A server on a loopback port that hands each connection to ``serve()`` in its own thread.

    A script that raises anything but the ``ConnectionError`` of a client that left makes
    ``close()`` raise (an ``ExceptionGroup``), so that no test passes by accident. ``close()``
    ends every connection at once, whatever its script does, and joins every thread.
    """

    def __init__(self, *, host: str = "127.0.0.1") -> None:
        self.host = host
        self._ledger = Ledger()
        self._gates: list[Gate] = []
        self._finished: deque[threading.Thread] = deque()
        self._threads: set[threading.Thread] = set()
        self._listener: socket.socket | None = None
        self._acceptor = threading.Thread(target=self._accept, name="fault-accept", daemon=True)

    # -- what a kind of server says of itself

    def conversation(self, sock: socket.socket, number: int) -> Conversation:
        """What scripts see of an accepted connection."""
        return Conversation(sock, self._ledger, number)

    def serve(self, conn: Conversation) -> None:
        """Answer one connection until it ends; called in a thread of its own."""
        raise NotImplementedError

    def gate(self) -> Gate:
        """A new gate to put before any step of any script of this server."""
        gate = Gate(self._ledger)
        self._gates.append(gate)
        return gate

    @property
    def port(self) -> int:
        assert self._listener is not None, "the server was not started"
        port: int = self._listener.getsockname()[1]
        return port

    def netloc(self, host: str | None = None, userinfo: str = "") -> str:
        """The part of a URL that names this server; ``host`` names it another way."""
        name = host or self.host
        name = f"[{name}]" if ":" in name else name
        at = f"{userinfo}@" if userinfo else ""
        return f"{at}{name}:{self.port}"

    # -- what happened

    @property
    def accepted(self) -> int:
        """Connections accepted so far."""
        return self._ledger.accepted

    @property
    def open(self) -> int:
        """Connections now open at both ends."""
        return self._ledger.open

    @property
    def peak(self) -> int:
        """The most connections that were open at once."""
        return self._ledger.peak

    @property
    def held(self) -> int:
        """Requests and connections now stalled by ``hold`` or waiting at a gate."""
        return self._ledger.held

    @property
    def tls_failures(self) -> list[str]:
        """Why handshakes failed or clients broke off TLS, as OpenSSL says it."""
        return list(self._ledger.tls_failures)

    def wait_for(self, predicate: Callable[[], bool], timeout: float = 10.0) -> None:
        """Return once ``predicate()`` holds, which is asked again after every change.

        Raises ``TimeoutError`` after ``timeout`` seconds, and at once when a script fails.
        """
        self._ledger.wait_for(predicate, timeout)

    # -- life

    def start(self) -> Self:
        """Bind a free port and begin to accept; ``close()`` is due afterwards."""
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        self._listener = socket.create_server((self.host, 0), family=family, backlog=BACKLOG)
        self._acceptor.start()
        return self

    def close(self) -> None:
        """End everything now; raises what scripts failed with. The second time does nothing."""
        if self._ledger.stopping.is_set() or self._listener is None:
            return
        self._ledger.stopping.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes accept()
        self._acceptor.join(JOIN)
        self._listener.close()
        self._ledger.shut_down_all()
        stuck = [thread for thread in tuple(self._threads) if not _joined(thread)]
        for gate in self._gates if not stuck else ():
            gate.close()
        failures = list(self._ledger.failures)
        failures += [RuntimeError(f"script did not end: {thread.name}") for thread in stuck]
        if failures:
            raise BaseExceptionGroup("scripts failed", failures)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self.close()
        except BaseExceptionGroup as failures:
            if error is None:
                raise
            error.add_note(f"also, in the fault server: {failures.exceptions!r}")

    # -- within

    def _accept(self) -> None:
        assert self._listener is not None
        while not self._ledger.stopping.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError as error:
                if error.errno in NO_DESCRIPTOR:  # a test may have exhausted the process
                    self._ledger.stopping.wait(0.05)
                continue
            while self._finished:
                thread = self._finished.popleft()
                thread.join()
                self._threads.discard(thread)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            conn = self.conversation(sock, self._ledger.accepted + 1)
            self._ledger.arrived(conn)
            name = f"fault-{self.port}-{conn.number}"
            thread = threading.Thread(target=self._converse, args=(conn,), name=name, daemon=True)
            self._threads.add(thread)
            thread.start()

    def _converse(self, conn: Conversation) -> None:
        try:
            self.serve(conn)
        except ConnectionError:
            pass  # the client left: that is its right
        except BaseException as error:  # pytest.fail() included: close() raises it in the test
            self._ledger.script_failed(error)
            conn.reset()
        finally:
            conn.close()
            self._finished.append(threading.current_thread())


def _joined(thread: threading.Thread) -> bool:
    thread.join(JOIN)
    return not thread.is_alive()
