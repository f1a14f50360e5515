"""What a streamer serves from."""

from __future__ import annotations

from typing import Protocol

from pulp_download.download import Download


class Supplier(Protocol):
    """Whoever knows what is listed, and how it is fetched: protocol, settings, credentials."""

    def get_download(self, path: str) -> Download:
        """Return the download of a listed file; raise NotFound or a LookupError if there is none.

        Called in a pool's thread, by several at once; it may block, and then holds up others for a
        fifth of a second at most. ``path`` is relative, decoded once, and safe: no ``.``, ``..`` or
        empty segments, no backslash, no control characters. It ends in ``/`` where a folder's page
        is asked for, and is empty for the root's.
        """
        ...
