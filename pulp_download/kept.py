"""What stands at the target already, and is kept if it is the file."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import NamedTuple

from pulp_download.delivery import Delivery
from pulp_download.existing import verified_digests
from pulp_download.validations import Validation
from pulp_download.writers import Existing, Sink


class Kept(NamedTuple):
    """What stood at the target is the file: by its digests, or by what upstream answered."""

    size: int
    digests: dict[str, str]
    delivery: Delivery | None = None


def judged(
    existing: Existing, validations: Sequence[Validation], between: Callable[[], None]
) -> Kept | None:
    """Return it as kept if its digests say that it is the file; closes it."""
    try:
        digests = verified_digests(existing, validations, between)
        return None if digests is None else Kept(existing.size, digests)
    finally:
        existing.close()


def keep(sink: Sink) -> os.stat_result | None:
    """End a sink so that what stands at the target stays; return what the sink says of that."""
    if sink.is_lasting:
        sink.found()  # so that it goes with the sink
    sink.keep()
    sink.__exit__(None, None, None)
    return sink.stat
