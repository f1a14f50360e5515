"""How a command ends: exit statuses."""

from __future__ import annotations

import signal
from enum import IntEnum


class Status(IntEnum):
    """Exit statuses. Never dependent on the order in which files end."""

    DONE = 0  # every file is there and verified
    FAILED = 1  # some failed
    USAGE = 2  # wrong usage, or a manifest that cannot be used
    HANGUP = 128 + signal.SIGHUP
    INTERRUPTED = 128 + signal.SIGINT
    CLOSED = 128 + signal.SIGPIPE  # nobody reads the output any more
    TERMINATED = 128 + signal.SIGTERM
