"""What came of a request, for access logs and metrics."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pulp_download.errors import DownloadError


@dataclass(frozen=True, slots=True)
class Served:
    """One request that is over.

    ``path`` is printable and has no query. ``sent`` counts bytes of the body given to the client's
    connection, ``upstream_seconds`` is the time from asking upstream to its head, None where it
    was not asked or did not answer. ``error`` is why the client got less than the file, None where
    the client itself left. ``is_complete``: the answer, whatever its status, was given whole.
    """

    client: str
    method: str
    path: str
    version: str
    status: int
    sent: int
    upstream_seconds: float | None
    seconds: float
    error: DownloadError | None
    is_complete: bool


# Called once for each request, in the event loop's thread; must be quick.
Observer = Callable[[Served], None]
