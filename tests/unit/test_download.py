"""What a description knows without being run."""

from __future__ import annotations

from pathlib import Path

import pytest

from pulp_download import Download, MemoryWriter

URL = "http://host.test/a"


def test_one_place_is_one_however_it_is_spelt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    spellings = [
        "a/file",
        "./a//file",
        "b/../a/file",
        tmp_path / "a" / "file",
        f"{tmp_path}/a/file",
        f"{tmp_path}//a/file",
        f"{tmp_path}/./a/file",
        f"{tmp_path}/b/../a/file",
    ]
    assert {Download(URL, path).place for path in spellings} == {f"{tmp_path}/a/file"}
    assert Download(URL, "/a/.b/c..d/e").place == "/a/.b/c..d/e"


@pytest.mark.parametrize("writer", [None, MemoryWriter()])
def test_what_is_no_file_has_no_place(writer: MemoryWriter | None) -> None:
    assert Download(URL, writer).place is None
