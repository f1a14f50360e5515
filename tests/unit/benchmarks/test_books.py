"""The books beside the downloads, on a small list."""

from pathlib import Path

import pytest

from benchmarks import books
from benchmarks.job import make_files


def test_each_way_is_measured_on_the_same_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(books, "QUICK_FILES", 20)
    figures = books.measure(quick=True)
    assert figures["files"] == 20
    assert all(figures[f"{way} (s), median"] > 0 for way in books.WAYS)
    assert books.BOOKS in figures
    assert figures[books.ALL] > 0


def test_a_way_that_leaves_a_file_out_is_found(tmp_path: Path) -> None:
    items = make_files(tmp_path, [10, 20])
    books._check(tmp_path, items)
    (tmp_path / items[1].path).write_bytes(b"")
    with pytest.raises(AssertionError, match=r"file-000001"):
        books._check(tmp_path, items)
