"""A small upstream on loopback, which the examples beside this file start for themselves."""

from __future__ import annotations

import hashlib
import os
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Upstream(ThreadingHTTPServer):
    """Serves ``files``, bytes by path; ``asked`` are the paths that were asked for, in order.

    ``tokens`` are the bearer tokens of which one is needed; None asks for none.
    """

    # The default of 5 turns away a client that opens its connections all at once.
    request_queue_size = 64

    def __init__(self, files: dict[str, bytes]):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files = files
        self.asked: list[str] = []
        self.tokens: set[str] | None = None

    def url(self, path: str = "") -> str:
        return f"http://127.0.0.1:{self.server_port}/{path}"

    def answer(self, path: str, authorization: str | None) -> tuple[int, bytes]:
        """Return status and body for a request; examples may do it differently."""
        self.asked.append(path)
        if self.tokens is not None and (authorization or "")[len("Bearer ") :] not in self.tokens:
            return 401, b""
        body = self.files.get(path)
        return (404, b"") if body is None else (200, body)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # the head and a small body leave in one write
    server: Upstream

    def do_GET(self) -> None:
        path = self.path.lstrip("/")
        status, body = self.server.answer(path, self.headers.get("Authorization"))
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if status == 401:
            self.send_header("WWW-Authenticate", "Bearer")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Keep the terminal for the example."""


@contextmanager
def serving(upstream: Upstream) -> Iterator[Upstream]:
    """Have it answer while the block runs."""
    # A proxy from the environment has no business on loopback.
    os.environ["no_proxy"] = os.environ["NO_PROXY"] = "127.0.0.1"
    with upstream:
        thread = threading.Thread(target=upstream.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield upstream
        finally:
            upstream.shutdown()
            thread.join()


def some_files(count: int) -> dict[str, bytes]:
    """Return files to publish, the same ones each time."""
    generator = random.Random(6)
    return {f"pool/{number:03}.bin": generator.randbytes(1000 + number) for number in range(count)}


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def checksums(files: dict[str, bytes]) -> bytes:
    """Return what ``sha256sum`` would say of the files."""
    return "".join(f"{sha256(data)}  {path}\n" for path, data in files.items()).encode()
