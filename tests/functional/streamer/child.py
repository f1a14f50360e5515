"""A streamer in a process of its own, whose memory, threads and files can be looked at.

``python -m tests.functional.streamer.child UPSTREAM OPTIONS`` serves whatever is below a URL and
says its port. OPTIONS are those of the resource, as JSON, and ``sha256``, which is expected of all.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from pulp_download import DigestValidation, Download, Remote
from tests.uncovered import UNCOVERED

ROOT = Path(__file__).parents[3]


class Below:
    """A supplier of all that is below a URL."""

    def __init__(self, base: str, remote: Remote, sha256: str | None):
        self.base = base
        self.remote = remote
        self.validations = [DigestValidation("sha256", sha256)] if sha256 else []

    def get_download(self, path: str) -> Download:
        return Download(self.base + path, remote=self.remote, validations=self.validations)


class Child(NamedTuple):
    """A streamer's process and port."""

    process: subprocess.Popen[str]
    port: int

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def memory(self) -> int:
        """Return the bytes that it has in memory."""
        return self._number(r"VmRSS:\s+(\d+)") * 1024

    def threads(self) -> int:
        return self._number(r"Threads:\s+(\d+)")

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def _number(self, pattern: str) -> int:
        found = re.search(pattern, Path(f"/proc/{self.process.pid}/status").read_text())
        assert found
        return int(found[1])


@contextlib.contextmanager
def streaming_child(
    upstream: str, *, wrapper: tuple[str, ...] = (), **options: Any
) -> Iterator[Child]:
    """Run one until the block ends; then it must end well."""
    command = [*UNCOVERED, "-m", __name__, upstream, json.dumps(options)]
    with subprocess.Popen(
        [*wrapper, *command],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            yield Child(process, int(process.stdout.readline()))
            process.communicate("", timeout=20)  # its stdin ends, and so does it
            assert process.returncode == 0
        finally:
            process.kill()


def main(upstream: str, options: str) -> None:
    from twisted.internet import reactor as the_reactor
    from twisted.internet.protocol import Protocol
    from twisted.internet.stdio import StandardIO

    from pulp_download.streamer.twisted import StreamerResource, site

    reactor: Any = the_reactor
    given = json.loads(options)
    expected = given.pop("sha256", None)

    class UntilStdinEnds(Protocol):
        def connectionLost(self, reason: Any = None) -> None:
            reactor.stop()

    with Remote(max_retries=0, per_host=1000, download_concurrency=1000) as remote:
        resource = StreamerResource(Below(upstream, remote, expected), **given)
        port = reactor.listenTCP(0, site(resource), interface="127.0.0.1")
        StandardIO(UntilStdinEnds())
        sys.stdout.write(f"{port.getHost().port}\n")
        sys.stdout.flush()
        reactor.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
