"""libcurl easy handles, one per thread, used again."""

import hashlib
import os
import threading
from typing import Any

import pycurl

from benchmarks.contenders._storing import in_threads
from benchmarks.job import Item, Job


def run(job: Job) -> None:
    local = threading.local()

    def handle() -> Any:
        if not hasattr(local, "curl"):
            local.curl = pycurl.Curl()
            local.curl.setopt(pycurl.NOSIGNAL, 1)
            local.curl.setopt(pycurl.BUFFERSIZE, 1 << 19)
            if job.ca:
                local.curl.setopt(pycurl.CAINFO, job.ca)
        return local.curl

    def fetch(item: Item) -> None:
        curl, target, digest = handle(), job.target(item), hashlib.sha256()
        with open(f"{target}.part", "wb") as file:

            def take(chunk: bytes) -> None:
                digest.update(chunk)
                file.write(chunk)

            curl.setopt(pycurl.URL, job.url(item))
            curl.setopt(pycurl.WRITEFUNCTION, take)
            curl.perform()
        if curl.getinfo(pycurl.RESPONSE_CODE) != 200:
            os.unlink(f"{target}.part")
            if item.sha256:
                raise ValueError(f"not there: {item.path}")
            return
        if digest.hexdigest() != item.sha256:
            raise ValueError(f"wrong digest: {item.path}")
        os.replace(f"{target}.part", target)

    in_threads(job, fetch)
