"""Serve files as they come from upstream, in a Starlette application under uvicorn.

Needs ``pip install starlette uvicorn``. FastAPI mounts, and has views, in the same way.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from _shelf import Shelf, fetch
from _upstream import Upstream, serving, some_files
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Mount, Route

from pulp_download import NotFound, Remote
from pulp_download.streamer.asgi import StreamerApp, aiter_content, passed_on


def application(shelf: Shelf) -> Starlette:
    streamer = StreamerApp(shelf)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        streamer.close()

    async def view(request: Request) -> Response:
        """A view of one's own, which may ask who the client is, or count."""
        try:
            download = shelf.get_download(request.path_params["path"])
            content = await run_in_threadpool(download.iter_content)
        except NotFound:
            return Response("no such file\n", 404)
        fields = dict(passed_on(content)) | {"X-Served-By": "a view"}
        return StreamingResponse(aiter_content(content), content.status, fields)

    routes = [Mount("/files", streamer), Route("/mine/{path:path}", view)]
    return Starlette(routes=routes, lifespan=lifespan)


@contextmanager
def running(app: Starlette) -> Iterator[str]:
    """Run it in a thread; yield its URL. Programs call ``uvicorn.run(app)``."""
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


def main() -> None:
    upstream = Upstream(some_files(3))
    with serving(upstream), Remote() as remote:
        shelf = Shelf(upstream, remote)
        upstream.files["pool/002.bin"] = bytes(1002)  # not what was published
        with running(application(shelf)) as base:
            for path in (
                "files/pool/000.bin",
                "mine/pool/001.bin",
                "files/pool/002.bin",
                "files/x",
            ):
                print(f"{path}: {fetch(f'{base}/{path}')}")


if __name__ == "__main__":
    main()
