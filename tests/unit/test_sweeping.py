"""What is removed of what runs left behind, and what never is."""

from __future__ import annotations

import errno
import fcntl
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pulp_download.files import FileWriter
from pulp_download.partials import claim, stem_of
from pulp_download.sweeping import sweep_partials

WEEK = 7 * 86_400
DAY = 86_400
TEMPORARY = ".0123456789abcdef.part"
STEM = ".0123456789abcdef01234567"

# What is not ours, however like it looks.
OTHERS = [
    "file",
    "file.part",
    ".part",
    ".0123456789abcde.part",
    ".0123456789ABCDEF.part",
    "x.0123456789abcdef.part",
    ".0123456789abcdef.part~",
    ".0123456789abcdef01234567.partial",
    ".0123456789abcdef0123456789.part",
]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder; what this test leaves there is no leak."""
    made = tmp_path / "swept"
    made.mkdir()
    yield made
    for path in made.rglob("*.part"):
        path.unlink()


def leave(folder: Path, name: str = "file", *, facts: str = "facts", age: float = 0.0) -> list[str]:
    """Leave a partial as a run does that breaks off; return the names."""
    partial = claim(f"{folder}/", stem_of(name), None, make=True)
    assert partial is not None
    os.close(partial.create())
    partial.describe(facts)
    partial.keep()
    names = [f".{stem_of(name)}.facts.part", f".{stem_of(name)}.part"]
    grow_old(age, *(folder / each for each in names))
    return sorted(names)


def grow_old(age: float, *paths: Path) -> None:
    moment = time.time() - age
    for path in paths:
        os.utime(path, (moment, moment), follow_symlinks=False)


def names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


def test_what_a_later_run_could_go_on_with_stays(folder: Path) -> None:
    left = leave(folder, age=WEEK - 60)
    assert sweep_partials(folder) == 0
    assert names(folder) == left


def test_what_is_older_than_a_week_goes(folder: Path) -> None:
    leave(folder, age=WEEK + 60)
    assert sweep_partials(folder) == 1
    assert names(folder) == []


def test_what_was_used_again_is_as_young_as_that(folder: Path) -> None:
    facts, data = leave(folder, age=WEEK + 60)
    grow_old(0, folder / facts)
    assert sweep_partials(folder) == 0
    assert names(folder) == sorted([facts, data])


def test_what_was_not_used_since_a_moment_goes(folder: Path) -> None:
    leave(folder, "unused", age=20)
    left = leave(folder, "used", age=5)
    assert sweep_partials(folder, unused_since=time.time() - 10) == 1
    assert names(folder) == left


@pytest.mark.fault(128)
def test_what_somebody_works_on_stays(folder: Path) -> None:
    left = leave(folder, facts="", age=WEEK + 60)
    partial = claim(f"{folder}/", stem_of("file"), None, make=False)
    assert partial is not None
    assert sweep_partials(folder) == 0
    assert names(folder) == left
    partial.keep()
    assert sweep_partials(folder) == 1
    assert names(folder) == []


@pytest.mark.fault(128)
@pytest.mark.parametrize("data", [b"", b"0123456789abcdef x", b"\xff"])
def test_what_nobody_can_trust_goes_at_once(folder: Path, data: bytes) -> None:
    facts, _ = sorted(leave(folder), key=len, reverse=True)
    (folder / facts).write_bytes(data)
    assert sweep_partials(folder) == 1
    assert names(folder) == []


@pytest.mark.fault(132)
@pytest.mark.parametrize(("age", "is_left"), [(0, True), (2 * 86_400, False)])
def test_a_temporary_file_that_nobody_holds_by_its_name_is_removed_when_it_is_old(
    tmp_path: Path, age: int, is_left: bool
) -> None:
    path = tmp_path / ".0123456789abcdef.free.part"
    path.write_bytes(b"half")
    os.utime(path, (time.time() - age,) * 2)
    assert sweep_partials(tmp_path) == (not is_left)
    assert path.exists() is is_left
    path.unlink(missing_ok=True)


@pytest.mark.parametrize("resume", [True, False])
def test_what_a_living_writer_has_under_way_is_never_swept(tmp_path: Path, resume: bool) -> None:
    with FileWriter(tmp_path / "file", resume=resume).open() as sink:
        sink.write(b"half")
        assert sweep_partials(tmp_path) == 0
    assert (tmp_path / "file").read_bytes() == b"half"


@pytest.mark.parametrize("name", [f"{STEM}.part", f"{STEM}.facts.part"])
def test_one_without_the_other_goes(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b"x")
    assert sweep_partials(folder) == 1
    assert names(folder) == []


@pytest.mark.fault(132)
def test_good_facts_on_no_bytes_go(folder: Path) -> None:
    _, data = sorted(leave(folder), key=len, reverse=True)
    (folder / data).unlink()
    assert sweep_partials(folder) == 1
    assert names(folder) == []


@pytest.mark.fault(128)
def test_a_temporary_file_is_nobodys_when_its_process_is_gone(folder: Path) -> None:
    (folder / TEMPORARY).write_bytes(b"x")
    assert sweep_partials(folder) == 1
    assert names(folder) == []


@pytest.mark.fault(128)
def test_a_temporary_file_of_a_living_process_stays_however_old_it_looks(folder: Path) -> None:
    with FileWriter(folder / "file", keep=True).open() as sink:
        sink.write(b"x")
        (name,) = names(folder)
        grow_old(10 * WEEK, folder / name)
        assert sweep_partials(folder, unused_since=time.time()) == 0
    assert names(folder) == ["file"]


@pytest.mark.fault(128)
def test_a_temporary_file_is_its_makers_until_it_has_its_name(folder: Path) -> None:
    swept: list[int] = []

    def audit(event: str, _: object) -> None:
        if event == "os.rename" and not swept:
            swept.append(sweep_partials(folder))

    sys.addaudithook(audit)
    with FileWriter(folder / "file", keep=True).open() as sink:
        sink.write(b"x")
    assert swept == [0]
    assert names(folder) == ["file"]


@pytest.mark.fault(128)
@pytest.mark.parametrize(("age", "removed"), [(DAY - 60, 0), (DAY + 60, 1)])
def test_where_no_file_can_be_locked_a_temporary_one_is_nobodys_after_a_day(
    folder: Path, age: float, removed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flock(file: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    (folder / TEMPORARY).write_bytes(b"x")
    grow_old(age, folder / TEMPORARY)
    monkeypatch.setattr(fcntl, "flock", flock)
    assert sweep_partials(folder, unused_since=time.time()) == removed
    assert names(folder) == [TEMPORARY][removed:]


@pytest.mark.fault(129)
def test_files_with_other_names_are_never_touched(folder: Path) -> None:
    for name in OTHERS:
        (folder / name).write_bytes(b"x")
        grow_old(10 * WEEK, folder / name)
    assert sweep_partials(folder, unused_since=time.time()) == 0
    assert names(folder) == sorted(OTHERS)


@pytest.mark.fault(118)
def test_links_are_neither_followed_nor_removed(folder: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    leave(outside, age=WEEK + 60)
    precious = outside / "precious"
    precious.write_bytes(b"precious")
    grow_old(10 * WEEK, precious)
    (folder / "link").symlink_to(outside)
    planted = [TEMPORARY, f"{STEM}.part", f"{STEM.replace('0', 'f')}.facts.part"]
    for name in planted:
        (folder / name).symlink_to(precious)
        grow_old(10 * WEEK, folder / name)
    sweep_partials(folder)
    assert precious.read_bytes() == b"precious"
    assert (folder / TEMPORARY).is_symlink()
    assert len(names(outside)) == 3
    assert sweep_partials(outside) == 1


@pytest.mark.fault(119)
@pytest.mark.timeout(10)
def test_what_is_no_file_hangs_nobody(folder: Path) -> None:
    os.mkfifo(folder / f"{STEM}.facts.part")
    os.mkfifo(folder / TEMPORARY)
    (folder / f"{STEM.replace('0', 'f')}.part").mkdir()
    grow_old(10 * WEEK, folder / TEMPORARY)
    sweep_partials(folder)
    assert (folder / TEMPORARY).exists()
    (folder / f"{STEM.replace('0', 'f')}.part").rmdir()


def test_folders_below_are_swept_unless_not_wanted(folder: Path) -> None:
    (folder / "x" / "y").mkdir(parents=True)
    leave(folder / "x" / "y", age=WEEK + 60)
    leave(folder, age=WEEK + 60)
    assert sweep_partials(folder, is_deep=False) == 1
    assert sweep_partials(folder) == 1
    assert names(folder / "x" / "y") == []


def test_the_folder_itself_may_be_a_link(folder: Path, tmp_path: Path) -> None:
    leave(folder, age=WEEK + 60)
    (tmp_path / "link").symlink_to(folder)
    assert sweep_partials(tmp_path / "link") == 1


def test_a_folder_that_is_absent_has_nothing(tmp_path: Path) -> None:
    assert sweep_partials(tmp_path / "absent") == 0
