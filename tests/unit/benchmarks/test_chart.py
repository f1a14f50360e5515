"""The chart: one line per contender, whatever became of it."""

import xml.etree.ElementTree as ElementTree
from typing import Any

from benchmarks.chart import chart

SVG = "{http://www.w3.org/2000/svg}"


def figures(*rows: dict[str, Any], unit: str = "files/s") -> dict[str, Any]:
    return {
        "workload": "small",
        "unit": unit,
        "files": 5000,
        "megabytes": 78.4,
        "connections": 8,
        "ideal_files_per_second": None,
        "rows": list(rows),
    }


def texts(*comparisons: dict[str, Any]) -> list[str | None]:
    return [text.text for text in ElementTree.fromstring(chart(comparisons)).iter(f"{SVG}text")]


OURS = {"contender": "pulp_download", "fault": "", "files_per_second": 2507.4, "mb_per_second": 9.5}
THEIRS = {"contender": "peer", "fault": "", "files_per_second": 466.1, "mb_per_second": 1.77}


def test_each_contender_has_a_bar_and_its_value() -> None:
    assert texts(figures(OURS, THEIRS)) == [
        "small, in files/s: 5,000 files, 78 MB, over 8 connections",
        "pulp_download", "2,507", "peer", "466",
    ]  # fmt: skip


def test_large_files_are_compared_by_their_bytes() -> None:
    assert texts(figures(OURS, THEIRS, unit="MB/s"))[2::2] == ["9.5", "1.77"]


def test_a_cheater_has_no_bar_but_a_verdict() -> None:
    cheater = {"contender": "peer", "fault": "CHEATS: a < b"}
    assert texts(figures(OURS, cheater))[-2:] == ["peer", "CHEATS: a < b"]


def test_where_nobody_has_figures_there_is_a_chart_all_the_same() -> None:
    cheater = {"contender": "peer", "fault": "failed"}
    assert texts(figures(cheater))[1:] == ["peer", "failed"]
    assert texts() == []


def test_the_ground_is_the_charts_own() -> None:
    root = ElementTree.fromstring(chart([figures(OURS)]))
    ground = next(root.iter(f"{SVG}rect"))
    assert (ground.get("width"), ground.get("height")) == (root.get("width"), root.get("height"))
    assert ground.get("fill") == "#ffffff"
