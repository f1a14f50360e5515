"""Which folder a catalog knows as the copy of a source."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from sqlalchemy import make_url, select

from pulp_download.errors import CatalogError
from pulp_download.importer.catalog import Catalog, is_made
from pulp_download.importer.house import NAME
from pulp_download.importer.schema import repositories, runs, sources
from pulp_download.importer.source import Source
from pulp_download.mirrors.mirror import Mirror

# What a destination is called in a catalog of its own.
_ITSELF = "."


class Copy(NamedTuple):
    """A destination, and its catalog's URL where it is not in the destination."""

    destination: Path
    catalog: str | None


def copy_of(source: Source, catalog: str) -> Copy:
    """Return the copy of ``source`` that was brought up to date last; raises CatalogError."""
    if not is_made(catalog):
        raise CatalogError("there is no such catalog")
    with Catalog(catalog) as opened:
        destination = _destination(opened, source)
    if destination is None:
        raise CatalogError("no mirror of this source is in the catalog")
    if destination != _ITSELF:
        return Copy(Path(destination), catalog)
    file = Path(str(make_url(catalog).database)).absolute()
    if file.parent.name != NAME:
        raise CatalogError(f"the catalog of a mirror, moved out of its folder {NAME}")
    return Copy(file.parent.parent, None)


def _destination(catalog: Catalog, source: Source) -> str | None:
    if source.url is None:
        return None
    query = (
        select(repositories.c.destination)
        .join(sources, sources.c.repository_id == repositories.c.id)
        .join(runs, runs.c.source_id == sources.c.id, isouter=True)
        .where(sources.c.url == str(Mirror(source.url).without_credentials()))
        .order_by(runs.c.id.desc().nulls_last())
        .limit(1)
    )
    with catalog.reading() as connection:
        return connection.execute(query).scalar_one_or_none()
