"""A catalog in each database, and a destination's part of it."""

from collections.abc import Iterator

import pytest

from pulp_download.importer.catalog import Catalog
from pulp_download.importer.repository import Repository


@pytest.fixture
def catalog(database: str) -> Iterator[Catalog]:
    with Catalog(database) as opened:
        yield opened


@pytest.fixture
def repository(catalog: Catalog) -> Repository:
    return Repository(catalog, "/srv/mirror")
