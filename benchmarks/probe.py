"""Does a contender look at digests?

In a comparison upstream never serves wrong bytes, and whoever does not verify is never found out.
So each contender first gets a small job in which one file's digest is not that of what upstream
serves. It may fail, or leave that file out. It must not exit as if all was well with that file
under its final name. Those that take mirrors get it from mirrors too, which they may treat in
another way.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from benchmarks.job import Item, Job, make_files
from benchmarks.mirrored import MirrorList, serving_mirrors
from benchmarks.peers import Contender
from benchmarks.turns import destination, folder, take
from benchmarks.upstream import Upstream, serving
from benchmarks.workloads import MIRRORING

CHEATS = "CHEATS: does not verify"

# Enough for each connection to be used twice; which one is wrong does not matter.
FILES, SIZE, CONNECTIONS, WRONG = 8, 10_000, 4, 5

# Two that live, and faster than the probe needs.
_MIRRORS = MirrorList((100_000_000, 100_000_000))


def cheaters(contenders: Mapping[str, Contender]) -> set[str]:
    """Return the keys of those that let a file with a wrong digest through."""
    with folder() as here:
        items = list(make_files(here / "root", [SIZE] * FILES))
        # The size is right: only a digest tells.
        items[WRONG] = items[WRONG]._replace(sha256=hashlib.sha256(b"other bytes").hexdigest())
        over_http = {key for key, one in contenders.items() if not one.only_ftp}
        found = set()
        for upstream_of_them, keys in (
            (serving(here / "root"), over_http),
            (serving_mirrors(here / "root", _MIRRORS), over_http & set(MIRRORING)),
        ):
            with upstream_of_them as upstream:
                found |= {
                    key for key in keys if _lets_through(contenders[key], upstream, items, here)
                }
        return found


def _lets_through(contender: Contender, upstream: Upstream, items: list[Item], here: Path) -> bool:
    """Tell whether a contender says that all is well, with the wrong file among the others."""
    with destination(here) as path:
        job = Job(upstream.url, tuple(items), str(path), CONNECTIONS, mirrors=upstream.mirrors)
        turn = take(contender, job)
        return not turn.fault and job.target(items[WRONG]).exists()
