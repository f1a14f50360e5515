"""What came of a run, as facts."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from urllib3 import HTTPHeaderDict

from pulp_download.delivery import Delivery
from pulp_download.kept import Kept
from pulp_download.result import Result
from pulp_download.sources import Sources

if TYPE_CHECKING:
    from pulp_download.download import Download


def result_of(
    download: Download,
    got: Delivery | Kept,
    sources: Sources,
    started: float,
    stat: os.stat_result | None,
) -> Result:
    """Return the result of a run that ``started`` then and got this from its current source.

    ``stat`` is what the operating system says of the file.
    """
    size, digests, delivery = (
        got if isinstance(got, Kept) else (got.received, got.digests or {}, got)
    )
    url = sources.current.url
    shown = final_url = url.redacted
    if delivery is not None and delivery.opened.url is not url:
        final_url = delivery.opened.url.redacted
    return Result(
        download,
        shown,
        final_url.partition("?")[0],
        size,
        digests,
        delivery.opened.fields if delivery is not None else HTTPHeaderDict(),
        delivery.length_verified if delivery is not None else True,
        time.monotonic() - started,
        sources.history,
        got is not delivery,
        stat,
    )
