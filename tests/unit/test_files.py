"""Files: whole or not at all, and never anywhere else."""

from __future__ import annotations

import ctypes
import errno
import os
import pickle
import resource
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from pulp_download.arguments import as_writer
from pulp_download.errors import InvalidInput, WriteError
from pulp_download.files import FileWriter
from pulp_download.standing import ExistingFile
from pulp_download.writers import MemoryWriter
from tests.unit.children import become_nobody, in_child

ROOT = Path(__file__).parents[2]


def put(writer: FileWriter, *chunks: bytes) -> None:
    with writer.open() as sink:
        for chunk in chunks:
            sink.write(chunk)


def names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


# Whole or not at all.


def test_a_file_appears_under_its_name_only_when_it_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "a"
    with FileWriter(target).open() as sink:
        sink.write(b"one ")
        assert not target.exists()
        assert len(names(tmp_path)) == 1
        sink.write(b"two")
        assert not target.exists()
    assert target.read_bytes() == b"one two"
    assert names(tmp_path) == ["a"]


@pytest.mark.parametrize("error", [KeyError, KeyboardInterrupt, GeneratorExit])
def test_a_failure_leaves_the_previous_file_and_nothing_else(
    tmp_path: Path, error: type[BaseException]
) -> None:
    target = tmp_path / "a"
    target.write_bytes(b"previous")
    before = target.stat()
    with pytest.raises(error), FileWriter(target).open() as sink:
        sink.write(b"half of")
        raise error
    assert target.read_bytes() == b"previous"
    assert (target.stat().st_ino, target.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert names(tmp_path) == ["a"]


def test_nothing_is_made_before_the_first_write(tmp_path: Path) -> None:
    with pytest.raises(KeyError), FileWriter(tmp_path / "new" / "a").open():
        assert names(tmp_path) == []
        raise KeyError
    assert names(tmp_path) == []


def test_nothing_written_is_an_empty_file(tmp_path: Path) -> None:
    put(FileWriter(tmp_path / "a"))
    assert (tmp_path / "a").read_bytes() == b""


def test_a_restart_begins_at_byte_zero(tmp_path: Path) -> None:
    with FileWriter(tmp_path / "a").open() as sink:
        sink.restart()
        sink.write(b"a longer failed try")
        sink.restart()
        sink.write(b"good")
    assert (tmp_path / "a").read_bytes() == b"good"


def test_a_new_file_replaces_the_previous_one(tmp_path: Path) -> None:
    for value in (b"a long first one", b"two"):
        put(FileWriter(tmp_path / "a"), value)
    assert (tmp_path / "a").read_bytes() == b"two"


@pytest.mark.parametrize("within", [False, True])
def test_parent_directories_are_made(tmp_path: Path, within: bool) -> None:
    root = tmp_path / "new" / "root"
    put(FileWriter("x/y/a", within=root) if within else FileWriter(root / "x/y/a"), b"good")
    assert (root / "x/y/a").read_bytes() == b"good"
    assert names(root / "x/y") == ["a"]


def test_a_relative_path_is_one_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    put(FileWriter("a", fsync=True), b"good")
    put(FileWriter("x/b", within="."), b"good")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "x/b").read_bytes() == b"good"


@pytest.mark.parametrize("resume", [False, True])
def test_what_was_written_can_be_written_over_and_read_back(tmp_path: Path, resume: bool) -> None:
    with FileWriter(tmp_path / "a", resume=resume).open() as sink:
        assert list(sink.chunks()) == []
        if resume:
            sink.describe("facts")
        sink.write(b"012345")
        sink.write_at(2, b"xy")
        sink.write(b"67")
        assert b"".join(sink.chunks()) == b"01xy4567"
    assert (tmp_path / "a").read_bytes() == b"01xy4567"
    assert names(tmp_path) == ["a"]


@pytest.mark.fault(142)
def test_a_short_write_in_a_place_is_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    really_write = os.pwrite
    with FileWriter(tmp_path / "a").open() as sink:
        sink.write(b"0123456789")
        monkeypatch.setattr(os, "pwrite", lambda fd, data, at: really_write(fd, data[:2], at))
        sink.write_at(3, b"abcde")
        monkeypatch.undo()
    assert (tmp_path / "a").read_bytes() == b"012abcde89"


@pytest.mark.fault(142)
@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_a_short_write_is_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Callable[[bytes], bytes]
) -> None:
    really_write = os.write
    counts: list[int] = []

    def at_most_three(descriptor: int, data: bytes) -> int:
        counts.append(really_write(descriptor, bytes(data)[:3]))
        return counts[-1]

    monkeypatch.setattr(os, "write", at_most_three)
    put(FileWriter(tmp_path / "a"), kind(b"0123456789"), kind(b"ab"))
    monkeypatch.undo()
    assert (tmp_path / "a").read_bytes() == b"0123456789ab"
    assert counts == [3, 3, 3, 1, 2]


def test_the_moment_of_the_last_change_is_set_before_the_file_appears(tmp_path: Path) -> None:
    with FileWriter(tmp_path / "a").open() as sink:
        sink.write(b"x")
        sink.mtime = 784111777.0
    assert (tmp_path / "a").stat().st_mtime == 784111777.0


def test_two_sinks_for_one_path_do_not_share_a_file(tmp_path: Path) -> None:
    writer = FileWriter(tmp_path / "a")
    with writer.open() as one, writer.open() as other:
        one.write(b"one" * 100)
        other.write(b"other")
        assert len(names(tmp_path)) == 2
    assert (tmp_path / "a").read_bytes() == b"one" * 100
    assert names(tmp_path) == ["a"]


@pytest.mark.fault(120)
def test_many_threads_at_one_path_leave_one_whole_file(tmp_path: Path) -> None:
    writer = FileWriter("d/a", within=tmp_path)
    barrier = threading.Barrier(16)

    def one_of(value: bytes) -> None:
        barrier.wait()
        for _ in range(20):
            put(writer, value * 1000, value * 1000)

    threads = [threading.Thread(target=one_of, args=(bytes([65 + n]),)) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    body = (tmp_path / "d/a").read_bytes()
    assert len(body) == 2000 and len(set(body)) == 1
    assert names(tmp_path / "d") == ["a"]


# Modes.


@pytest.mark.fault(133)
@pytest.mark.parametrize(("umask", "mode"), [(0o077, 0o600), (0o022, 0o644), (0o000, 0o666)])
@pytest.mark.parametrize("within", [False, True])
def test_the_mode_follows_the_umask_from_the_first_moment(
    tmp_path: Path, umask: int, mode: int, within: bool
) -> None:
    def story() -> tuple[int, int, int]:
        os.umask(umask)
        writer = FileWriter("d/a", within=tmp_path) if within else FileWriter(tmp_path / "d/a")
        with writer.open() as sink:
            sink.write(b"x")
            (temporary,) = (tmp_path / "d").iterdir()
            early = stat.S_IMODE(temporary.stat().st_mode)
        return (
            early,
            stat.S_IMODE((tmp_path / "d/a").stat().st_mode),
            stat.S_IMODE((tmp_path / "d").stat().st_mode),
        )

    assert in_child(story) == (mode, mode, 0o777 & ~umask)


# The disk.


@pytest.mark.fault(125)
@pytest.mark.parametrize("within", [False, True])
@pytest.mark.parametrize("fsync", [False, True])
def test_bytes_and_then_their_name_are_put_on_disk_in_this_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, within: bool, fsync: bool
) -> None:
    calls: list[str] = []
    really = {name: getattr(os, name) for name in ("write", "fsync", "rename")}

    def recording(name: str) -> Callable[..., object]:
        def call(first: int | str, *args: object, **options: object) -> object:
            is_folder = isinstance(first, int) and stat.S_ISDIR(os.fstat(first).st_mode)
            calls.append(f"{name} folder" if is_folder else name)
            return really[name](first, *args, **options)

        return call

    for name in really:
        monkeypatch.setattr(os, name, recording(name))
    put(
        FileWriter("a", within=tmp_path, fsync=fsync)
        if within
        else FileWriter(tmp_path / "a", fsync=fsync),
        b"x",
    )
    monkeypatch.undo()
    assert calls == (["write", "fsync", "rename", "fsync folder"] if fsync else ["write", "rename"])


@pytest.mark.fault(126)
@pytest.mark.parametrize("call", ["write", "fsync", "close", "rename", "utime"])
@pytest.mark.parametrize("within", [False, True])
def test_an_error_of_the_disk_is_a_write_error_and_nothing_appears(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, within: bool
) -> None:
    target = tmp_path / "a"
    target.write_bytes(b"previous")
    really = getattr(os, call)
    failed: list[str] = []

    def failing(*args: object, **options: object) -> object:
        if not failed:
            failed.append(call)
            if call == "close":  # the kernel closes, whatever it says
                really(*args)
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return really(*args, **options)

    writer = (
        FileWriter("a", within=tmp_path, fsync=True) if within else FileWriter(target, fsync=True)
    )
    sink = writer.open()
    with pytest.raises(WriteError) as caught, sink:
        if call == "write":
            monkeypatch.setattr(os, call, failing)
        sink.write(b"new")
        sink.mtime = 1.0
        monkeypatch.setattr(os, call, failing)
    monkeypatch.undo()
    assert (caught.value.errno, caught.value.path) == (errno.EIO, str(target))
    assert caught.value.final and not caught.value.retryable
    assert caught.value.__cause__ is None
    assert (target.read_bytes(), names(tmp_path)) == (b"previous", ["a"])


@pytest.mark.fault(126)
def test_an_error_while_discarding_does_not_hide_the_first_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    really_close, failed = os.close, []

    def failing_once(descriptor: int) -> None:
        really_close(descriptor)
        if not failed:
            failed.append(descriptor)
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    with pytest.raises(KeyError), FileWriter("a", within=tmp_path).open() as sink:
        sink.write(b"x")
        monkeypatch.setattr(os, "close", failing_once)
        raise KeyError
    monkeypatch.undo()
    assert failed and names(tmp_path) == []


@pytest.mark.fault(111)
def test_a_file_above_the_size_limit_is_a_write_error(tmp_path: Path) -> None:
    def story() -> tuple[int | None, list[str]]:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, resource.RLIM_INFINITY))
        with pytest.raises(WriteError) as caught:
            put(FileWriter(tmp_path / "a"), b"x" * 6_000, b"x" * 6_000)
        return caught.value.errno, names(tmp_path)

    assert in_child(story) == (errno.EFBIG, [])


MOUNTED = """
import os, sys
from pulp_download.errors import WriteError
from pulp_download.files import FileWriter

os.chdir(sys.argv[1])
for writer in (FileWriter("d/a", fsync=True), FileWriter("d/b", within=".", fsync=True)):
    try:
        with writer.open() as sink:
            for _ in range(64):
                sink.write(bytes(4096))
    except WriteError as error:
        print(error.errno, [name for _, _, names in os.walk(".") for name in names])
    else:
        print("written")
"""


def on_a_mount(folder: Path, options: str) -> list[str]:
    """Write two large files on a small file system of the child's own; return what came of each."""
    tool = shutil.which("unshare")
    if tool is None or os.geteuid() != 0:
        pytest.skip("mounting needs unshare and root")
    mount = f"mount -t tmpfs -o {options} tmpfs {folder} || exit 99"
    run = f'exec "{sys.executable}" -c "$0" {folder}'
    done = subprocess.run(
        [tool, "-m", "sh", "-c", f"{mount}; {run}", MOUNTED],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 99 or "unshare failed" in done.stderr:
        pytest.skip(f"cannot mount here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.fault(109)
def test_a_full_disk_is_a_write_error_and_gets_its_space_back(tmp_path: Path) -> None:
    assert on_a_mount(tmp_path, "size=64k") == [f"{errno.ENOSPC} []"] * 2


@pytest.mark.fault(111)
def test_a_disk_without_inodes_is_full(tmp_path: Path) -> None:
    assert on_a_mount(tmp_path, "nr_inodes=1") == [f"{errno.ENOSPC} []"] * 2


@pytest.mark.fault(113)
def test_a_disk_that_is_read_only_is_a_write_error(tmp_path: Path) -> None:
    assert on_a_mount(tmp_path, "ro") == [f"{errno.EROFS} []"] * 2


# Places where no file can be.


@pytest.mark.fault(113)
@pytest.mark.parametrize("within", [False, True])
def test_a_folder_that_is_closed_to_us_is_a_write_error(tmp_path: Path, within: bool) -> None:
    (tmp_path / "closed").mkdir()
    (tmp_path / "closed" / "a").write_bytes(b"previous")
    (tmp_path / "closed").chmod(0o555)
    tmp_path.chmod(0o755)

    def story() -> int | None:
        os.chdir(tmp_path)
        become_nobody()
        writer = FileWriter("closed/a", within=".") if within else FileWriter("closed/a")
        with pytest.raises(WriteError) as caught:
            put(writer, b"new")
        return caught.value.errno

    assert in_child(story) == errno.EACCES
    assert (tmp_path / "closed" / "a").read_bytes() == b"previous"
    (tmp_path / "closed").chmod(0o755)


@pytest.mark.fault(114)
@pytest.mark.parametrize("within", [False, True])
def test_a_directory_in_the_place_is_told_before_anything_is_written(
    tmp_path: Path, within: bool
) -> None:
    (tmp_path / "d").mkdir()
    writer = FileWriter("d", within=tmp_path) if within else FileWriter(tmp_path / "d")
    with pytest.raises(WriteError) as caught, writer.open():
        pytest.fail("opened")
    assert (caught.value.errno, names(tmp_path)) == (errno.EISDIR, ["d"])


@pytest.mark.fault(114, 115)
@pytest.mark.parametrize("within", [False, True])
@pytest.mark.parametrize("name", ["f/a", "f/x/a"])
def test_a_file_for_a_parent_is_told_before_anything_is_written(
    tmp_path: Path, within: bool, name: str
) -> None:
    (tmp_path / "f").write_bytes(b"precious")
    writer = FileWriter(name, within=tmp_path) if within else FileWriter(tmp_path / name)
    with pytest.raises(WriteError) as caught, writer.open():
        pytest.fail("opened")
    assert (caught.value.errno, names(tmp_path)) == (errno.ENOTDIR, ["f"])


@pytest.mark.fault(114)
@pytest.mark.parametrize("within", [False, True])
def test_a_link_that_leads_nowhere_is_no_parent(tmp_path: Path, within: bool) -> None:
    (tmp_path / "d").symlink_to(tmp_path / "absent")
    writer = FileWriter("d/a", within=tmp_path) if within else FileWriter(tmp_path / "d/a")
    with pytest.raises(WriteError) as caught:
        put(writer, b"x")
    assert (caught.value.errno, names(tmp_path)) == (errno.ENOTDIR, ["d"])


@pytest.mark.fault(122)
@pytest.mark.parametrize("within", [False, True])
@pytest.mark.parametrize("name", ["a" * 255, "\u20ac" * 85], ids=["letters", "euros"])
def test_a_name_may_be_as_long_as_names_can_be(tmp_path: Path, within: bool, name: str) -> None:
    put(FileWriter(name, within=tmp_path) if within else FileWriter(tmp_path / name), b"x")
    assert names(tmp_path) == [name]


@pytest.mark.fault(122)
@pytest.mark.parametrize("name", ["a" * 256, "\u20ac" * 86, "a/" * 2500 + "a"])
def test_a_name_or_path_that_is_too_long_is_told_before_anything_is_written(
    tmp_path: Path, name: str
) -> None:
    with pytest.raises(WriteError) as caught, FileWriter(tmp_path / name).open():
        pytest.fail("opened")
    assert (caught.value.errno, names(tmp_path)) == (errno.ENAMETOOLONG, [])


@pytest.mark.fault(122)
def test_a_path_that_is_too_long_for_one_call_is_a_write_error_within_a_folder(
    tmp_path: Path,
) -> None:
    with pytest.raises(WriteError) as caught:
        put(FileWriter("a/" * 2500 + "a", within=tmp_path), b"x")
    assert caught.value.errno == errno.ENAMETOOLONG


@pytest.mark.fault(123)
@pytest.mark.parametrize("name", ["", "a\0b", "a/", "/"])
def test_what_is_no_name_of_a_file_is_refused_at_construction(name: str) -> None:
    with pytest.raises(WriteError) as caught:
        FileWriter(name)
    assert caught.value.final and str(caught.value).isprintable()


@pytest.mark.fault(123)
def test_a_name_that_the_file_system_cannot_spell_is_a_write_error(tmp_path: Path) -> None:
    with pytest.raises(WriteError) as caught:
        put(FileWriter(f"{tmp_path}/a\ud800"), b"x")
    assert caught.value.final and str(caught.value).isprintable()


@pytest.mark.fault(123)
def test_bytes_that_are_no_text_are_a_name_where_the_caller_says_so(tmp_path: Path) -> None:
    put(FileWriter(f"{tmp_path}/a\udcff"), b"x")
    assert os.listdir(os.fsencode(tmp_path)) == [b"a\xff"]


def test_a_path_is_text() -> None:
    with pytest.raises(TypeError, match="a path is text"):
        FileWriter(b"a")  # type: ignore[arg-type]


def test_the_current_folder_is_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in (".", "..", "absent/.."):
        with pytest.raises(WriteError):
            put(FileWriter(name), b"x")


# Nowhere else.


@pytest.mark.fault(118)
@pytest.mark.parametrize("within", [False, True])
@pytest.mark.parametrize("is_dangling", [False, True])
def test_a_link_in_the_place_is_replaced_and_not_followed(
    tmp_path: Path, within: bool, is_dangling: bool
) -> None:
    outside, root = tmp_path / "outside", tmp_path / "root"
    root.mkdir()
    if not is_dangling:
        outside.write_bytes(b"precious")
    (root / "a").symlink_to(outside)
    put(FileWriter("a", within=root) if within else FileWriter(root / "a"), b"new")
    assert (root / "a").read_bytes() == b"new" and not (root / "a").is_symlink()
    assert outside.exists() is not is_dangling
    assert is_dangling or outside.read_bytes() == b"precious"


@pytest.mark.fault(118)
def test_a_link_to_a_directory_in_the_place_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "a").symlink_to("d")
    put(FileWriter(tmp_path / "a"), b"new")
    assert (tmp_path / "a").read_bytes() == b"new"
    assert names(tmp_path / "d") == []


@pytest.mark.fault(119)
@pytest.mark.timeout(10)
@pytest.mark.parametrize("keep", [False, True])
def test_a_fifo_in_the_place_is_replaced_and_never_opened(tmp_path: Path, keep: bool) -> None:
    target = tmp_path / "a"
    os.mkfifo(target)
    with FileWriter(target, keep=keep).open() as sink:
        assert sink.existing() is None
        sink.write(b"new")
    assert target.is_file() and target.read_bytes() == b"new"


@pytest.mark.fault(119)
@pytest.mark.parametrize("within", [False, True])
def test_a_socket_in_the_place_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, within: bool
) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's name is at most 108 bytes
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind("a")
        writer = FileWriter("a", within=tmp_path if within else None, keep=True)
        with writer.open() as sink:
            assert sink.existing() is None
            sink.write(b"new")
    assert Path("a").read_bytes() == b"new"


@pytest.mark.fault(119)
def test_another_name_of_the_replaced_file_keeps_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "precious").write_bytes(b"precious")
    (tmp_path / "a").hardlink_to(tmp_path / "precious")
    put(FileWriter(tmp_path / "a"), b"new")
    assert (tmp_path / "a").read_bytes() == b"new"
    assert (tmp_path / "precious").read_bytes() == b"precious"


@pytest.mark.fault(116)
@pytest.mark.parametrize(
    "name", ["../a", "x/../../a", "/etc/passwd", "..", ".", "", "a\0", "x//a", "x/", "..\\a", "~/a"]
)
def test_within_a_folder_no_path_leads_out_of_it(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidInput, match="unsafe path"):
        FileWriter(name, within=tmp_path)


@pytest.mark.fault(118)
@pytest.mark.parametrize("name", ["d/a", "d/x/a", "x/d/a"])
@pytest.mark.parametrize("keep", [False, True])
def test_within_a_folder_no_parent_may_be_a_link(tmp_path: Path, name: str, keep: bool) -> None:
    outside, root = tmp_path / "outside", tmp_path / "root"
    outside.mkdir()
    (outside / "a").write_bytes(b"precious")
    (root / "x").mkdir(parents=True)
    for link in (root / "d", root / "x" / "d"):
        link.symlink_to(outside)
    with (
        pytest.raises(WriteError) as caught,
        FileWriter(name, within=root, keep=keep).open() as sink,
    ):
        assert sink.existing() is None
        sink.write(b"new")
    assert caught.value.errno in (errno.ENOTDIR, errno.ELOOP)
    assert names(outside) == ["a"] and (outside / "a").read_bytes() == b"precious"


def test_the_folder_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "root").symlink_to("real")
    put(FileWriter("d/a", within=tmp_path / "root"), b"x")
    assert (tmp_path / "real/d/a").read_bytes() == b"x"


def test_without_a_folder_to_stay_in_a_parent_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "d").symlink_to("real")
    put(FileWriter(tmp_path / "d/a"), b"x")
    assert (tmp_path / "real/a").read_bytes() == b"x"


def exchange(one: Path, other: Path) -> None:
    """Swap two names at once (renameat2), so that each stands for something at every moment."""
    libc = ctypes.CDLL(None, use_errno=True)
    here, at_once = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    if libc.renameat2(here, bytes(one), here, bytes(other), at_once):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


@pytest.mark.fault(118)
def test_a_parent_that_becomes_a_link_during_the_run_leads_nowhere(tmp_path: Path) -> None:
    outside, root, link = tmp_path / "outside", tmp_path / "root", tmp_path / "link"
    for folder in (outside, root, root / "d"):
        folder.mkdir()
    link.symlink_to(outside)
    done = threading.Event()

    def flip() -> None:
        while not done.is_set():
            exchange(root / "d", link)

    exchange(root / "d", link)
    flipper = threading.Thread(target=flip)
    flipper.start()
    written = refused = 0
    try:
        while (written < 50 or refused < 50) and written + refused < 20_000:
            try:
                put(FileWriter(f"d/{written}", within=root), b"x", b"y")
                written += 1
            except WriteError:
                refused += 1
    finally:
        done.set()
        flipper.join()
    assert written >= 50 and refused >= 50
    assert names(outside) == []
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.fault(118)
def test_a_parent_that_is_swapped_after_the_first_byte_does_not_move_the_file(
    tmp_path: Path,
) -> None:
    outside, root = tmp_path / "outside", tmp_path / "root"
    outside.mkdir()
    (root / "d").mkdir(parents=True)
    with FileWriter("d/a", within=root).open() as sink:
        sink.write(b"x")
        (root / "d").rename(root / "moved")
        (root / "d").symlink_to(outside)
        sink.write(b"y")
    assert names(outside) == []
    assert (root / "moved" / "a").read_bytes() == b"xy"


# What is there already.


def existing(writer: FileWriter) -> tuple[int, float, bytes] | None:
    with writer.open() as sink:
        found = sink.existing()
        sink.keep()
        if found is None:
            return None
        try:
            return found.size, found.mtime, b"".join(found.chunks())
        finally:
            found.close()


@pytest.mark.fault(130)
@pytest.mark.parametrize("within", [False, True])
def test_what_is_there_can_be_read_and_kept(tmp_path: Path, within: bool) -> None:
    target = tmp_path / "d" / "a"
    target.parent.mkdir()
    target.write_bytes(b"there")
    os.utime(target, (0, 784111777))
    inode = target.stat().st_ino
    writer = (
        FileWriter("d/a", within=tmp_path, keep=True) if within else FileWriter(target, keep=True)
    )
    assert existing(writer) == (5, 784111777.0, b"there")
    assert target.stat().st_ino == inode


@pytest.mark.parametrize("within", [False, True])
def test_without_keep_nothing_is_there(tmp_path: Path, within: bool) -> None:
    (tmp_path / "a").write_bytes(b"there")
    assert (
        existing(FileWriter("a", within=tmp_path) if within else FileWriter(tmp_path / "a")) is None
    )


@pytest.mark.parametrize("within", [False, True])
@pytest.mark.parametrize("name", ["a", "d/a"])
def test_an_absent_file_is_not_there_and_asking_makes_nothing(
    tmp_path: Path, within: bool, name: str
) -> None:
    root = tmp_path / "root"
    writer = (
        FileWriter(name, within=root, keep=True) if within else FileWriter(root / name, keep=True)
    )
    assert existing(writer) is None
    assert not root.exists()


@pytest.mark.fault(118)
@pytest.mark.parametrize("within", [False, True])
def test_a_link_is_not_there(tmp_path: Path, within: bool) -> None:
    (tmp_path / "real").write_bytes(b"there")
    (tmp_path / "a").symlink_to("real")
    writer = FileWriter("a", within=tmp_path, keep=True)
    assert existing(writer if within else FileWriter(tmp_path / "a", keep=True)) is None


def test_a_file_that_we_may_not_read_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"there")
    (tmp_path / "a").chmod(0)
    tmp_path.chmod(0o755)

    def story() -> object:
        os.chdir(tmp_path)
        become_nobody()
        return existing(FileWriter("a", keep=True))

    assert in_child(story) is None


def test_what_is_there_and_wrong_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"wrong")
    with FileWriter(tmp_path / "a", keep=True).open() as sink:
        found = sink.existing()
        assert isinstance(found, ExistingFile)
        found.close()
        sink.write(b"right")
    assert (tmp_path / "a").read_bytes() == b"right"


def test_a_file_that_cannot_be_read_to_its_end_is_a_write_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_bytes(b"there")
    descriptor = os.open(tmp_path / "a", os.O_WRONLY)
    found = ExistingFile(descriptor, os.fstat(descriptor), "a", None)
    try:
        with pytest.raises(WriteError):
            list(found.chunks())
    finally:
        found.close()


# Values.


def test_a_writer_is_a_value_and_knows_its_path(tmp_path: Path) -> None:
    writer = FileWriter("./d/a", within=tmp_path, keep=True, resume=True)
    assert writer != FileWriter("./d/a", within=tmp_path, keep=True)
    assert writer.path == tmp_path / "d" / "a"
    assert pickle.loads(pickle.dumps(writer)) == writer
    assert FileWriter(tmp_path / "a") == FileWriter(str(tmp_path / "a"))
    assert hash(FileWriter("a")) == hash(FileWriter(Path("a")))


def test_a_path_is_a_writer_and_a_writer_is_itself() -> None:
    memory = MemoryWriter()
    assert as_writer("a") == as_writer(Path("a")) == FileWriter("a")
    assert as_writer(memory) is memory
