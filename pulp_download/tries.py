"""What is remembered of a try that failed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FailedTry:
    """One try that failed: where (redacted), with which status if any, and why."""

    url: str
    status: int | None
    type: str
    message: str
