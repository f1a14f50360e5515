"""The few moves that stories about sessions, credentials and proxies have in common."""

import base64
from collections.abc import Mapping
from typing import Any

from pulp_download import Batch, Download, MemoryWriter, Remote
from tests.servers import Conversation, Request, Script, reply


def fetched(source: str, remote: Remote | None = None, **facts: Any) -> bytes:
    """Download into memory and return what came."""
    into = MemoryWriter()
    Download(source, into, remote=remote, **facts).run()
    return into.getvalue()


def fetched_together(source: str, remote: Remote, count: int) -> list[bytes]:
    """Download the same file ``count`` times at once, one thread each; raises what failed."""
    downloads = [Download(source, MemoryWriter(), remote=remote) for _ in range(count)]
    with Batch(downloads, concurrency=count) as batch:
        for future in batch:
            future.result()
    return [download.writer.getvalue() for download in downloads]


def one_try(**fields: Any) -> Remote:
    """A remote that gives up at the first failure."""
    return Remote(**{"max_retries": 0, **fields})


def basic(username: str, password: str) -> str:
    """The value of an Authorization field (RFC 7617), in UTF-8."""
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode("ascii")


def only_for(authorization: str, body: bytes = b"welcome") -> Script:
    """Answer 200 to requests with exactly this Authorization, and 401 to all others."""

    def script(conn: Conversation, request: Request) -> None:
        if request.headers.all("Authorization") == [authorization]:
            reply(200, body)(conn, request)
        else:
            challenge = {"WWW-Authenticate": 'Basic realm="files"'}
            reply(401, b"who are you\n", headers=challenge)(conn, request)

    return script


def fields_of(request: Request) -> Mapping[str, str]:
    """What a request said, by lower-case name; repeats are joined."""
    said: dict[str, str] = {}
    for name, value in request.headers:
        key = name.lower()
        said[key] = f"{said[key]}, {value}" if key in said else value
    return said
