"""Servers of ASGI and WSGI that people use, each in a thread, for one test."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import io
import logging
import socket
import socketserver
import sys
import threading
import wsgiref.simple_server
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cheroot.wsgi
import hypercorn.asyncio
import hypercorn.config
import uvicorn
import werkzeug.serving

from pulp_download.streamer.served import Served
from tests.functional.streamer.running import PATIENCE
from tests.servers import authority


class Site:
    """Where an application is served."""

    def __init__(self, port: int):
        self.port = port

    def url(self, path: str = "/") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def connect(self, *, receive_buffer: int | None = None) -> socket.socket:
        """Return a new connection, perhaps with a small buffer."""
        sock = socket.socket()
        if receive_buffer is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.settimeout(PATIENCE)
        sock.connect(("127.0.0.1", self.port))
        return sock

    def exchange(self, request: bytes) -> bytes:
        """Send these bytes on a connection of their own; return all that comes until its end."""
        with self.connect() as sock:
            sock.sendall(request)
            return b"".join(iter(lambda: sock.recv(65536), b""))


class Told:
    """An observer that remembers."""

    def __init__(self) -> None:
        self._served: list[Served] = []
        self._changed = threading.Condition()

    def __call__(self, served: Served) -> None:
        with self._changed:
            self._served.append(served)
            self._changed.notify_all()

    def wait_for(self, count: int = 1) -> list[Served]:
        """Return what was served, once it is so many requests."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self._served) >= count, PATIENCE)
            return list(self._served)


@contextlib.contextmanager
def under_uvicorn(app: Any) -> Iterator[Site]:
    config = uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener, _quiet("uvicorn.error"):
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield Site(listener.getsockname()[1])
        finally:
            server.should_exit = True
            thread.join()


@contextlib.contextmanager
def under_hypercorn(app: Any, tls: Path | None = None) -> Iterator[Site]:
    config = hypercorn.config.Config()
    config.graceful_timeout = 0.1
    config.errorlog = logging.getLogger("hypercorn.error")
    if tls is not None:
        config.certfile, config.keyfile = map(str, authority().server_files(tls))
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    config.bind = [f"fd://{listener.detach()}"]
    loop_has, loops = threading.Event(), []

    async def serve() -> None:
        stop = asyncio.Event()
        loops.append((asyncio.get_running_loop(), stop))
        loop_has.set()
        await hypercorn.asyncio.serve(app, config, shutdown_trigger=stop.wait)  # type: ignore[arg-type]

    with _quiet("hypercorn.error"):
        thread = threading.Thread(target=lambda: asyncio.run(serve()))
        thread.start()
        assert loop_has.wait(PATIENCE)
        try:
            yield Site(port)
        finally:
            loop, stop = loops[0]
            loop.call_soon_threadsafe(stop.set)
            thread.join()


@contextlib.contextmanager
def under_cheroot(app: Any) -> Iterator[Site]:
    server = cheroot.wsgi.Server(("127.0.0.1", 0), app, numthreads=6, shutdown_timeout=1)
    server.error_log = lambda *_, **__: None
    server.expiration_interval = 0.05  # it looks so often whether it is to stop
    server.prepare()
    thread = threading.Thread(target=server.serve)
    thread.start()
    with _late_writes_ignored():
        try:
            yield Site(server.bind_addr[1])
        finally:
            server.stop()
            thread.join()


@contextlib.contextmanager
def _late_writes_ignored() -> Iterator[None]:
    """Cheroot's files write what is left when they are collected, behind their socket's end.

    Python tells that since 3.13.
    """
    told = sys.unraisablehook

    def tell(unraisable: Any) -> None:
        if getattr(unraisable.exc_value, "errno", None) != errno.EBADF:
            told(unraisable)

    sys.unraisablehook = tell
    try:
        yield
        gc.collect()
    finally:
        sys.unraisablehook = told


class _ThreadingWSGIServer(socketserver.ThreadingMixIn, wsgiref.simple_server.WSGIServer):
    def handle_error(self, *_: object) -> None:
        """What an application raises is the story."""


class _QuietHandler(wsgiref.simple_server.WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        pass

    def get_stderr(self) -> Any:
        return io.StringIO()


@contextlib.contextmanager
def under_wsgiref(app: Any) -> Iterator[Site]:
    server = wsgiref.simple_server.make_server(
        "127.0.0.1", 0, app, _ThreadingWSGIServer, _QuietHandler
    )
    with _serving(server):
        yield Site(server.server_port)


@contextlib.contextmanager
def under_werkzeug(app: Any) -> Iterator[Site]:
    with _quiet("werkzeug"):
        server = werkzeug.serving.make_server("127.0.0.1", 0, app, threaded=True)
        with _serving(server):
            yield Site(server.server_port)


@contextlib.contextmanager
def _serving(server: Any) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextlib.contextmanager
def _quiet(name: str) -> Iterator[None]:
    """Keep what an application raises, which is the story, from the terminal."""
    logger = logging.getLogger(name)
    before, logger.level = logger.level, logging.CRITICAL + 1
    try:
        yield
    finally:
        logger.setLevel(before)


Serve = Callable[[Any], contextlib.AbstractContextManager[Site]]
