"""Paths out of request targets: each has one form, or none."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulp_download.streamer.asked import LONGEST_TARGET, BadTarget, path_of, shown

TARGETS = st.lists(
    st.sampled_from(
        [*"/.%\\?#:@~aZ09", "..", "%2e", "%2F", "%5c", "%00", "%0a", "http://", "\xe9"]
    ),
    max_size=12,
).map(lambda parts: "".join(parts).encode("latin-1"))


@pytest.mark.fault(205)
@given(TARGETS | TARGETS.map(lambda target: b"/" + target) | st.binary(max_size=40))
def test_a_path_is_safe_whatever_was_sent(target: bytes) -> None:
    try:
        path = path_of(target)
    except BadTarget:
        return
    assert not path.startswith(("/", "~"))
    assert "\\" not in path
    assert path.isprintable() or not any(ord(char) < 32 or 127 <= ord(char) < 160 for char in path)
    segments = path.removesuffix("/").split("/") if path else []
    assert not {"", ".", ".."} & set(segments)


@given(st.text(st.characters(exclude_categories=["C"]), min_size=1, max_size=50))
def test_what_is_escaped_once_comes_back(name: str) -> None:
    try:
        path = path_of(b"/a/" + quote(name, safe="").encode())
    except BadTarget:
        return
    assert path == f"a/{name}"


def test_a_resource_may_be_mounted_anywhere() -> None:
    assert path_of(b"/mirror/fedora/a/b", below=2) == "a/b"
    assert path_of(b"/mirror/fedora/", below=2) == ""
    assert path_of(b"/mirror/fedora", below=2) == ""
    with pytest.raises(BadTarget):
        path_of(b"/mirror/fedora//a", below=2)


@pytest.mark.fault(205, 210)
def test_a_long_target_is_refused() -> None:
    with pytest.raises(BadTarget) as caught:
        path_of(b"/" + b"a/" * LONGEST_TARGET)
    assert caught.value.status == 414


@pytest.mark.fault(225, 226)
@pytest.mark.parametrize(
    ("target", "text"),
    [
        (b"/a?token=s3cret", "/a"),
        (b"http://me:s3cret@host/a?b", "/a"),
        (b"/\x1b[2J\n", r"/\x1b[2J\n"),
        (b"/%1b", "/%1b"),
        (b"/" + b"a" * 5000, "/" + "a" * (LONGEST_TARGET - 1)),
    ],
)
def test_what_is_shown_of_a_target(target: bytes, text: str) -> None:
    assert shown(target) == text
