"""An address where a connect is never answered, without privileges."""

from __future__ import annotations

import contextlib
import select
import socket
from typing import Self

SETTLE = 0.2  # seconds a loopback connect may take before it is taken as unanswered
MOST = 16  # connects; a queue that takes more is not the one this recipe fills


class Blackhole:
    """A listener whose accept queue is full: the kernel drops every further SYN (Linux).

    Use it with ``with``. Nothing ever accepts; clients hang in ``connect`` until their time-out.
    """

    def __init__(self, *, host: str = "127.0.0.1") -> None:
        self.host = host
        self.port = 0
        self._sockets = contextlib.ExitStack()

    def url(self, path: str = "/", *, scheme: str = "http") -> str:
        """The URL of ``path`` at this address."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{scheme}://{host}:{self.port}{path}"

    def __enter__(self) -> Self:
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        with contextlib.ExitStack() as stack:
            listener = stack.enter_context(socket.socket(family))
            listener.bind((self.host, 0))
            listener.listen(0)
            self.port = listener.getsockname()[1]
            for _ in range(MOST):
                if not self._answered(stack.enter_context(socket.socket(family))):
                    self._sockets = stack.pop_all()
                    return self
        raise RuntimeError(f"{MOST} connects did not fill the accept queue")

    def __exit__(self, *exc_info: object) -> None:
        self._sockets.close()

    def _answered(self, filler: socket.socket) -> bool:
        filler.setblocking(False)
        filler.connect_ex((self.host, self.port))
        poll = select.poll()
        poll.register(filler, select.POLLOUT)
        return bool(poll.poll(SETTLE * 1000))
