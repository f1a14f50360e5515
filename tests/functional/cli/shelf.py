"""What upstreams here publish, and trees of files to compare."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote

from pulp_download.retries import parse_http_date
from tests.servers import Conversation, FaultServer, Request, Script, reply

BODY = bytes(range(256)) * 40
MODIFIED = "Sat, 04 Nov 2023 05:06:07 GMT"
MODIFIED_AT = 1699074367.0
LATER = "Sun, 05 Nov 2023 05:06:07 GMT"
LATER_AT = 1699160767.0

# Where mirror keeps its lock and its catalog, in the destination.
HOUSE = ".pulp-download"


def sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def sums(files: Mapping[str, bytes]) -> bytes:
    """The SHA256SUMS of these files."""
    return "".join(f"{sha256(body)}  {path}\n" for path, body in files.items()).encode()


def dated(body: bytes, modified: str = MODIFIED) -> Script:
    """A file with a Last-Modified, by which 304 is answered."""

    def script(conn: Conversation, request: Request) -> None:
        since = parse_http_date(request.headers.get("If-Modified-Since", ""))
        at = parse_http_date(modified)
        assert at is not None
        if since is not None and at <= since:
            reply(304, headers={"Last-Modified": modified})(conn, request)
        else:
            reply(200, body, headers={"Last-Modified": modified})(conn, request)

    return script


def publish(server: FaultServer, files: Mapping[str, bytes], *, below: str = "") -> None:
    """Serve these files, by their decoded paths, and nothing else; keep what was set by ``on``."""

    def script(conn: Conversation, request: Request) -> None:
        path = unquote(request.path)
        body = files.get(path.removeprefix(f"{below}/"))
        answer = reply(404) if body is None else dated(body)
        answer(conn, request)

    server.default(script)


def asked(server: FaultServer) -> list[str]:
    """The decoded paths of all requests, sorted."""
    return sorted(unquote(request.path) for request in server.requests)


def mirrored(folder: Path) -> dict[str, bytes]:
    """Every file below a folder but what mirror keeps for itself in its destinations.

    There must be such, and no more than the lock and the catalog, closed and in one file.
    """
    files = tree(folder)
    own = {path for path in files if HOUSE in path.split("/")[:-1]}
    houses = {path.rpartition("/")[0] for path in own}
    assert houses
    assert own == {f"{house}/{name}" for house in houses for name in ("catalog.sqlite", "lock")}
    return {path: body for path, body in files.items() if path not in own}


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
