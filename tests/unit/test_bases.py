"""The base URLs of a remote: the given ones, and those of its mirror list."""

from __future__ import annotations

import threading
import time

import pytest

from pulp_download.bases import Bases, as_bases
from pulp_download.errors import Cancelled, DownloadError, ManifestError, NotFound, TimedOut
from pulp_download.mirrors.mirror import Mirror

LIST = "http://list/mirrors"


def known(bases: Bases) -> list[str]:
    assert bases.known is not None
    return [str(mirror) for mirror in bases.known]


def test_without_a_list_the_given_ones_are_known_and_nobody_reads_anything() -> None:
    bases = as_bases(["http://a/r", "http://b/r/"], None, {})
    assert known(bases) == ["http://a/r/", "http://b/r/"]
    assert bases.are_there
    assert not bases.claim()


def test_a_base_is_a_folder_and_keeps_its_credentials_and_no_query() -> None:
    bases = as_bases(["http://me:secret@a/r?x=y", "http://b"], None, {})
    assert bases.known is not None
    first, second = bases.known
    assert first.absolute.target == "/r/"
    assert first.absolute.credentials is not None
    assert str(second) == "http://b/"
    assert not first.is_learnt


@pytest.mark.parametrize(
    ("given", "listed", "are_there"),
    [([], None, False), (["http://a"], None, True), ([], LIST, True)],
)
def test_it_is_known_whether_there_is_anything_to_be_relative_to(
    given: list[str], listed: str | None, are_there: bool
) -> None:
    assert as_bases(given, listed, {}).are_there is are_there


def test_a_list_is_not_known_before_it_was_read() -> None:
    bases = as_bases(["http://a/r"], LIST, {})
    assert bases.known is None
    assert bases.place == Mirror(LIST)


@pytest.mark.need("S5")
def test_what_a_list_names_comes_behind_what_was_given_and_each_once() -> None:
    bases = as_bases(["http://a/r"], LIST, {"releasever": "9"})
    assert bases.claim()
    bases.learn(b"# all\nhttp://b/$releasever/\nhttp://a/r/\nhttp://c/\nhttp://b/9/\n")
    assert known(bases) == ["http://a/r/", "http://b/9/", "http://c/"]
    assert bases.known is not None
    assert [mirror.is_learnt for mirror in bases.known] == [False, True, True]
    assert not bases.claim()


def test_only_a_list_that_is_a_local_file_may_name_local_files() -> None:
    document = b"file:///srv/mirror/\n"
    local, fetched = as_bases([], "file:///etc/mirrors", {}), as_bases([], LIST, {})
    local.learn(document)
    assert known(local) == ["file:///srv/mirror/"]
    with pytest.raises(ManifestError, match="may not name local files"):
        fetched.learn(document)
    assert fetched.known is None


@pytest.mark.parametrize("document", [b"", b"# nothing\n", b"nonsense", b"http://b/$nobody"])
def test_of_a_list_that_is_none_nothing_is_learnt(document: bytes) -> None:
    bases = as_bases(["http://a/r"], LIST, {})
    with pytest.raises(ManifestError):
        bases.learn(document)
    assert bases.known is None


def test_of_all_who_come_at_once_one_reads() -> None:
    bases, barrier, claims = as_bases([], LIST, {}), threading.Barrier(8), []

    def come() -> None:
        barrier.wait(10)
        claims.append(bases.claim())

    threads = [threading.Thread(target=come) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(claims) == [False] * 7 + [True]


@pytest.mark.parametrize("error", [NotFound(404), ManifestError("no mirror"), TimedOut("read", 1)])
def test_a_list_that_cannot_be_read_is_not_asked_for_again_for_half_a_minute(
    error: DownloadError, monkeypatch: pytest.MonkeyPatch
) -> None:
    bases, now = as_bases([], LIST, {}), 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    assert bases.claim()
    bases.failed(error)
    now += 29.9
    for _ in range(2):
        with pytest.raises(type(error)) as caught:
            bases.claim()
        assert caught.value is not error, "what one download adds is none of the next one's"
        assert caught.value.message == error.message
    now += 0.2
    assert bases.claim()
    assert not bases.claim()


@pytest.mark.parametrize("error", [Cancelled(), TimedOut("total", 1), KeyboardInterrupt()])
def test_whoever_was_stopped_leaves_the_reading_to_the_next(error: BaseException) -> None:
    bases = as_bases([], LIST, {})
    assert bases.claim()
    bases.failed(error)
    assert bases.claim()


def test_a_kept_error_holds_no_frames() -> None:
    bases = as_bases([], LIST, {})
    with pytest.raises(NotFound) as caught:
        raise NotFound(404)
    bases.failed(caught.value)
    assert caught.value.__traceback__ is None
