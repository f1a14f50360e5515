"""Two files beside a target: whose they are, and what they say."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pulp_download.partials import Partial, claim, nobodys_stem, stem_of, temporary_name
from tests.unit.children import become_nobody, in_child

STEM = stem_of("file")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    for path in tmp_path.glob("*.part"):
        path.unlink()


def claimed(folder: Path, *, make: bool = True) -> Partial:
    partial = claim(f"{folder}/", STEM, None, make=make)
    assert partial is not None
    return partial


def test_names_are_short_hidden_and_made_of_the_targets(folder: Path) -> None:
    assert STEM == "3b9c358f36f0a31b6ad3e14f"
    assert len(stem_of("\u20ac" * 85)) == len(nobodys_stem()) == 24
    assert stem_of("\udcff") != stem_of("\udcfe")
    assert len({temporary_name(held=True) for _ in range(100)}) == 100
    partial = claimed(folder)
    os.close(partial.create())
    assert sorted(os.listdir(folder)) == [f".{STEM}.facts.part", f".{STEM}.part"]
    partial.drop()
    assert os.listdir(folder) == []


def test_the_last_facts_hold(folder: Path) -> None:
    partial = claimed(folder)
    assert (partial.facts(), partial.is_described) == ("", False)
    for facts in ("long facts", "facts", "", "\u20ac"):
        partial.describe(facts)
        assert (partial.facts(), partial.is_described) == (facts, bool(facts))
    partial.keep()
    again = claimed(folder, make=False)
    assert again.facts() == "\u20ac"
    again.keep()


@pytest.mark.fault(120)
def test_it_is_one_claimants_at_a_time(folder: Path) -> None:
    partial = claimed(folder)
    assert claim(f"{folder}/", STEM, None, make=True) is None
    partial.keep()
    claimed(folder).keep()


@pytest.mark.fault(120)
@pytest.mark.parametrize("has_successor", [False, True])
def test_one_that_was_finished_between_the_opening_and_the_locking_is_none(
    folder: Path, monkeypatch: pytest.MonkeyPatch, has_successor: bool
) -> None:
    first = claimed(folder)
    really_lock = fcntl.flock

    def after_the_first_has_finished(descriptor: int, operation: int) -> None:
        monkeypatch.undo()
        first.settle()
        if has_successor:
            claimed(folder).keep()
        really_lock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", after_the_first_has_finished)
    assert claim(f"{folder}/", STEM, None, make=True) is None


def test_what_belongs_to_somebody_else_is_left_alone(folder: Path) -> None:
    partial = claimed(folder)
    partial.keep()
    for path in folder.glob("*.part"):
        path.chmod(0o666)
    folder.chmod(0o755)

    def story() -> bool:
        os.chdir(folder)
        become_nobody()
        return claim("", STEM, None, make=False) is None

    if os.geteuid() == 0:
        assert in_child(story)


def test_where_nothing_can_be_made_there_is_none(folder: Path) -> None:
    assert claim(f"{folder}/absent/", STEM, None, make=True) is None
    assert claim(f"{folder}/", STEM, None, make=False) is None
    assert os.listdir(folder) == []


def test_where_there_are_no_locks_there_is_none(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(descriptor: int, operation: int) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    assert claim(f"{folder}/", STEM, None, make=True) is None
    assert os.listdir(folder) == []


def test_a_disk_that_is_full_knows_no_facts_rather_than_half_of_them(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    really_write = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, data, at: really_write(fd, data[:10], at))
    partial = claimed(folder)
    partial.describe("facts")
    assert (partial.is_described, partial.facts()) == (False, "")
    partial.drop()
