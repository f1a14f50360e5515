"""What is asked of upstream on behalf of one client."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from pulp_download.adapters.awaited import Awaited
from pulp_download.content import Content
from pulp_download.download import Download
from pulp_download.opening import Aside
from pulp_download.streamer.heads import Head


class Opening(Protocol):
    """An answer on its way, step by step or at once; see :class:`pulp_download.opening.Opening`."""

    def advance(self, on_block: Callable[[], None] | None = None) -> Content | Awaited | Aside:
        """Return the open answer or, with ``on_block`` only, what to wait for before going on."""
        ...

    def cancel(self) -> bool | None:
        """Stop it, begun or not, from any thread; None where only its download can be stopped."""
        ...

    def content(self) -> Content:
        """Return the open answer; blocks until it is there."""
        ...


class Question(Protocol):
    """A client's question; called in a pool's thread."""

    def find(self) -> Download:
        """Return what is to be opened."""
        ...

    def open(self, download: Download) -> Opening:
        """Return the way to the open answer, on which nothing has been done yet."""
        ...

    def head(self, content: Content) -> Head:
        """Return what the client is told before the body, and whether it gets one."""
        ...
