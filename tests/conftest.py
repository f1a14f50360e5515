"""What holds for every test: nothing outlives it.

After each test, once all its other fixtures are gone, its threads have ended, the sockets, files
and pipes it opened are closed, and no temporary file is left. Something that is just about to go
gets a moment; a test that failed already is left alone, as its traceback keeps things alive.

``@pytest.mark.leaks("why")`` turns this off for one test, ``allow=("partials",)`` for some kinds.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Hashable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

pytest_plugins = ("tests.databases",)

NEEDS = {f"I{number}" for number in range(1, 12)} | {f"S{number}" for number in range(1, 9)}
FAULTS = range(1, 246)

# How long what is closing may take to be closed, and how often it is looked at, in seconds.
PATIENCE = 2.0
LOOK_EVERY = 0.01

# The names that the package and its tests give to what is not finished.
PARTIALS = ("*.part", ".*.tmp")

# Standard library and test tools that keep a folder for the whole session.
SESSION_FOLDERS = ("pymp-*", "pytest-of-*")

FDS = Path("/proc/self/fd")

FAILED = pytest.StashKey[bool]()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Fail a test whose marker names no need or no fault: its proof would be counted nowhere."""
    for marker, known in (("need", NEEDS), ("fault", FAULTS)):
        for mark in item.iter_markers(marker):
            if not mark.args or not all(value in known for value in mark.args):
                pytest.fail(f"no such {marker}: {mark.args}", pytrace=False)
    for mark in item.iter_markers("leaks"):
        if len(mark.args) != 1 or not set(mark.kwargs.get("allow", ())) <= set(KINDS):
            pytest.fail(f"write leaks(reason, allow=(some of {[*KINDS]}))", pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report = yield
    if report.failed or (report.when == "call" and report.skipped):
        item.stash[FAILED] = True
    return report


@pytest.fixture(scope="session", autouse=True)
def signals_are_heard() -> None:
    """Children inherit what nohup, or a shell's ``&``, had ignored; the command is to hear it."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def temporary_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give this process and its children a folder of their own for temporary files.

    In the common one, files of others come and go.
    """
    folder = tmp_path_factory.mktemp("temporary-files")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(folder))
        patch.setattr(tempfile, "tempdir", str(folder))
        yield folder


@pytest.fixture(autouse=True)
def nothing_is_left(request: pytest.FixtureRequest, temporary_folder: Path) -> Iterator[None]:
    """Fail a test that leaves a thread, a descriptor or a temporary file behind."""
    mark = request.node.get_closest_marker("leaks")
    allowed = mark.kwargs.get("allow", KINDS) if mark else ()
    folders = [temporary_folder]
    if "tmp_path" in request.fixturenames:
        folders.append(request.getfixturevalue("tmp_path"))
    looks = [look for kind, look in KINDS.items() if kind not in allowed]

    def whats_there() -> dict[Hashable, str]:
        return {thing: text for look in looks for thing, text in look(*folders).items()}

    def whats_left() -> list[str]:
        return [text for thing, text in whats_there().items() if thing not in before]

    before = whats_there()
    yield
    if request.node.stash.get(FAILED, False) or not whats_left():
        return
    gc.collect()
    deadline = time.monotonic() + PATIENCE
    while left := whats_left():
        if time.monotonic() > deadline:
            pytest.fail("left behind:\n  " + "\n  ".join(left), pytrace=False)
        time.sleep(LOOK_EVERY)


# Looks: what is there now, as things that can be told apart, each with a description.


def threads(*_folders: Path) -> dict[Hashable, str]:
    return {
        thread: f"thread {thread.name}{place_of(thread)}"
        for thread in threading.enumerate()
        if thread is not threading.current_thread()
    }


def place_of(thread: threading.Thread) -> str:
    """Tell where a thread is: the lines that say why it has not ended."""
    frame = sys._current_frames().get(thread.ident or 0)
    stack = traceback.extract_stack(frame, limit=3) if frame else ()
    return "".join(f"\n    at {at.filename}:{at.lineno} in {at.name}" for at in stack)


def descriptors(*_folders: Path) -> dict[Hashable, str]:
    found: dict[Hashable, str] = {}
    for number in os.listdir(FDS) if FDS.exists() else ():
        try:
            target = os.readlink(FDS / number)
        except FileNotFoundError:  # the one that the listing itself had open
            continue
        # With the target, it is not taken for an earlier one that had the same number.
        found[number, target] = f"descriptor {number} -> {target}"
    return found


def partials(temporary_folder: Path, *test_folders: Path) -> dict[Hashable, str]:
    paths = [
        os.path.join(temporary_folder, name)
        for name in os.listdir(temporary_folder)
        if not matches(name, SESSION_FOLDERS)
    ]
    for test_folder in test_folders:
        for folder, _, names in os.walk(test_folder):
            paths += [os.path.join(folder, name) for name in names if matches(name, PARTIALS)]
    return {path: f"temporary file {path}" for path in paths}


def matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


KINDS = {"threads": threads, "descriptors": descriptors, "partials": partials}
