"""An asyncio file server that waits before each answer, as an upstream far away does."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path


async def serve(port: int, root: Path, delay: float) -> None:
    bodies = {f"/{path.name}".encode(): path.read_bytes() for path in root.iterdir()}

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                await asyncio.sleep(delay)
                body = bodies.get(head.split(b" ", 2)[1])
                status, body = (b"200 OK", body) if body is not None else (b"404 Not Found", b"")
                writer.write(
                    b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)
                )
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])))
