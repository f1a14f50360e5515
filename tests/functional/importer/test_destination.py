"""A destination: whose it is, what is deleted in it, and what may be planted there."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pulp_download import Remote
from pulp_download.errors import DestinationBusy, ManifestError, WriteError
from pulp_download.importer.importer import Importer
from pulp_download.importer.selection import Selection
from tests.functional.cli.command import Command, finished
from tests.functional.cli.shelf import sha256
from tests.functional.importer.stock import LIST, OWN, Stock, Sync, rot, tree
from tests.servers import Gate, reply, steps


@contextmanager
def held_by_another(command: Command, stock: Stock, dest: Path) -> Iterator[tuple[int, Gate]]:
    """Another process at work in the destination; its number, and the gate that it waits at."""
    gate = stock.server.gate()
    stock.server.on("/pool/held", steps(gate, reply(200, b"held")))
    with command.started("mirror", stock.url, dest) as process:
        gate.wait_for(1)
        yield process.pid, gate
        gate.open()
        finished(process)


@pytest.mark.fault(120)
class TestLock:
    def test_one_run_at_a_time_and_the_second_is_told_whose_it_is(
        self, command: Command, stock: Stock, remote: Remote, dest: Path
    ) -> None:
        stock.files["pool/held"] = b"held"
        with held_by_another(command, stock, dest) as (pid, _):
            with pytest.raises(DestinationBusy, match=rf"another run \(process {pid}\)") as caught:
                Sync(remote, dest, stock.url)
            assert str(dest) in str(caught.value)
            refused = command("mirror", stock.url, dest, status=2)
            assert f"another run (process {pid}) is at work here" in refused.stderr
            assert refused.stdout == b""
            with Importer(remote, dest) as importer, pytest.raises(DestinationBusy):
                importer.sync(stock.url, dry_run=True)
        assert tree(dest) == stock.all
        assert Sync(remote, dest, stock.url).counts == {"present": 7}

    def test_the_lock_of_a_killed_holder_is_free(
        self, stock: Stock, dest: Path, command: Command, tmp_path: Path
    ) -> None:
        stock.files["pool/held"] = b"held"
        gate = stock.server.gate()
        stock.server.on("/pool/held", steps(gate, reply(200, b"held")))
        own = {"TMPDIR": str(tmp_path)}  # where the staged list of a killed run stays
        with command.started("mirror", stock.url, dest, env=own) as process:
            gate.wait_for(1)
            process.kill()
            process.wait()
        assert (dest / OWN / "lock").read_text() == f"{process.pid}\n"
        gate.open()
        command("mirror", stock.url, dest)
        assert tree(dest) == stock.all

    def test_a_lock_file_that_nobody_holds_is_no_lock(
        self, stock: Stock, remote: Remote, dest: Path
    ) -> None:
        (dest / OWN).mkdir(parents=True)
        (dest / OWN / "lock").write_text("1\n")
        assert Sync(remote, dest, stock.url).counts == {"downloaded": 6}


class TestDeleteExtra:
    def test_files_that_no_source_lists_go_with_the_folders_that_they_leave_empty(
        self, stock: Stock, remote: Remote, dest: Path, tmp_path: Path
    ) -> None:
        outside = tmp_path / "outside"
        (outside / "folder").mkdir(parents=True)
        (outside / "folder/precious").write_bytes(b"precious")
        Sync(remote, dest, stock.url)
        (dest / "old/deep/er").mkdir(parents=True)
        (dest / "old/deep/er/file").write_bytes(b"x")
        (dest / "old/file").write_bytes(b"xx")
        (dest / "pool/file").write_bytes(b"xxx")
        (dest / "link").symlink_to(outside / "folder/precious")
        (dest / "pool/folder").symlink_to(outside / "folder")
        (dest / "old/nowhere").symlink_to("nothing")
        kept = Sync(remote, dest, stock.url)
        assert kept.ends.of("deleted") == []
        cleaned = Sync(remote, dest, stock.url, delete_extra=True)
        assert cleaned.ends.of("deleted") == [
            "link",
            "old/deep/er/file",
            "old/file",
            "old/nowhere",
            "pool/file",
            "pool/folder",
        ]
        assert cleaned.summary.deleted == 6
        assert tree(dest) == stock.all
        assert not (dest / "old").exists()
        assert (outside / "folder/precious").read_bytes() == b"precious"

    def test_what_is_not_selected_and_what_is_not_finished_stays(
        self, stock: Stock, remote: Remote, dest: Path
    ) -> None:
        Sync(remote, dest, stock.url)
        (dest / "mine").mkdir()
        (dest / "mine/notes").write_bytes(b"n")
        partial = dest / "pool" / f".{'0' * 24}.part"
        temporary = dest / f".{'f' * 16}.part"
        for path in (partial, temporary, dest / "pool/extra"):
            path.write_bytes(b"x")
        everything_else = Selection(exclude=("mine/*",))
        some = Sync(remote, dest, stock.url, delete_extra=True, selection=everything_else)
        assert some.ends.of("deleted") == ["pool/extra"]
        assert (dest / "mine/notes").read_bytes() == b"n"
        assert partial.exists() and temporary.exists()
        assert (dest / OWN / "catalog.sqlite").exists()
        for path in (partial, temporary):
            path.unlink()

    def test_what_is_excluded_stays_also_where_it_is_listed(
        self, stock: Stock, remote: Remote, dest: Path
    ) -> None:
        Sync(remote, dest, stock.url)
        not_b = Selection(exclude=("*/b",))
        assert Sync(remote, dest, stock.url, delete_extra=True, selection=not_b).counts == {
            "present": 5
        }
        stock.files.pop("pool/b")
        Sync(remote, dest, stock.url, delete_extra=True, selection=not_b)
        assert (dest / "pool/b").exists()
        whole = Sync(remote, dest, stock.url, delete_extra=True)
        assert whole.ends.of("deleted") == ["pool/b"]

    @pytest.mark.fault(244)
    def test_nothing_is_deleted_while_a_file_is_missing(
        self, stock: Stock, remote: Remote, dest: Path
    ) -> None:
        Sync(remote, dest, stock.url)
        stock.files = {"pool/new": b"new"}
        stock.server.on("/pool/new", reply(404))
        failed = Sync(remote, dest, stock.url, delete_extra=True)
        assert failed.counts == {"failed": 1}
        assert set(tree(dest)) == {LIST, *(f"pool/{name}" for name in "abcde")}
        stock.server.on("/pool/new", reply(200, b"new"))
        cleaned = Sync(remote, dest, stock.url, delete_extra=True)
        assert cleaned.ends.of("deleted") == [f"pool/{name}" for name in "abcde"]
        assert tree(dest) == stock.all


@pytest.mark.fault(118)
class TestPlanted:
    @pytest.mark.parametrize("has_lock", [False, True], ids=["empty", "with a lock file"])
    def test_a_symbolic_link_in_place_of_the_importers_folder_is_not_followed(
        self, stock: Stock, remote: Remote, dest: Path, tmp_path: Path, has_lock: bool
    ) -> None:
        outside = tmp_path / "outside"
        outside.mkdir()
        if has_lock:
            (outside / "lock").write_bytes(b"precious")
        before = tree(outside)
        dest.mkdir()
        (dest / OWN).symlink_to(outside)
        with pytest.raises(WriteError, match="symbolic link"):
            Sync(remote, dest, stock.url)
        with Importer(remote, dest) as importer, pytest.raises(WriteError, match="symbolic link"):
            importer.get_download("pool/a")
        with Importer(remote, dest) as importer, pytest.raises(WriteError, match="symbolic link"):
            importer.sync(stock.url, dry_run=True)
        assert tree(outside) == before

    def test_links_on_the_way_and_at_the_place_of_a_file_lead_nowhere(
        self, stock: Stock, remote: Remote, dest: Path, tmp_path: Path
    ) -> None:
        outside = tmp_path / "outside"
        outside.mkdir()
        (outside / "f").write_bytes(b"precious")
        dest.mkdir()
        (dest / "pool").symlink_to(outside)
        (dest / "top").symlink_to(outside / "f")
        (dest / LIST).symlink_to(outside / "f")
        stock.files["top"] = b"top"
        failed = Sync(remote, dest, stock.url)
        assert failed.ends.of("failed") == [f"pool/{name}" for name in "abcde"]
        assert failed.ends.of("downloaded") == ["top"]
        assert tree(outside) == {"f": b"precious"}
        (dest / "pool").unlink()
        Sync(remote, dest, stock.url)
        assert tree(dest) == stock.all
        assert tree(outside) == {"f": b"precious"}

    @pytest.mark.parametrize(
        "name", ["../evil", "/etc/evil", "a/../../evil", "a\x01b", ".", f"{OWN}/catalog.sqlite"]
    )
    def test_a_list_with_a_hostile_name_is_refused_and_makes_nothing(
        self, stock: Stock, remote: Remote, dest: Path, tmp_path: Path, name: str
    ) -> None:
        stock.listed = stock.manifest + f"{sha256(b'evil')}  {name}\n".encode()
        with pytest.raises(ManifestError, match="line 6"):
            Sync(remote, dest, stock.url)
        assert stock.news() == [LIST]
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("name", [".Pulp-Download/lock", f"{OWN}/x"])
    def test_a_later_list_with_a_name_of_the_importers_own_changes_nothing(
        self, stock: Stock, remote: Remote, dest: Path, name: str
    ) -> None:
        Sync(remote, dest, stock.url)
        before = tree(dest)
        stock.listed = stock.manifest + f"{sha256(b'evil')}  {name}\n".encode()
        stock.files["pool/new"] = b"new"
        with pytest.raises(ManifestError, match=r"line 6.*kept for the importer"):
            Sync(remote, dest, stock.url)
        assert tree(dest) == before

    def test_names_that_look_odd_are_names(self, stock: Stock, remote: Remote, dest: Path) -> None:
        odd = ["-rf", "a b", "50%", "#x?y", "é/ü", "con:1", "x" * 255, ".hidden", "*[a]"]
        stock.files = {name: name.encode() for name in odd}
        assert Sync(remote, dest, stock.url).counts == {"downloaded": 10}
        assert tree(dest) == stock.all
        assert Sync(remote, dest, stock.url, delete_extra=True).counts == {"present": 10}


class TestPlaces:
    def test_a_destination_that_was_moved_keeps_what_it_knows(
        self, stock: Stock, remote: Remote, dest: Path, tmp_path: Path
    ) -> None:
        Sync(remote, dest, stock.url)
        moved = tmp_path / "elsewhere/moved"
        moved.parent.mkdir()
        dest.rename(moved)
        rot(moved / "pool/a")
        stock.news()
        # which nobody sees who does not read it
        assert Sync(remote, moved, stock.url, delete_extra=True).counts == {"present": 6}
        assert stock.news() == [LIST]
        assert not dest.exists()

    def test_a_destination_that_cannot_be_written_is_told_once_and_clearly(
        self, command: Command, stock: Stock, dest: Path
    ) -> None:
        dest.touch()
        refused = command("mirror", stock.url, dest / "below", status=2)
        assert "Not a directory" in refused.stderr

    def test_a_full_disk_fails_the_files_that_do_not_fit(
        self, stock: Stock, remote: Remote, small_disk: Path
    ) -> None:
        stock.files["pool/large"] = bytes(2**21)
        full = Sync(remote, small_disk, stock.url)
        failed = full.ends.of("failed")
        assert "pool/large" in failed  # and what came while it filled the disk
        assert all("No space left" in str(full.ends.errors[path]) for path in failed)
        assert full.ends.of("cancelled") == [LIST]
        del stock.files["pool/large"]
        assert Sync(remote, small_disk, stock.url).ends.of("failed") == []
        assert tree(small_disk) == stock.all

    def test_a_destination_that_became_read_only_is_refused_in_one_line(
        self, command: Command, stock: Stock, small_disk: Path
    ) -> None:
        command("mirror", stock.url, small_disk)
        subprocess.check_call(["mount", "-o", "remount,ro", str(small_disk)])
        stock.files["pool/a"] = b"another edition"
        refused = command("mirror", stock.url, small_disk, status=2)
        (line,) = refused.stderr.splitlines()
        assert line.endswith("Read-only file system")
        assert (small_disk / "pool/a").read_bytes() == b"a" * 1000


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of a megabyte; a test that needs one is left out where none can be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if not shutil.which("mount") or subprocess.call(mount, stderr=subprocess.DEVNULL):
        pytest.skip("a file system cannot be mounted here")
    try:
        yield folder
    finally:
        subprocess.check_call(["umount", str(folder)])
