"""What was learnt about hosts, from one run to the next."""

from __future__ import annotations

import json
import logging
import os
import time
from pathlib import Path
from typing import Any

import pytest

from pulp_download import Remote, state
from pulp_download.errors import ServerFailed
from pulp_download.hosts import Hosts
from pulp_download.settings import Limits
from pulp_download.turns import Turn
from pulp_download.urls import Origin

A, B = Origin("http", "a.test", 80), Origin("https", "b.test", 8443)


class Transfer:
    delivered = 0


def hosts_that_failed(*origins: Origin, times: int = 2) -> Hosts:
    hosts = Hosts(Limits())
    for origin in origins:
        for _ in range(times):
            turn = Turn(hosts, Transfer())
            turn.take([hosts.at(origin)])
            turn.leave(ServerFailed(500))
    return hosts


def failures(path: Path, origin: Origin) -> float:
    hosts = Hosts(Limits())
    state.recall(str(path), hosts)
    return hosts.at(origin).score.failures


def test_what_one_run_learnt_the_next_one_knows(tmp_path: Path) -> None:
    path = tmp_path / "hosts.json"
    state.remember(str(path), hosts_that_failed(A, B))
    assert failures(path, A) == failures(path, B) == pytest.approx(2, rel=0.01)
    assert os.listdir(tmp_path) == ["hosts.json"]
    assert json.loads(path.read_text())["hosts"].keys() == {"http://a.test", "https://b.test:8443"}


def test_what_another_run_wrote_about_other_hosts_stays(tmp_path: Path) -> None:
    path = tmp_path / "hosts.json"
    state.remember(str(path), hosts_that_failed(A))
    state.remember(str(path), hosts_that_failed(B, times=1))
    assert failures(path, A) == pytest.approx(2, rel=0.01)
    assert failures(path, B) == pytest.approx(1, rel=0.01)


def test_a_host_that_was_not_asked_for_a_month_is_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "hosts.json"
    state.remember(str(path), hosts_that_failed(A))
    written = json.loads(path.read_text())
    written["hosts"]["http://a.test"]["at"] = time.time() - 31 * 86_400
    path.write_text(json.dumps(written))
    state.remember(str(path), hosts_that_failed(B))
    assert json.loads(path.read_text())["hosts"].keys() == {"https://b.test:8443"}


FACTS = {"bytes": 1, "busy": 1, "load": 1, "failures": 1, "at": 0}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff",
        b"[]",
        b"[" * 100_000,
        json.dumps({"version": 2, "hosts": {"http://a.test": FACTS}}).encode(),
        json.dumps({"version": 1, "hosts": []}).encode(),
        json.dumps({"version": 1, "hosts": {"nonsense": FACTS}}).encode(),
        json.dumps({"version": 1, "hosts": {"http://a.test": {**FACTS, "at": None}}}).encode(),
        json.dumps({"version": 1, "hosts": {"http://a.test": {**FACTS, "busy": "x"}}}).encode(),
    ],
)
def test_a_file_that_is_none_of_ours_is_passed_over_and_replaced(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "hosts.json"
    path.write_bytes(content)
    assert failures(path, A) == 0
    state.remember(str(path), hosts_that_failed(A))
    assert failures(path, A) == pytest.approx(2, rel=0.01)


def test_a_file_that_cannot_be_written_is_logged_and_nothing_fails(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        state.remember(str(tmp_path / "missing" / "hosts.json"), hosts_that_failed(A))
    (record,) = caplog.records
    assert "No such file" in record.getMessage()


def test_a_remote_recalls_at_its_beginning_and_remembers_at_its_end(tmp_path: Path) -> None:
    path = tmp_path / "hosts.json"
    state.remember(str(path), hosts_that_failed(A))
    settings: Any = {"state_file": str(path)}
    with Remote(**settings) as remote:
        assert remote.hosts.at(A).score.failures > 1.9
        turn = Turn(remote.hosts, Transfer())
        turn.take([remote.hosts.at(A)])
        turn.leave(ServerFailed(500))
    assert failures(path, A) > 2.9
