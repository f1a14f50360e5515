"""What is fetched in the comparisons."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.job import package_sizes, small_sizes
from benchmarks.mirrored import MirrorList


@dataclass(frozen=True)
class Workload:
    """Sizes of files, connections, from what kind of upstream, and by whom."""

    name: str
    sizes: Callable[[bool], list[int]]  # of the quick run, or of the whole one
    connections: int
    unit: str = "files/s"  # what a chart shows
    tls: bool = False
    ftp: bool = False
    delay: float = 0.0  # seconds before each answer
    missing: int = 0  # every n-th file is not there
    mirrors: MirrorList | None = None
    only: tuple[str, ...] = ()  # contenders; empty: all that speak HTTP
    by_default: bool = True  # measured also where no name is given

    def ideal_seconds(self, files: int, size: int) -> float | None:
        """Return how long nobody can do without; None where only the contender decides."""
        if self.mirrors:
            return self.mirrors.ideal_seconds(size)
        return files * self.delay / self.connections or None


# The whole, a half, a fifth, a twentieth of 10 MB a second, and one that is dead. Their order tells
# nothing: a list does not know who is fast.
_RATES = (2_000_000, 0, 10_000_000, 500_000, 5_000_000)

# Those that take several places for one file.
MIRRORING = ("ours", "aria2c", "librepo")


# The quick numbers, of files or of MiB: the most with which everything together takes no more than
# two thirds of two minutes on two cores. "404 storm" has as many files as "small" in either case,
# because its rate is judged against that one.
WORKLOADS = (
    Workload("small", lambda quick: small_sizes(1000 if quick else 5000), 8),
    Workload("tiny", lambda quick: [1000] * (2000 if quick else 20_000), 16),
    Workload("large", lambda quick: [(32 if quick else 256) << 20] * 8, 4, unit="MB/s"),
    # The others wait in threads as these do; each would take minutes to show the same.
    Workload("latency", lambda quick: small_sizes(2000 if quick else 5000), 64, delay=0.05,
             only=("ours", "requests", "aiohttp", "pycurl", "aria2c")),
    Workload("TLS small", lambda quick: small_sizes(500 if quick else 5000), 8, tls=True),
    # Those that tell a missing file from other failures.
    Workload("404 storm", lambda quick: small_sizes(1000 if quick else 5000), 8, missing=3,
             only=("ours", "requests", "aiohttp", "pycurl")),
    # Those that speak FTP.
    Workload("ftp small", lambda quick: small_sizes(300 if quick else 3000), 8, ftp=True,
             only=("ours", "requests-ftp", "curl", "aria2c", "wget")),
    Workload("mirrors", lambda quick: package_sizes(300 if quick else 2000), 16,
             mirrors=MirrorList(_RATES), only=MIRRORING),
    Workload("mirrors refusing", lambda quick: package_sizes(300 if quick else 2000), 16,
             mirrors=MirrorList(_RATES, refuses=True), only=MIRRORING, by_default=False),
)  # fmt: skip
