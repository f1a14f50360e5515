"""What has been learnt about a host: how much it carries, and how often it failed of late.

A score is evidence that fades. The speed of a host is the bytes that came from it, over the time in
which something was asked of it, name look-up, connecting and waiting included: a mirror that
connects fast and sends slowly is slow, and so is one that hangs. Nothing is known for ever: half of
what is known is forgotten in a minute, so that a bad host is tried again and a good one is not
trusted blindly.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

# Seconds in which evidence loses half of its weight; not measured.
_HALF_LIFE = 60.0
# Weight, in seconds, of the belief that an unknown host is as good as the best that is known: so
# much time may be spent without a byte before it counts as half as good.
_BENEFIT_OF_DOUBT = 0.5
# Seconds that are counted as a whole, as time in which something was asked or not.
_STEP = 0.05
# Failures in a row after which a host is rested, and for how long (seconds), doubled each time.
_PATIENCE = 4
_REST = 15.0
_LONGEST_REST = 600.0


class Measured(Protocol):
    """A transfer under way."""

    delivered: int


class Score:
    """One host's evidence. Used with the lock of its :class:`~pulp_download.hosts.Hosts` held.

    ``now`` is monotonic seconds everywhere.
    """

    __slots__ = (
        "_at",
        "_busy",
        "_bytes",
        "_counted",
        "_load",
        "_was_asked",
        "failures",
        "rested_until",
    )

    def __init__(self) -> None:
        self._at = 0.0
        self._bytes = self._busy = self._load = 0.0
        self._counted: dict[Measured, int] = {}  # of transfers under way, bytes already counted
        self._was_asked = False  # for something, since the last look
        self.failures = 0.0  # in a row; they fade too
        self.rested_until = 0.0

    def begin(self, transfer: Measured, now: float) -> None:
        """Take note of a transfer that begins."""
        if now - self._at > _STEP or not self._was_asked:  # what was idle stays so
            self._settle(now)
        self._counted[transfer] = transfer.delivered
        self._was_asked = True

    def end(self, transfer: Measured, now: float) -> None:
        """Take note of its end."""
        if now - self._at > _STEP:
            self._settle(now)
        before, received = self._counted.pop(transfer, 0), transfer.delivered
        self._bytes += received - before if received > before else 0

    def overlook(self, seconds: float, now: float) -> None:
        """Take back the time of a transfer that ended just now and says nothing about the host."""
        self._settle(now)
        share = seconds / (len(self._counted) + 1)  # the others were under way as well
        self._busy = max(0.0, self._busy - share)
        self._load = max(0.0, self._load - seconds)

    def succeeded(self) -> None:
        """Forget failures."""
        self.failures = 0.0
        self.rested_until = 0.0

    def failed(self, now: float, weight: int = 1) -> None:
        """Count a failure; after some in a row the host is rested for a while."""
        self._settle(now)
        self.failures += weight
        if self.failures > _PATIENCE - 0.5:
            rest = _REST * 2.0 ** min(max(0.0, self.failures - _PATIENCE), 10.0)
            self.rested_until = now + min(rest, _LONGEST_REST)

    def is_rested(self, now: float) -> bool:
        """Tell whether it is better left alone for now."""
        return now < self.rested_until

    def capacity(self, now: float) -> float | None:
        """Return bytes a second that the host carries in all, or None where little is known."""
        self._settle(now)
        return self._bytes / self._busy if self._busy > _BENEFIT_OF_DOUBT else None

    def expected_speed(self, now: float, prior: float) -> float:
        """Return bytes a second that one more transfer may expect.

        ``prior`` is what an unknown host is believed to carry.
        """
        self._settle(now)
        doubt = _BENEFIT_OF_DOUBT
        capacity = (self._bytes + prior * doubt) / (self._busy + doubt)
        usual_load = (self._load + doubt) / (self._busy + doubt)
        share = capacity / max(usual_load, len(self._counted) + 1)
        penalty: float = 2.0 ** min(self.failures, 20.0)
        return share / penalty

    def remembered(self, now: float) -> dict[str, float]:
        """Return the evidence as plain numbers; empty where there is none."""
        self._settle(now)
        if self._busy < _BENEFIT_OF_DOUBT and self.failures < 0.5:
            return {}
        facts = {"bytes": self._bytes, "busy": self._busy, "load": self._load}
        facts["failures"] = self.failures
        return {name: round(value, 3) for name, value in facts.items()}

    def recall(self, facts: dict[str, float], age: float, now: float) -> None:
        """Begin with the evidence of an earlier time, ``age`` seconds ago; nonsense is ignored."""
        numbers = [facts.get(name) for name in ("bytes", "busy", "load", "failures")]
        if not all(_is_amount(number) for number in numbers):
            return
        self._at = now
        self._bytes, self._busy, self._load = (float(number or 0) for number in numbers[:3])
        self._fade(age / _SLOWER)
        # One good try settles it; a rest is over after a while, and so is a restart's.
        self.failures = min(float(numbers[3] or 0), _PATIENCE - 1.0)

    def _settle(self, now: float) -> None:
        """Count what has passed and come since the last time."""
        passed, self._at = now - self._at, now
        counted = self._counted
        if self._was_asked:
            self._was_asked = bool(counted)
            self._busy += passed
            self._load += passed * max(1, len(counted))
            for transfer, before in counted.items():
                received = transfer.delivered
                if received != before:
                    # Another try's count begins at zero again.
                    self._bytes += received - before if received > before else received
                    counted[transfer] = received
        if self._busy or self.failures:
            self._fade(passed)

    def _fade(self, passed: float) -> None:
        weight = 0.5 ** (passed / _HALF_LIFE)
        self._bytes *= weight
        self._busy *= weight
        self._load *= weight
        self.failures *= weight


# Between two runs evidence fades this much more slowly: half of it in a day.
_SLOWER = 86_400.0 / _HALF_LIFE


def best_capacity(scores: Iterable[Score], now: float) -> float:
    """Return the most that one of these hosts is known to carry, in bytes a second."""
    known = [capacity for score in scores if (capacity := score.capacity(now)) is not None]
    return max(known, default=1.0) or 1.0


# More bytes or seconds than anything has; a larger one in a file is nonsense.
_MOST = 1e15


def _is_amount(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < _MOST
