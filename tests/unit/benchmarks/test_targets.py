"""How targets are judged."""

from typing import Any

from benchmarks import books, cancel, memory, startup, streamer
from benchmarks.targets import TARGETS, judged


def row(contender: str, *seconds: float, opened: list[int] | None = None) -> dict[str, Any]:
    return {
        "contender": contender,
        "fault": "",
        "seconds": list(seconds),
        "connections_opened": opened,
    }


def workload(name: str, *rows: dict[str, Any], ideal: float | None = None) -> dict[str, Any]:
    return {"workload": name, "files": 1000, "ideal_files_per_second": ideal, "rows": list(rows)}


def report(*workloads: dict[str, Any], **figures: dict[str, Any]) -> dict[str, Any]:
    return {"comparisons": list(workloads), "figures": figures}


def verdicts(found: dict[str, Any]) -> dict[str, str]:
    return {row["target"]: row["verdict"] for row in judged(found)}


PYTHON_PEERS = ("urllib3", "requests loop", "httpx", "aiohttp", "pooch", "pycurl")


def just_good_enough() -> dict[str, Any]:
    found = report(
        workload("small", row("pulp_download", 1), row("requests loop", 5), row("aiohttp", 1.3),
                 row("aria2c", 1)),
        workload("tiny", row("pulp_download", 1), row("requests loop", 5), row("aiohttp", 1.1)),
        workload("large", row("pulp_download", 1), *(row(peer, 0.95) for peer in PYTHON_PEERS),
                 row("aria2c", 2)),
        workload("latency", row("pulp_download", 1), ideal=1000 / 0.9),
        workload("TLS small", row("pulp_download", 1), row("requests loop", 4)),
        workload("404 storm", row("pulp_download", 1.25, opened=[8])),
        workload("ftp small", row("pulp_download", 1), row("requests-ftp", 3), row("aria2c", 1)),
        workload("mirrors", row("pulp_download", 1.25), row("aria2c", 1.26), row("librepo", 1.26),
                 ideal=1000),
        memory={memory.COUNT: 1_000_000, memory.GROWTH: 9.99, memory.PER_CONNECTION: 0.499},
        cancel={cancel.MEDIAN: 0.3},
    )  # fmt: skip
    found["figures"]["start-up"] = {startup.IMPORT: 1.5, startup.SINGLE_FILE: 1.5}
    found["figures"]["books"] = {books.BOOKS: 24.9}
    found["figures"]["streamer large"] = {streamer.LARGE_RATIO: 2}
    found["figures"]["streamer small"] = {streamer.SMALL_RATIO: 3}
    found["figures"]["streamer first byte"] = {streamer.FIRST_BYTE: 5}
    return found


def test_a_run_that_is_just_good_enough_meets_every_target() -> None:
    assert verdicts(just_good_enough()) == {target.name: "met" for target in TARGETS}


def test_what_is_not_in_the_figures_is_not_measured() -> None:
    assert set(verdicts(report()).values()) == {"not measured"}


def test_a_bound_holds_for_the_figure_and_not_for_what_is_shown_of_it() -> None:
    (found,) = (
        row
        for row in judged(
            report(workload("small", row("pulp_download", 1), row("aiohttp", 1.09996)))
        )
        if row["target"] == "small: against aiohttp"
    )
    assert found == {
        "target": "small: against aiohttp",
        "wanted": ">= 1.1",
        "found": 1.1,
        "unit": "x",
        "verdict": "NOT met",
        "note": "",
    }


def test_ratios_are_of_medians() -> None:
    ours, theirs = row("pulp_download", 1, 1, 90), row("aiohttp", 1.3, 1.4, 0.1)
    assert (
        verdicts(report(workload("small", ours, theirs)))["small: against aiohttp, then"] == "met"
    )


def test_a_peer_that_cheats_gives_no_ratio() -> None:
    cheater = {"contender": "aria2c", "fault": "CHEATS: does not verify"}
    found = verdicts(report(workload("large", row("pulp_download", 1), cheater)))
    assert found["large: against aria2c"] == "not measured"


def against_the_best(*rows: dict[str, Any]) -> tuple[str, str]:
    found = judged(report(workload("large", row("pulp_download", 1), *rows)))
    return next(
        (row["verdict"], row["note"])
        for row in found
        if row["target"] == "large: against the best Python peer"
    )


def test_the_fastest_of_several_peers_counts() -> None:
    rows = [row(peer, 3) for peer in PYTHON_PEERS if peer != "pycurl"]
    assert against_the_best(*rows, row("pycurl", 0.9)) == ("NOT met", "pycurl")


def test_the_best_of_those_that_are_there_may_show_a_miss_but_no_success() -> None:
    rows = [row(peer, 2) for peer in PYTHON_PEERS if peer not in ("httpx", "pycurl")]
    missing = "without httpx, without pycurl"
    assert against_the_best(*rows)[0] == "not measured"
    assert against_the_best(row("aiohttp", 0.5), *rows[:2])[0] == "NOT met"
    assert against_the_best(*rows)[1].endswith(missing)


def test_at_mirrors_who_is_only_as_fast_as_a_peer_does_not_meet_the_target() -> None:
    found = report(workload("mirrors", row("pulp_download", 1.26), row("aria2c", 1.26), ideal=1000))
    assert verdicts(found) == {target.name: "not measured" for target in TARGETS} | {
        "mirrors: time, against the ideal": "NOT met",
        "mirrors: against aria2c": "NOT met",
    }


def test_the_round_with_most_connections_counts() -> None:
    found = report(workload("404 storm", row("pulp_download", 1, 1, 1, opened=[8, 9, 8])))
    assert verdicts(found)["404 storm: connections opened"] == "NOT met"


def test_memory_that_grew_little_over_few_items_has_shown_nothing() -> None:
    name = "memory: growth from item 10,000 to 1,000,000"
    few = {memory.COUNT: 50_000, memory.GROWTH: 0.1}
    assert verdicts(report(memory=few))[name] == "not measured"
    assert verdicts(report(memory=few | {memory.GROWTH: 10}))[name] == "NOT met"
