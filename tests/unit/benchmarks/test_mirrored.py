"""A comparison with mirrors, from the list to the figures."""

from pathlib import Path

from benchmarks.compare import measure
from benchmarks.job import Item, Job
from benchmarks.mirrored import MirrorList
from benchmarks.peers import US
from benchmarks.workloads import Workload
from tests.unit.benchmarks.fakes import contender


def test_figures_tell_what_each_mirror_served_and_the_share_of_the_ideal() -> None:
    workload = Workload("few", lambda quick: [25_000] * 4, 2,
                        mirrors=MirrorList((1_000_000, 0, 1_000_000)))  # fmt: skip
    figures = measure(workload, {US: contender("careless_at_mirrors")}, quick=True, rounds=1)
    assert figures["mirrors"] == [1.0, 0.0, 1.0]
    assert figures["ideal_files_per_second"] == 80  # 0.1 MB at 2 MB/s are 50 ms
    (row,) = figures["rows"]
    assert row["fault"] == ""
    assert row["mirror_shares"] == [0, 0, 1]
    assert row["times_the_ideal"] >= 2  # one mirror of two
    assert row["connections_opened"] == [4]


def test_a_job_is_the_same_in_the_contenders_process(tmp_path: Path) -> None:
    job = Job("http://a", (Item("file", 1, "00"),), "/nowhere", 2, mirrors=("http://a", "http://b"))
    job.save(tmp_path / "job")
    assert Job.load(tmp_path / "job") == job
    assert job.urls(job.items[0]) == ["http://a/file", "http://b/file"]
