"""What a manifest takes of memory and disk, and that it leaves nothing."""

import os
import resource
import subprocess
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import repeat

import pytest

from pulp_download.errors import WriteError
from pulp_download.manifests import Manifest
from tests.uncovered import UNCOVERED
from tests.unit.manifests.reading import SHA256, lines, spool


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.fault(111)
def test_no_space_for_the_spooled_bytes_is_a_write_error() -> None:
    with largest_file(100_000), pytest.raises(WriteError, match="temporary file: File too large"):
        Manifest.spool(repeat(b"#" * 1000, 1000), name="urls")


@pytest.mark.fault(111)
def test_no_space_for_the_names_is_a_write_error() -> None:
    folder = "x" * 250
    text = lines(*(f"{folder}/{number}" for number in range(25_000)))
    with (
        spool(text) as manifest,
        largest_file(100_000),
        pytest.raises(WriteError, match="temporary table of names: "),
    ):
        manifest.check()


@pytest.mark.need("I4")
def test_memory_does_not_grow_with_the_number_of_lines() -> None:
    def chunks() -> Iterator[bytes]:
        for number in range(8_000):
            yield f"{SHA256}  pool/{number * 7919 % 8_009}/{'x' * 50}\n".encode()

    with spool(lines("a")) as manifest:
        manifest.check()  # what is allocated once, for ever
    tracemalloc.start()
    try:
        with Manifest.spool(chunks(), name="SHA256SUMS") as manifest:
            assert manifest.count == 8_000
            assert sum(1 for _ in manifest.entries()) == 8_000
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000


def test_a_killed_process_leaves_no_temporary_file(tmp_path: os.PathLike[str]) -> None:
    code = f"""
import os, signal
from pulp_download.manifests import Manifest
text = "".join(f"{SHA256}  {{n:0250}}\\n" * 2 for n in range(20_000))
manifest = Manifest.spool([text.encode()], name="SHA256SUMS")
assert manifest.count == 20_000
os.kill(os.getpid(), signal.SIGKILL)
"""
    environment = {**os.environ, "TMPDIR": str(tmp_path), "SQLITE_TMPDIR": str(tmp_path)}
    done = subprocess.run([*UNCOVERED, "-c", code], env=environment, check=False)
    assert done.returncode == -9
    assert os.listdir(tmp_path) == []


def test_the_table_of_names_is_not_imported_until_it_is_needed() -> None:
    code = "import sys, pulp_download.manifests; print('sqlite3' in sys.modules)"
    done = subprocess.run(
        [*UNCOVERED, "-c", code],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "False\n"
