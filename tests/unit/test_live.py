"""The runs that are under way, for those who hold a download only."""

import os

import pytest

from pulp_download.download import Download
from pulp_download.live import LiveRuns, live
from pulp_download.remote import Remote
from pulp_download.run import Run

URL = "http://host.invalid/a"


def test_the_runs_of_a_download_are_those_added_and_not_yet_discarded() -> None:
    with Remote() as remote:
        runs = LiveRuns()
        download, other = Download(URL), Download(URL)
        first, second, foreign = Run(download, remote), Run(download, remote), Run(other, remote)
        for run in (first, second, foreign):
            runs.add(run)
        assert set(runs.of(download)) == {first, second}
        runs.discard(first)
        assert runs.of(download) == (second,)
        assert runs.of(other) == (foreign,)


def test_discarding_twice_or_what_was_never_added_does_nothing() -> None:
    with Remote() as remote:
        runs = LiveRuns()
        run = Run(Download(URL), remote)
        runs.discard(run)
        runs.add(run)
        runs.discard(run)
        runs.discard(run)
        assert runs.of(run.download) == ()


def test_no_download_is_kept_when_its_runs_are_over() -> None:
    with Remote() as remote:
        runs = LiveRuns()
        run = Run(Download(URL), remote)
        runs.add(run)
        runs.discard(run)
        assert not runs._runs


@pytest.mark.fault(135)
def test_a_forked_child_has_no_runs() -> None:
    with Remote() as remote:
        run = Run(Download(URL), remote)
        live.add(run)
        try:
            child = os.fork()
            if child == 0:
                os._exit(len(live.of(run.download)))
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
            assert live.of(run.download) == (run,)
        finally:
            live.discard(run)
