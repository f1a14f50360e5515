"""Every download's end is told once."""

from __future__ import annotations

import logging

import pytest

from pulp_download.download import Download
from pulp_download.errors import Cancelled, DownloadError
from pulp_download.events import Event, Finished
from pulp_download.importer.telling import Listed, Settled, Teller

DOWNLOAD = Download("https://host/a")


def test_an_end_that_a_run_told_is_not_told_again() -> None:
    heard: list[Event | Listed | Settled] = []
    tell = Teller(heard.append)
    told = Finished(DOWNLOAD, None, Cancelled(), 0.5)
    tell(told)
    tell.ended(DOWNLOAD, Cancelled())
    assert heard == [told]


def test_the_end_of_what_never_ran_is_told() -> None:
    heard: list[Event | Listed | Settled] = []
    tell = Teller(heard.append)
    error = Cancelled()
    tell.ended(DOWNLOAD, error)
    assert heard == [Finished(DOWNLOAD, None, error, 0.0)]


def test_a_bug_is_logged_and_told_as_a_failure(caplog: pytest.LogCaptureFixture) -> None:
    heard: list[Event | Listed | Settled] = []
    tell = Teller(heard.append)
    tell(Finished(DOWNLOAD, None, None, 0.1))  # a run that a bug has ended
    tell.ended(DOWNLOAD, ZeroDivisionError("secret"))
    last = heard[-1]
    assert isinstance(last, Finished)
    assert type(last.error) is DownloadError
    assert str(last.error) == "failed"
    assert caplog.records[0].levelno == logging.ERROR


def test_an_observer_that_raises_is_logged_once_and_dropped(
    caplog: pytest.LogCaptureFixture,
) -> None:
    calls = []

    def observer(event: object) -> None:
        calls.append(event)
        raise RuntimeError("broken")

    tell = Teller(observer)
    tell(Listed(1))
    tell(Listed(2))
    assert calls == [Listed(1)]
    assert len(caplog.records) == 1


def test_nobody_listening_is_no_trouble() -> None:
    tell = Teller(None)
    tell(Settled("a", "https://host/a", "present"))
    tell.ended(DOWNLOAD, Cancelled())
