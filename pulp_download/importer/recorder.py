"""Results on their way into the catalog."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path

from pulp_download.errors import DownloadError
from pulp_download.importer.artifact import Artifact, Found
from pulp_download.importer.repository import Outcome, Repository
from pulp_download.importer.schema import PRESENT
from pulp_download.result import Result

# Results of one transaction, and seconds that one waits for others. What a kill takes away with
# them is files that the next run knows again by their digests.
_MOST = 1000
_LONGEST = 0.5


class Recorder:
    """Writes results down a few at a time. State of one run, used by one thread."""

    def __init__(self, repository: Repository):
        self._repository = repository
        self._outcomes: list[Outcome] = []
        self._since = 0.0

    def succeeded(self, artifact: Artifact, result: Result) -> None:
        """Note that an artifact is there."""
        assert result.stat is not None, "its writer keeps what is there"
        found = Found.of(result.stat)
        etag = modified = None
        if not artifact.entry.digests:
            fields = result.headers
            etag = fields.get("etag", artifact.etag if result.present else None)
            modified = fields.get("last-modified", artifact.last_modified)
        self.note(Outcome(artifact.key, found, etag, modified))

    def failed(self, artifact: Artifact, error: BaseException) -> None:
        """Note that an artifact could not be had."""
        kind = type(error).__name__
        message = error.message if isinstance(error, DownloadError) else kind
        self.note(Outcome(artifact.key, None, error_type=kind, error=message))

    def note(self, outcome: Outcome) -> None:
        """Take an outcome, and write down what has gathered if it is enough or old enough."""
        now = time.monotonic()
        if not self._outcomes:
            self._since = now
        self._outcomes.append(outcome)
        if len(self._outcomes) >= _MOST or now - self._since > _LONGEST:
            self.flush()

    def flush(self) -> None:
        """Write down what has gathered."""
        outcomes, self._outcomes = self._outcomes, []
        self._repository.record(outcomes)


def found_at(destination: Path, path: str) -> Found | None:
    """Return what stands at a path, if it is a regular file."""
    try:
        facts = os.lstat(f"{destination}/{path}")
    except OSError:
        return None
    return Found.of(facts) if stat.S_ISREG(facts.st_mode) else None


def is_as_recorded(destination: Path, artifact: Artifact) -> bool:
    """Tell whether the file is the one that was last known to be right, without reading it."""
    found = artifact.found
    if found is None or artifact.state != PRESENT:
        return False
    if artifact.entry.size not in (None, found.size):
        return False
    return found_at(destination, artifact.path) == found
