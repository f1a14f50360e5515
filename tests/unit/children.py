"""Child processes for what would change the test process itself: user, limits, umask."""

from __future__ import annotations

import os
import pickle
import traceback
from collections.abc import Callable
from typing import TypeVar, cast

Outcome = TypeVar("Outcome")

NOBODY = 65_534


def in_child(action: Callable[[], Outcome]) -> Outcome:
    """Return what ``action`` returns in a forked child; raises AssertionError if it raises."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            outcome = (True, action())
        except BaseException:
            outcome = (False, traceback.format_exc())  # type: ignore[assignment]
        with os.fdopen(write_end, "wb") as pipe:
            pipe.write(pickle.dumps(outcome))
        os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end, "rb") as pipe:
        answer = pipe.read()
    os.waitpid(child, 0)
    is_good, outcome = pickle.loads(answer)
    assert is_good, outcome
    return cast(Outcome, outcome)


def become_nobody() -> None:
    """Give up what no permission bits stop; the working directory stays reachable."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
