"""Synchronise, and tell as JSON what it took; a program of its own.

``listed`` are the seconds until the list was read and compared, ``seconds`` are all, ``peak`` is
the most memory in bytes.
"""

from __future__ import annotations

import json
import sys
import time

from pulp_download import Remote
from pulp_download.importer.importer import Importer
from pulp_download.importer.telling import Listed
from tests.functional.importer.measured import peak_memory


def main(url: str, dest: str) -> None:
    listed = 0.0
    started = time.monotonic()

    def observe(event: object) -> None:
        nonlocal listed
        if isinstance(event, Listed):
            listed = time.monotonic() - started

    with Remote() as remote, Importer(remote, dest) as importer:
        summary = importer.sync(url, observer=observe)
    seconds = time.monotonic() - started
    told = {"listed": listed, "seconds": seconds, "peak": peak_memory(), **summary.counts}
    print(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
