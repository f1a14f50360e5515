"""An importer's own folder: who is in, and what is its own."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from pulp_download.errors import DestinationBusy, WriteError
from pulp_download.importer.house import House, is_own


def test_nothing_is_made_before_it_is_asked_for(tmp_path: Path) -> None:
    house = House(tmp_path / "dest")
    assert not house.exists
    house.make()
    assert house.exists
    assert stat.S_IMODE((tmp_path / "dest/.pulp-download").stat().st_mode) == 0o700


def test_one_is_in_at_a_time_and_the_next_is_told_who(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.make()
    with house.locked(), pytest.raises(DestinationBusy) as raised, House(tmp_path).locked():
        pass
    assert raised.value.path == str(tmp_path)
    assert f"another run (process {os.getpid()}) is at work here" in str(raised.value)
    with house.locked():
        pass


def test_a_symbolic_link_in_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / ".pulp-download").symlink_to("elsewhere")
    with pytest.raises(WriteError, match="a symbolic link, which is not followed"):
        House(tmp_path).make()


def test_a_link_in_the_place_of_the_lock_is_not_followed(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.make()
    (tmp_path / "precious").write_text("precious")
    (tmp_path / ".pulp-download/lock").symlink_to(tmp_path / "precious")
    with pytest.raises(WriteError), house.locked():
        pass
    assert (tmp_path / "precious").read_text() == "precious"


def test_a_file_in_the_place_of_the_destination_is_told(tmp_path: Path) -> None:
    (tmp_path / "dest").write_text("")
    with pytest.raises(WriteError, match=r"Not a directory|File exists"):
        House(tmp_path / "dest").make()


@pytest.mark.parametrize("path", [".pulp-download", ".pulp-download/lock", ".PULP-Download/x"])
def test_what_leads_into_it_on_any_file_system_is_its_own(path: str) -> None:
    assert is_own(path)


@pytest.mark.parametrize("path", ["a/.pulp-download/x", ".pulp-downloads/x", "pulp-download"])
def test_what_is_elsewhere_is_not(path: str) -> None:
    assert not is_own(path)
