"""An upstream with a list of its files, and a destination for them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pulp_download import Remote
from tests.functional.cli.command import Command
from tests.functional.fetch import remote_for
from tests.functional.importer.stock import Stock
from tests.servers import FaultServer


@pytest.fixture
def stock(server: FaultServer) -> Stock:
    """A few files and their SHA256SUMS."""
    return Stock(server, {f"pool/{name}": name.encode() * 1000 for name in "abcde"})


@pytest.fixture
def remote() -> Iterator[Remote]:
    """A remote that tries once."""
    with remote_for() as made:
        yield made


@pytest.fixture
def dest(tmp_path: Path) -> Path:
    """Where to; it is not there yet."""
    return tmp_path / "dest"


@pytest.fixture
def command(tmp_path: Path) -> Command:
    return Command(tmp_path)
