"""What nobody can do without."""

from benchmarks.job import package_sizes
from benchmarks.mirrored import MirrorList
from benchmarks.workloads import WORKLOADS, Workload


def workload(name: str) -> Workload:
    return next(workload for workload in WORKLOADS if workload.name == name)


def test_ideally_all_mirrors_are_busy_until_the_end() -> None:
    assert MirrorList((2_000_000, 0, 500_000)).ideal_seconds(5_000_000) == 2


def test_a_server_that_waits_has_an_ideal_too() -> None:
    waiting = Workload("waiting", lambda quick: [1], connections=64, delay=0.05)
    assert waiting.ideal_seconds(files=1280, size=1) == 1


def test_where_only_the_contender_decides_there_is_no_ideal() -> None:
    assert workload("small").ideal_seconds(files=5000, size=10**9) is None


def test_mirrors_take_some_seconds_and_quickly_a_few() -> None:
    whole, quick = (
        workload("mirrors").ideal_seconds(len(sizes), sum(sizes))
        for sizes in (package_sizes(2000), package_sizes(300))
    )
    assert whole is not None
    assert quick is not None
    assert 12 < whole < 20
    assert 2 < quick < 4


def test_of_two_lists_one_is_measured_only_by_its_name() -> None:
    assert workload("mirrors").by_default
    assert not workload("mirrors refusing").by_default
