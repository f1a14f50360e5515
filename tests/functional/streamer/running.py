"""A streamer under a real reactor, which runs in a thread, and what it serves from."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

from twisted.internet import reactor as the_reactor
from twisted.internet import ssl
from twisted.internet.defer import maybeDeferred
from twisted.internet.protocol import Factory
from twisted.internet.threads import blockingCallFromThread

from pulp_download import Download, Remote
from pulp_download.errors import NotFound
from pulp_download.streamer.served import Served
from pulp_download.streamer.twisted import StreamerResource, site
from pulp_download.validations import SizeValidation, Validation
from tests.functional.upstream import expectations
from tests.servers import FaultServer, authority

reactor: Any = the_reactor

# Seconds that nothing here takes.
PATIENCE = 10.0


@contextlib.contextmanager
def reactor_in_a_thread() -> Iterator[None]:
    """Run the one reactor of this process; it cannot be run again."""
    is_running = threading.Event()
    reactor.callWhenRunning(is_running.set)
    thread = threading.Thread(target=lambda: reactor.run(installSignalHandlers=False))
    thread.start()
    assert is_running.wait(PATIENCE)
    # The first port ever keeps a descriptor in reserve, which is nobody's leak.
    port = blockingCallFromThread(reactor, reactor.listenTCP, 0, Factory(), 1, "127.0.0.1")
    blockingCallFromThread(reactor, port.stopListening)
    yield
    reactor.callFromThread(reactor.stop)
    thread.join()


class Shelf:
    """A supplier: files of fault servers, by their paths; ``asked`` are those it was asked for."""

    def __init__(self, remote: Remote):
        self.remote = remote
        self.asked: list[str] = []
        self._downloads: dict[str, Callable[[], Download]] = {}

    def put(self, path: str, url: Any, body: bytes | None = None, **options: Any) -> None:
        """List a file; ``body`` is what is expected of it."""
        validations: list[Validation] = [] if body is None else expectations(body)
        options.setdefault("remote", self.remote)
        options.setdefault("validations", validations)
        self._downloads[path] = lambda: Download(url, **options)

    def get_download(self, path: str) -> Download:
        self.asked.append(path)
        if path not in self._downloads:
            raise NotFound(404, "not listed", url=path)
        return self._downloads[path]()


class Streamer:
    """A listening streamer; ``served`` is what its observer was told."""

    def __init__(self, supplier: Any, *, tls: Path | None = None, **options: Any):
        limits = {
            name: options.pop(name)
            for name in ("max_connections", "head_timeout", "idle_timeout")
            if name in options
        }
        self.served: list[Served] = []
        self._changed = threading.Condition()
        self._options = {"observer": self._observe} | options
        self._supplier = supplier
        self._limits = limits
        self._tls = tls

    def __enter__(self) -> Self:
        self.port: int = self.in_reactor(self._listen)
        return self

    def __exit__(self, *_: object) -> None:
        self.in_reactor(self._listener.stopListening)
        self.in_reactor(self.resource.close)
        self.in_reactor(self._drop_connections)

    def in_reactor(self, call: Callable[..., Any], *arguments: Any) -> Any:
        """Return what a call returns, or its Deferred brings, in the reactor's thread."""
        return blockingCallFromThread(reactor, maybeDeferred, call, *arguments)

    def url(self, path: str = "/") -> str:
        return f"{'http' if self._tls is None else 'https'}://127.0.0.1:{self.port}{path}"

    def connect(self, *, receive_buffer: int | None = None) -> socket.socket:
        """Return a new connection, perhaps with a small buffer, which the client must read from.

        Segments are small then, as in a network, for a system acknowledges whole ones.
        """
        sock = socket.socket()
        if receive_buffer is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1400)
        sock.settimeout(PATIENCE)
        sock.connect(("127.0.0.1", self.port))
        return sock

    def exchange(self, request: bytes) -> bytes:
        """Send these bytes on a connection of their own; return all that comes until its end."""
        with self.connect() as sock:
            sock.sendall(request)
            return b"".join(iter(lambda: sock.recv(65536), b""))

    def wait_for_served(self, count: int = 1, timeout: float = PATIENCE) -> list[Served]:
        """Return what was served, once it is so many requests."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.served) >= count, timeout), self.served
            return list(self.served)

    def _observe(self, served: Served) -> None:
        with self._changed:
            self.served.append(served)
            self._changed.notify_all()

    def _listen(self) -> int:
        self.resource = StreamerResource(self._supplier, reactor=reactor, **self._options)
        self.site = site(self.resource, reactor=reactor, **self._limits)
        if self._tls is None:
            self._listener = reactor.listenTCP(0, self.site, interface="127.0.0.1")
        else:
            chain, key = authority().server_files(self._tls)
            pem = key.read_bytes() + chain.read_bytes()
            options = ssl.PrivateCertificate.loadPEM(pem).options()
            self._listener = reactor.listenSSL(0, self.site, options, interface="127.0.0.1")
        return int(self._listener.getHost().port)

    def _drop_connections(self) -> None:
        for reader in reactor.getReaders():
            if getattr(reader, "server", None) is self._listener:
                reader.abortConnection()


def parted(answer: bytes) -> tuple[int, dict[str, list[str]], bytes]:
    """Return status, fields by lower-case name, and the rest of an answer's bytes."""
    head, _, rest = answer.partition(b"\r\n\r\n")
    line, *lines = head.decode("latin-1").split("\r\n")
    fields: dict[str, list[str]] = {}
    for field in lines:
        name, _, value = field.partition(": ")
        fields.setdefault(name.lower(), []).append(value)
    return int(line.split()[1]), fields, rest


def get(path: str, *fields: str, method: str = "GET", version: str = "1.1") -> bytes:
    """The bytes of a request after which the connection ends."""
    lines = [f"{method} {path} HTTP/{version}", "Host: streamer", "Connection: close", *fields]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def listed(
    server: FaultServer, shelf: Shelf, path: str, body: bytes, answer: Any, *, size: bool = True
) -> None:
    """Have a server answer for a path, and the shelf list it with what is expected of it.

    Without a ``size`` only upstream tells its length, if it does.
    """
    server.on(f"/{path}", answer)
    expected = [each for each in expectations(body) if size or type(each) is not SizeValidation]
    shelf.put(path, server.url(f"/{path}"), validations=expected)
