"""What somebody wants of an importer."""

from __future__ import annotations

from dataclasses import dataclass

from pulp_download.importer.selection import Selection
from pulp_download.importer.source import Source


@dataclass(frozen=True)
class Order:
    """What somebody wants done; see :meth:`~pulp_download.importer.importer.Importer.sync`."""

    source: Source
    format: str | None
    selection: Selection
    verify: bool = False
    delete_extra: bool = False
