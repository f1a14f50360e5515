"""A daemon that somebody else wrote, as a process of its own in a temporary folder (Linux)."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from tests.servers import ftp_kind
from tests.servers.ftp_kind import Protection
from tests.servers.program import OPEN_FOLDER, Program


class Daemon(Program):
    """A daemon as a process of its own; leaving the block ends it and all its sessions.

    It serves the files that are in ``root`` when it starts, by hard links: what is written into
    them later is seen, what is added is not.
    """

    def __init__(
        self,
        root: Path,
        *,
        protection: Protection = Protection.NONE,
        user: tuple[str, str] | None = None,
        rate: int | None = None,
        options: Mapping[str, str] | None = None,
    ) -> None:
        self.root = root
        self.protection = protection
        self.user = user
        self.rate = rate
        self.options = dict(options or {})
        self._undo = contextlib.ExitStack()

    @classmethod
    def why_not(cls, protection: Protection = Protection.NONE) -> str | None:
        if not cls.is_installed():
            return f"{cls.binary} is not installed: NOT tested against it"
        if os.geteuid() != 0:
            return f"{cls.binary} can only be started by root: NOT tested against it"
        return None

    def url(self, path: str = "/", *, scheme: str | None = None, userinfo: str = "") -> str:
        return ftp_kind.url(self.protection, self.port, path, scheme, userinfo)

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=OPEN_FOLDER)))
            folder.chmod(0o755)
            self._link_all(folder / "root")
            stack.enter_context(self.running(folder))
            self._undo = stack.pop_all()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._undo.close()

    def _link_all(self, place: Path) -> None:
        """Give the served folder a second place, whose parents the daemon's account may enter."""
        try:
            shutil.copytree(self.root, place, copy_function=os.link)
        except shutil.Error:  # links lead to no other file system
            shutil.rmtree(place)
            shutil.copytree(self.root, place)
        place.chmod(0o755)
