"""A daemon that somebody else wrote, as a process of its own in a temporary folder (Linux)."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import ClassVar, Self

from tests.servers import ftp_kind, keeper
from tests.servers.ftp_kind import HOST, Protection

# Where daemons are; an ordinary user's PATH need not have these.
SBIN = "/usr/local/sbin:/usr/sbin:/sbin"

# How often a daemon is asked whether it listens, and how long until it is called broken, in
# seconds. It tells nobody, and to connect would count as a session.
LOOK_EVERY = 0.01
STARTED_WITHIN = 10.0

# Daemons serve as an account that may not enter the folders of whoever runs the tests.
OPEN_FOLDER = "/tmp"

# The port is free when it is chosen, and may be taken before the daemon has it.
TRIES = 3


class Daemon:
    """A daemon as a process of its own; leaving the block ends it and all its sessions.

    It serves the files that are in ``root`` when it starts, by hard links: what is written into
    them later is seen, what is added is not.
    """

    binary: ClassVar[str]

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
        self.port = self.pid = 0
        self._undo = contextlib.ExitStack()

    @classmethod
    def path(cls) -> str | None:
        """Where the daemon's program is."""
        return shutil.which(cls.binary, path=f"{os.environ.get('PATH', '')}:{SBIN}")

    @classmethod
    def is_installed(cls) -> bool:
        return cls.path() is not None

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
            for attempt in range(1, TRIES + 1):
                self.port = free_port()
                try:
                    stack.enter_context(self._running(folder))
                    break
                except ChildProcessError:
                    if attempt == TRIES:
                        raise
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

    def command(self, folder: Path) -> list[str]:
        """Write what the daemon needs into ``folder``, and say how to start it in foreground."""
        raise NotImplementedError

    @contextlib.contextmanager
    def _running(self, folder: Path) -> Iterator[None]:
        program = self.path()
        assert program is not None
        log = folder / "output"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-IS", keeper.__file__, program, *self.command(folder)],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                # a ctrl-C is for the tests, which then end the daemon
                start_new_session=True,
            )
        self.pid = process.pid
        with process:  # which closes its standard input, and waits
            self._wait_until_it_listens(process, log)
            yield

    def _wait_until_it_listens(self, process: subprocess.Popen[bytes], log: Path) -> None:
        looks = int(STARTED_WITHIN / LOOK_EVERY)
        for _ in range(looks):
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(LOOK_EVERY)
                raise ChildProcessError(f"{self.binary}: {log.read_text(errors='replace')}")
            if is_listening(self.port):
                return
        raise TimeoutError(f"{self.binary} does not listen after {STARTED_WITHIN} s")


def free_port() -> int:
    with socket.create_server((HOST, 0)) as sock:
        port: int = sock.getsockname()[1]
        return port


def is_listening(port: int) -> bool:
    """Whether somebody listens on this TCP port, as the kernel's table has it."""
    listening = "0A"
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, _, state, *_ = line.split()
        if state == listening and int(local.rpartition(":")[2], 16) == port:
            return True
    return False
