"""The databases that a catalog can be in, for tests that hold for each of them.

Fixtures of a session or a module are made before those of a test, so that the server's pipe is not
taken for something that the first test with it has left.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.postgresql import PostgreSQL


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """The session's PostgreSQL server, started by the first test that asks for it."""
    if reason := PostgreSQL.why_not():
        pytest.skip(reason)
    with PostgreSQL() as server:
        yield server


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def database_server(request: pytest.FixtureRequest) -> PostgreSQL | None:
    """Each test twice: without a server, on SQLite, and with PostgreSQL's."""
    if request.param == "sqlite":
        return None
    server = request.getfixturevalue("postgresql")
    assert isinstance(server, PostgreSQL)
    return server


@pytest.fixture
def database(database_server: PostgreSQL | None, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database of the test's own."""
    if database_server is None:
        yield f"sqlite:///{tmp_path}/catalog.sqlite"
    else:
        with database_server.database() as url:
            yield url
