"""Contenders that do not verify are found out, by the real harness and a real server."""

from benchmarks.compare import measure
from benchmarks.peers import US
from benchmarks.probe import cheaters
from benchmarks.workloads import Workload
from tests.unit.benchmarks.fakes import contender

FEW = Workload("few", lambda quick: [1000] * 3, connections=2)


def test_who_lets_a_wrong_file_through_cheats_and_who_fails_or_leaves_it_out_does_not() -> None:
    contenders = {name: contender(name) for name in ("careless", "discreet", "late")}
    assert cheaters(contenders) == {"careless"}


def test_mirrors_are_looked_at_by_themselves() -> None:
    contenders = {US: contender("careless_at_mirrors"), "other": contender("careless_at_mirrors")}
    assert cheaters(contenders) == {US}  # the other is never given any


def test_a_cheater_is_marked_and_has_no_figures() -> None:
    contenders = {US: contender("discreet"), "careless": contender("careless")}
    figures = measure(FEW, contenders, cheaters={"careless"}, quick=True, rounds=1)
    honest, cheater = figures["rows"]
    assert honest["contender"] == "discreet"
    assert honest["we_are"] == 1
    assert cheater == {"contender": "careless", "fault": "CHEATS: does not verify"}


def test_a_file_that_is_not_there_is_noticed_after_the_round() -> None:
    with_a_gap = Workload("gap", lambda quick: [1000] * 3, connections=2, missing=3)
    figures = measure(with_a_gap, {US: contender("careless")}, quick=True, rounds=1)
    assert figures["rows"][0]["fault"] == "urllib.error.HTTPError: HTTP Error 404: Not Found"
