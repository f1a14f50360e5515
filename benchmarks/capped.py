"""A file server that carries so many bytes a second in all, however many connections share them.

nginx limits each connection by itself (``limit_rate``); a mirror far away is limited as a whole.
Run as ``python -m benchmarks.capped HOST ROOT RATE``. It prints its port; then, for each line on
its standard input, a line of JSON with what it has counted. It ends with its standard input.
"""

from __future__ import annotations

import asyncio
import email.utils
import json
import re
import sys
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO, Protocol, cast

# A slice is what the link carries in 5 ms, so that four busy servers wake less than 1,000 times a
# second together, and a small file does not wait long behind large ones. In bytes, it is no less
# than some packets and no more than what a transport buffers before it asks to pause.
SLICE_SECONDS, LEAST_SLICE, MOST_SLICE = 0.005, 4 << 10, 64 << 10

# Seconds that a link which was busy may catch up when its process had no processor. More would
# reach the client as a burst that no link of this rate delivers.
CATCH_UP = 0.1

_MOST_HEAD = 64 << 10

_RANGE = re.compile(rb"bytes=(\d*)-(\d*)")


class Clock(Protocol):
    """The part of an event loop that a link needs."""

    def time(self) -> float: ...

    def call_at(self, when: float, callback: Callable[[], object], /) -> object: ...


class Load(Protocol):
    """What a link carries: ``left`` bytes, of which ``send`` sends some and asks for another turn.

    A load that wants no turn now says False, and is given to the link again when it does.
    """

    @property
    def left(self) -> int: ...

    def send(self, size: int) -> bool: ...


class Link:
    """So many bytes a second for all loads together, one slice of each in turn.

    A slice is sent when its last byte would have come through, so at no time has more been sent
    than the rate allows. While there are loads nothing is lost either: the next slice's time begins
    where the last one's ended, not when the timer happened to fire. A link at rest saves nothing.
    """

    def __init__(self, rate: float, clock: Clock):
        self.rate = rate
        self.slice = int(min(max(rate * SLICE_SECONDS, LEAST_SLICE), MOST_SLICE))
        self._clock = clock
        self._loads: deque[Load] = deque()
        self._is_busy = False
        self._free_at = 0.0
        self._size = 0

    def carry(self, load: Load) -> None:
        """Give a load its turns, until it says that it wants no more."""
        self._loads.append(load)
        if not self._is_busy:
            self._is_busy = True
            self._free_at = max(self._free_at, self._clock.time())
            self._begin_slice()

    def _begin_slice(self) -> None:
        self._size = min(self.slice, self._loads[0].left)
        self._free_at += self._size / self.rate
        self._clock.call_at(self._free_at, self._end_slice)

    def _end_slice(self) -> None:
        load = self._loads.popleft()
        if load.send(self._size):
            self._loads.append(load)
        self._is_busy = bool(self._loads)
        if self._is_busy:
            self._free_at = max(self._free_at, self._clock.time() - CATCH_UP)
            self._begin_slice()


@dataclass
class Counts:
    """What a server has seen; ``body_bytes`` are those it has sent."""

    connections: int = 0
    requests: int = 0
    body_bytes: int = 0


class Served:
    """A file as it is served: mirrors of one folder all say the same of it."""

    def __init__(self, path: Path):
        stat = path.stat()
        self.path = path
        self.size = stat.st_size
        self.etag = f'"{int(stat.st_mtime):x}-{stat.st_size:x}"'.encode()
        self.modified = email.utils.formatdate(stat.st_mtime, usegmt=True).encode()


class Conversation(asyncio.Protocol):
    """One connection: requests one after the other, each answered from the link.

    GET and HEAD, one range, keep-alive; requests that came early wait their turn.
    """

    def __init__(self, files: dict[bytes, Served], link: Link, counts: Counts):
        self._files = files
        self._link = link
        self._counts = counts
        self._transport: asyncio.Transport | None = None
        self._received = b""
        self._body: BinaryIO | None = None
        self._is_last = False
        self._is_paused = False
        self._is_carried = False
        self.left = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._counts.connections += 1

    def data_received(self, data: bytes) -> None:
        self._received += data
        self._answer_next()

    def connection_lost(self, _exc: Exception | None) -> None:
        self._transport = None
        self._end_body()

    def pause_writing(self) -> None:
        self._is_paused = True

    def resume_writing(self) -> None:
        self._is_paused = False
        if self._body is not None and not self._is_carried:
            self._is_carried = True
            self._link.carry(self)

    def send(self, size: int) -> bool:
        """Send a slice of the body; tell whether another may follow at once."""
        if self._body is None or self._transport is None:  # the client has gone
            return False
        self._transport.write(self._body.read(size))
        self._counts.body_bytes += size
        self.left -= size
        if not self.left:
            self._end_body()
            self._end_answer()
            return False  # what follows, if anything, has got in line by itself
        self._is_carried = not self._is_paused
        return self._is_carried

    def _answer_next(self) -> None:
        """Answer the next request that is there, unless one is being answered."""
        while self._body is None and self._transport is not None and not self._is_last:
            head, end, rest = self._received.partition(b"\r\n\r\n")
            if not end:
                if len(head) > _MOST_HEAD:
                    self._transport.close()
                return
            self._received = rest
            self._counts.requests += 1
            self._answer(head)

    def _answer(self, head: bytes) -> None:
        assert self._transport is not None
        request, *lines = head.split(b"\r\n")
        method, target, version = [*request.split(b" "), b"", b""][:3]
        fields = {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition(b":") for line in lines)
        }
        wish = fields.get(b"connection", b"").lower()
        self._is_last = wish == b"close" or (version != b"HTTP/1.1" and wish != b"keep-alive")
        ending = b"Connection: close\r\n" if self._is_last else b""
        file = self._files.get(target.partition(b"?")[0])
        if method not in (b"GET", b"HEAD") or file is None:
            status = b"405 Method Not Allowed" if file else b"404 Not Found"
            self._transport.write(b"HTTP/1.1 %s\r\n%sContent-Length: 0\r\n\r\n" % (status, ending))
            self._end_answer()
            return
        status, begin, end = _part(file, fields)
        part = b"Content-Range: bytes %d-%d/%d\r\n" % (begin, end - 1, file.size)
        self._transport.write(
            b"HTTP/1.1 %s\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n"
            b"Accept-Ranges: bytes\r\nETag: %s\r\nLast-Modified: %s\r\n%s%s\r\n"
            % (status, end - begin, file.etag, file.modified, ending,
               part if status.startswith(b"206") else b"")
        )  # fmt: skip
        if method == b"HEAD" or begin == end:
            self._end_answer()
            return
        self.left = end - begin
        self._body = file.path.open("rb", buffering=0)
        self._body.seek(begin)
        self._is_carried = True
        self._link.carry(self)

    def _end_body(self) -> None:
        self._is_carried = False
        if self._body is not None:
            self._body.close()
            self._body = None

    def _end_answer(self) -> None:
        if self._transport is None:
            return
        if self._is_last:
            self._transport.close()
        elif self._received:
            # From the loop: the caller may be answering, or the link be in the middle of a turn.
            asyncio.get_running_loop().call_soon(self._answer_next)


def _part(file: Served, fields: dict[bytes, bytes]) -> tuple[bytes, int, int]:
    """Return the status, and where the part that was asked for begins and ends.

    A range that is none, or not of this file, gets all of it (RFC 9110 section 14.2 allows that).
    """
    wanted = _RANGE.fullmatch(fields.get(b"range", b""))
    is_this = fields.get(b"if-range", file.etag) in (file.etag, file.modified)
    if wanted is None or not is_this or wanted[0] == b"bytes=-":
        return b"200 OK", 0, file.size
    if not wanted[1]:
        begin, end = max(0, file.size - int(wanted[2])), file.size
    else:
        begin = int(wanted[1])
        end = min(file.size, int(wanted[2]) + 1) if wanted[2] else file.size
    if begin >= end:
        return b"200 OK", 0, file.size
    return b"206 Partial Content", begin, end


async def serve(host: str, root: Path, rate: float) -> None:
    loop = asyncio.get_running_loop()
    files = {f"/{path.name}".encode(): Served(path) for path in root.iterdir()}
    link, counts = Link(rate, loop), Counts()
    server = await loop.create_server(
        lambda: Conversation(files, link, counts), host, 0, backlog=1024
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    over = loop.create_future()

    def tell() -> None:
        if not sys.stdin.readline():
            loop.remove_reader(sys.stdin)
            over.set_result(None)
        else:
            print(json.dumps(asdict(counts)), flush=True)

    loop.add_reader(sys.stdin, tell)
    await over
    server.close()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], Path(sys.argv[2]), float(sys.argv[3])))
