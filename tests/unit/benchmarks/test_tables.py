"""Figures as lines."""

from typing import Any

from benchmarks import tables

MIRRORS: dict[str, Any] = {
    "workload": "mirrors",
    "files": 2000,
    "megabytes": 35.0,
    "connections": 16,
    "upstream": "3 mirrors",
    "ideal_files_per_second": 1000.0,
    "mirrors": [10.0, 0.0, 7.5],
    "rows": [
        {
            "contender": "pulp_download",
            "fault": "",
            "seconds": [2.5],
            "files_per_second": 800.0,
            "mb_per_second": 14.0,
            "server_cpu_share": 0.12,
            "connections_opened": [16],
            "times_the_ideal": 1.25,
            "mirror_shares": [0.55, 0.0, 0.47],
            "we_are": 1.0,
        },
        {"contender": "aria2c", "fault": "CHEATS: does not verify"},
    ],
}


def test_of_mirrors_it_is_told_what_each_has_served_and_what_was_fetched_for_nothing() -> None:
    assert list(tables.comparison(MIRRORS)) == [
        "mirrors: 2,000 files, 35.0 MB, 16 connections, 3 mirrors, ideal 1,000 files/s",
        "  contender         files/s      MB/s         seconds   we are  opened  server CPU",
        "  pulp_download       800.0      14.0            2.50   1.00 x      16         12%",
        "  aria2c          CHEATS: does not verify",
        "  served            10 MB/s      dead  7.5 MB/s    in all  x ideal time",
        "  ideal               57.1%      0.0%     42.9%    100.0%          1.00",
        "  pulp_download       55.0%      0.0%     47.0%    102.0%          1.25",
    ]
