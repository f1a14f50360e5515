"""That a catalog's memory does not grow with the number of files in it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

# Bytes that 200,000 files more may take: a tenth of what their entries alone would.
BOUND = 10_000_000

# A process counts the most memory it ever had; what is loaded once is loaded by the first listing.
WORK = """
import json, resource, sys
from pulp_download.importer.catalog import Catalog
from pulp_download.importer.repository import ListedBy, Repository
from pulp_download.manifests import ManifestEntry

def entries(count):
    for n in range(count):
        digest = ("sha256", f"{n:064x}")
        yield ManifestEntry(f"pool/{n % 997}/{n:09}.rpm", size=n, digests=(digest,))

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

peaks = []
with Catalog(sys.argv[1]) as catalog:
    repository = Repository(catalog, ".")
    source = repository.source(ListedBy("https://a.test/", "https://a.test/"))
    counts = []
    for count in (20_000, 220_000, 220_000, 0):
        changes = repository.take(source, entries(count), wants=lambda path: True)
        read = sum(1 for _ in repository.artifacts(source))
        counts.append([*changes, read])
        peaks.append(peak())
print(json.dumps({"counts": counts, "grown": peaks[-1] - peaks[0]}))
"""


@pytest.mark.need("I4")
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_200_000_files_more_take_no_more_memory(database: str) -> None:
    """Listed anew, listed again without a change, read back each time, and all forgotten."""
    done = subprocess.run(
        [sys.executable, "-c", WORK, database],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["counts"] == [
        [20_000, 0, 0, 20_000],
        [200_000, 0, 0, 220_000],
        [0, 0, 0, 220_000],
        [0, 0, 220_000, 0],
    ]
    assert told["grown"] < BOUND
