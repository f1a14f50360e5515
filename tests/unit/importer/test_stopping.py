"""Ending an importer's work from another thread."""

from __future__ import annotations

import pytest

from pulp_download.errors import Cancelled
from pulp_download.importer.stopping import Stopping


def test_what_goes_on_is_stopped_and_whatever_comes_is_refused() -> None:
    stopping, calls = Stopping(), []
    with stopping.of(lambda: calls.append("stopped")):
        stopping.stop()
    assert calls == ["stopped"]
    with pytest.raises(Cancelled):
        stopping.check()
    with pytest.raises(Cancelled), stopping.of(lambda: calls.append("never")):
        pytest.fail("entered")
    assert calls == ["stopped"]


def test_what_is_over_is_not_stopped() -> None:
    stopping, calls = Stopping(), []
    with stopping.of(lambda: calls.append("stopped")):
        pass
    stopping.stop()
    assert calls == []


def test_nothing_is_refused_before_anybody_asked() -> None:
    stopping = Stopping()
    stopping.check()
    with stopping.of(lambda: None):
        stopping.check()
