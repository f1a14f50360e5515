"""Download with a token that somebody gives out, for some time, and takes back as it likes."""

from __future__ import annotations

import json
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

from _upstream import Upstream, serving, some_files

from pulp_download import Batch, Download, Remote


class TokenSource:
    """Asks a service for a token; called by the remote when there is none, or no good one.

    However many downloads find a token rejected, it is called once. It has a time limit of its
    own, and pickles, so that the remote does.
    """

    def __init__(self, url: str):
        self.url = url

    def __call__(self) -> tuple[str, float]:
        with urllib.request.urlopen(self.url, timeout=10) as answer:
            given = json.load(answer)
        return given["token"], time.time() + given["expires_in"]


class Registry(Upstream):
    """Gives out tokens at ``/token``, and takes all of them back after twenty files."""

    def __init__(self, files: dict[str, bytes]):
        super().__init__(files)
        self.tokens = set()
        self.given = self.served = 0
        self.lock = threading.Lock()

    def answer(self, path: str, authorization: str | None) -> tuple[int, bytes]:
        with self.lock:
            if path == "token":
                self.given += 1
                self.tokens = {f"token-{self.given}"}
                answer = {"token": f"token-{self.given}", "expires_in": 300}
                return 200, json.dumps(answer).encode()
            status, body = super().answer(path, authorization)
            self.served += status == 200
            if status == 200 and self.served == 20:
                self.tokens = set()
            return status, body


def main() -> None:
    files = some_files(40)
    registry = Registry(files)
    with (
        tempfile.TemporaryDirectory() as scratch,
        serving(registry),
        Remote(token=TokenSource(registry.url("token"))) as remote,
    ):
        downloads = (
            Download(registry.url(path), Path(scratch) / path, remote=remote) for path in files
        )
        with Batch(downloads, concurrency=8) as batch:
            done = [future.result() for future in batch]
    failed = sum(len(result.attempts) for result in done)
    print(f"{len(done)} files with {registry.given} tokens; tries that failed: {failed}")


if __name__ == "__main__":
    main()
