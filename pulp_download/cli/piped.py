"""A manifest that is piped in."""

from __future__ import annotations

import sys
from io import BufferedReader

from pulp_download.cli.interruption import Interruption


class Piped:
    """Stdin; a signal ends the wait for its next bytes."""

    def __init__(self, interruption: Interruption):
        self._interruption = interruption

    def read(self, size: int = -1, /) -> bytes:
        stream = sys.stdin.buffer
        assert isinstance(stream, BufferedReader)
        with self._interruption.raising():
            return stream.read1(size)
