"""What came of one download."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from urllib3 import HTTPHeaderDict

from pulp_download.adapters.head import Head
from pulp_download.asking import headers_of
from pulp_download.errors import FailedTry

if TYPE_CHECKING:
    from pulp_download.download import Download


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """A file that is there and met every validation.

    ``url`` is the source that served it, as asked for; ``final_url`` the one after redirects; both
    without credentials and query values. ``digests`` are those that were computed, lower-case hex
    by algorithm. ``length_verified`` is False where nothing told the length and no digest was
    expected. ``elapsed`` seconds include retries and waits. ``attempts`` are the tries that failed.
    ``present``: it was there already and nothing was fetched. ``stat`` is what the operating system
    says of the file, for whoever wants to know it again by size, time and inode; None but for
    ``FileWriter(keep=True)``. Pickles with its download, but without the download's remote.
    """

    download: Download
    url: str
    final_url: str
    size: int
    digests: dict[str, str]
    fields: Head | HTTPHeaderDict = field(repr=False)
    length_verified: bool
    elapsed: float
    attempts: tuple[FailedTry, ...] = ()
    present: bool = False
    stat: os.stat_result | None = field(default=None, repr=False)

    @property
    def path(self) -> Path | None:
        """Where the file is, or None for writers that are no files."""
        return self.download.path

    @property
    def headers(self) -> HTTPHeaderDict:
        """The last answer's fields, repeats kept; empty where nothing was asked.

        As they came: of a file that was gone on with, those of its last part (``Content-Range``).
        """
        return headers_of(self.fields)

    def __reduce__(self) -> tuple[Any, ...]:
        values = [getattr(self, name) for name in self.__slots__]
        values[0] = self.download.without_remote()
        values[self.__slots__.index("fields")] = self.headers
        return Result, tuple(values)
