"""One reactor for all stories of streamers, and something to serve from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pulp_download import Remote
from tests.functional.cli.command import Command
from tests.functional.importer.stock import Stock
from tests.functional.streamer.running import Shelf, reactor_in_a_thread
from tests.servers import FaultServer


@pytest.fixture(scope="session", autouse=True)
def running_reactor() -> Iterator[None]:
    with reactor_in_a_thread():
        yield


@pytest.fixture
def remote() -> Iterator[Remote]:
    """A remote that tries nothing twice, for the stories are of what fails."""
    with Remote(max_retries=0, download_concurrency=400) as remote:
        yield remote


@pytest.fixture
def shelf(remote: Remote) -> Shelf:
    return Shelf(remote)


@pytest.fixture
def stock(server: FaultServer) -> Stock:
    """A few files and their SHA256SUMS."""
    return Stock(server, {f"pool/{name}": name.encode() * 1000 for name in "abcde"})


@pytest.fixture
def command(tmp_path: Path) -> Command:
    folder = tmp_path / "here"
    folder.mkdir()
    return Command(folder)
