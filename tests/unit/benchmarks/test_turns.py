"""A contender's process, and what it leaves behind."""

import time
from pathlib import Path

from benchmarks.job import Job
from benchmarks.turns import take
from tests.unit.benchmarks.fakes import contender


def is_running(pid: str) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"  # an end that nobody has asked for yet


def test_who_takes_too_long_is_ended_with_its_tool(tmp_path: Path) -> None:
    job = Job("http://127.0.0.1:9", (), str(tmp_path / "destination"), 1)
    turn = take(contender("endless"), job, patience=1)
    assert turn.fault == "not done within 1 s"
    tool = (tmp_path / "destination" / "tool").read_text()
    deadline = time.monotonic() + 5
    while is_running(tool):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_last_line_of_a_complaint_is_the_fault(tmp_path: Path) -> None:
    job = Job("http://127.0.0.1:9", (), str(tmp_path), 1)  # a destination that is there already
    assert (
        take(contender("careless"), job).fault
        == (f"FileExistsError: [Errno 17] File exists: '{tmp_path}'"[:120])
    )
