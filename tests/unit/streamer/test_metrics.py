"""What is counted of requests."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pulp_download.errors import DigestMismatch, Truncated
from pulp_download.streamer.metrics import Metrics
from pulp_download.streamer.served import Served

SERVED = Served("::1", "GET", "/a", "HTTP/1.1", 200, 100, 0.03, 0.2, None, True)


def served(status: int = 200, **facts: Any) -> Served:
    return replace(SERVED, status=status, **facts)


def numbers(metrics: Metrics) -> dict[str, float]:
    lines = metrics.text().decode().splitlines()
    pairs = (line.rpartition(" ") for line in lines if not line.startswith("#"))
    return {name: float(value) for name, _, value in pairs}


def test_all_numbers_are_there_from_the_start() -> None:
    told = Metrics().text().decode()
    for name, kind in {
        "pulp_download_requests_total": "counter",
        "pulp_download_bytes_total": "counter",
        "pulp_download_upstream_seconds": "histogram",
        "pulp_download_validation_failures_total": "counter",
        "pulp_download_open_streams": "gauge",
    }.items():
        assert f"# TYPE {name} {kind}\n" in told
    assert Metrics.content_type.startswith("text/plain")


def test_requests_are_counted_by_status_and_bytes_in_all() -> None:
    metrics = Metrics()
    for each in (served(), served(), served(404, sent=28, upstream_seconds=None)):
        metrics(each)
    told = numbers(metrics)
    assert told['pulp_download_requests_total{code="200"}'] == 2
    assert told['pulp_download_requests_total{code="404"}'] == 1
    assert told["pulp_download_bytes_total"] == 228


def test_upstreams_time_is_counted_where_it_answered() -> None:
    metrics = Metrics()
    for seconds in (0.03, 3.0, None):
        metrics(served(upstream_seconds=seconds))
    told = numbers(metrics)
    assert told["pulp_download_upstream_seconds_count"] == 2
    assert told["pulp_download_upstream_seconds_sum"] == 3.03
    assert told['pulp_download_upstream_seconds_bucket{le="0.05"}'] == 1


def test_only_wrong_bytes_are_validation_failures() -> None:
    metrics = Metrics()
    for error in (DigestMismatch("sha256", "00", "ff"), Truncated(1, 2), None):
        metrics(served(error=error, is_complete=False))
    assert numbers(metrics)["pulp_download_validation_failures_total"] == 1


def test_open_streams_are_asked_for_when_the_numbers_are_read() -> None:
    metrics = Metrics()
    streams = [1, 2]
    metrics.watch(lambda: len(streams))
    assert numbers(metrics)["pulp_download_open_streams"] == 2
    streams.clear()
    assert numbers(metrics)["pulp_download_open_streams"] == 0


def test_two_streamers_have_numbers_of_their_own() -> None:
    one, other = Metrics(), Metrics()
    one(served())
    assert numbers(other)["pulp_download_bytes_total"] == 0
