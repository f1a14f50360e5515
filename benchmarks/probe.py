"""Does a contender look at digests?

In a comparison upstream never serves wrong bytes, and whoever does not verify is never found out.
So each contender first gets a small job in which one file's digest is not that of what upstream
serves. It may fail, or leave that file out. It must not exit as if all was well with that file
under its final name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from benchmarks.job import Job, make_files
from benchmarks.peers import Contender
from benchmarks.turns import destination, folder, take
from benchmarks.upstream import serving

CHEATS = "CHEATS: does not verify"

# Enough for each connection to be used twice; which one is wrong does not matter.
FILES, SIZE, CONNECTIONS, WRONG = 8, 10_000, 4, 5


def cheaters(contenders: Mapping[str, Contender]) -> set[str]:
    """Return the keys of those that let a file with a wrong digest through."""
    with folder() as here:
        items = list(make_files(here / "root", [SIZE] * FILES))
        # The size is right: only a digest tells.
        items[WRONG] = items[WRONG]._replace(sha256=hashlib.sha256(b"other bytes").hexdigest())
        with serving(here / "root") as upstream:
            found = set()
            over_http = {key: one for key, one in contenders.items() if not one.only_ftp}
            for key, contender in over_http.items():
                with destination(here) as path:
                    job = Job(upstream.url, tuple(items), str(path), CONNECTIONS)
                    turn = take(contender, job)
                    if not turn.fault and job.target(items[WRONG]).exists():
                        found.add(key)
            return found
