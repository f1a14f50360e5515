"""Ways to a result that may have to wait: generators of what is waited for.

Whoever goes through one chooses how to wait: a thread of its own blocks, the helm does something
else meanwhile.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

from pulp_download.adapters.awaited import Awaited
from pulp_download.retries import Wait
from pulp_download.turns import Turn

Outcome = TypeVar("Outcome")

# One request: a Turn is for a place at its host, an Awaited for its answer.
Asking = Generator[Awaited | Turn, None, Outcome]
# Tries of it; a Wait is for the time at which the next one may begin.
Steps = Generator[Wait | Awaited | Turn, None, Outcome]
