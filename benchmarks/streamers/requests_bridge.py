"""The bridge that is written first: requests in a thread, each chunk by callFromThread.

It shares a session, whose pool is large enough, and checks sizes and digests at the end. What it
holds for slow clients has no bound, and nothing is held back until the digest is known. It writes
no access log, as ours does not.
"""

from __future__ import annotations

import hashlib
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from twisted.internet import reactor as the_reactor
from twisted.internet.threads import deferToThread
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request, Site

from benchmarks.job import Item, Job

reactor: Any = the_reactor

CHUNK = 65_536


class Bridge(Resource):
    isLeaf = True

    def __init__(self, job: Job):
        super().__init__()
        self._job = job
        self._items = {item.path.encode(): item for item in job.items}
        self._session = requests.Session()
        self._session.mount("http://", HTTPAdapter(pool_maxsize=job.connections))

    def render_GET(self, request: Request) -> int | bytes:
        item = self._items.get(request.path[1:])
        if item is None:
            request.setResponseCode(404)
            return b"no such file\n"
        passing = deferToThread(self._pass_on, item, request)
        passing.addCallbacks(lambda _: request.finish(), lambda _: request.loseConnection())
        return NOT_DONE_YET

    def _pass_on(self, item: Item, request: Request) -> None:
        """Fetch a file and hand it over, in a thread."""
        digest, received = hashlib.sha256(), 0
        with self._session.get(self._job.url(item), stream=True, timeout=30) as response:
            response.raise_for_status()
            for name in ("Content-Type", "Content-Length", "Last-Modified", "ETag"):
                if name in response.headers:
                    reactor.callFromThread(request.setHeader, name, response.headers[name])
            for chunk in response.iter_content(CHUNK):
                digest.update(chunk)
                received += len(chunk)
                reactor.callFromThread(request.write, chunk)
        if received != item.size or digest.hexdigest() != item.sha256:
            raise ValueError(f"{item.path} is not what is listed")


class QuietSite(Site):
    def log(self, request: Request) -> None: ...


def site(job: Job) -> Site:
    return QuietSite(Bridge(job))
