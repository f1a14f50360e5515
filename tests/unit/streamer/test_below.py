"""All that is below base URLs."""

from __future__ import annotations

import pytest

from pulp_download import NotFound, Remote
from pulp_download.streamer.below import Below


def test_paths_are_quoted_and_stay_below() -> None:
    with Remote(base_urls=["https://one.example/pub/", "https://two.example/"]) as remote:
        download = Below(remote).get_download("a b/50%?#+.deb")
        assert str(download.url) == "a%20b/50%25%3F%23%2B.deb"
        folder = Below(remote).get_download("simple/thing/")
        assert str(folder.url) == "simple/thing/"
        assert download.remote is remote


def test_the_root_is_each_base_itself() -> None:
    with Remote(base_urls=["https://one.example/pub", "https://two.example/"]) as remote:
        root = Below(remote).get_download("")
        assert list(map(str, root.mirrors)) == ["https://one.example/pub/", "https://two.example/"]


def test_a_root_that_only_a_list_could_tell_is_not_listed() -> None:
    with Remote(mirror_list="https://host/list") as remote, pytest.raises(NotFound):
        Below(remote).get_download("")
