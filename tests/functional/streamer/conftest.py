"""An upstream with a list of its files, and the command."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.functional.cli.command import Command
from tests.functional.importer.stock import Stock
from tests.servers import FaultServer


@pytest.fixture
def stock(server: FaultServer) -> Stock:
    """A few files and their SHA256SUMS."""
    return Stock(server, {f"pool/{name}": name.encode() * 1000 for name in "abcde"})


@pytest.fixture
def command(tmp_path: Path) -> Command:
    folder = tmp_path / "here"
    folder.mkdir()
    return Command(folder)
