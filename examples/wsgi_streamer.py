"""Serve files as they come from upstream, in a Flask application.

Needs ``pip install flask``. Django's ``StreamingHttpResponse`` takes a content in the same way.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from _shelf import Shelf, fetch
from _upstream import Upstream, serving, some_files
from flask import Flask, Response, abort
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.serving import make_server

from pulp_download import NotFound, Remote
from pulp_download.streamer.wsgi import StreamerApp, passed_on


def application(shelf: Shelf) -> Flask:
    app = Flask("site")

    @app.get("/mine/<path:path>")
    def view(path: str) -> Response:
        """A view of one's own, which may ask who the client is, or count."""
        try:
            content = shelf.get_download(path).iter_content()
        except NotFound:
            abort(404)
        return Response(content, content.status, [*passed_on(content), ("X-Served-By", "a view")])

    app.wsgi_app = DispatcherMiddleware(app.wsgi_app, {"/files": StreamerApp(shelf)})
    return app


@contextmanager
def running(app: Flask) -> Iterator[str]:
    """Run it in a thread; yield its URL. Programs have a server of their own for that."""
    logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


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
