"""The command, in a folder of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.functional.cli.command import Command


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """Where the command is run."""
    folder = tmp_path / "here"
    folder.mkdir()
    return folder


@pytest.fixture
def command(here: Path) -> Command:
    return Command(here)
