"""A program that somebody else wrote and that listens, as a process of its own (Linux)."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from tests.servers import keeper

HOST = "127.0.0.1"

# Where daemons are; an ordinary user's PATH need not have these.
SBIN = "/usr/local/sbin:/usr/sbin:/sbin"

# How often a program is asked whether it listens, and how long until it is called broken, in
# seconds. It tells nobody, and to connect would count as a session.
LOOK_EVERY = 0.01
STARTED_WITHIN = 10.0

# Programs serve as an account that may not enter the folders of whoever runs the tests.
OPEN_FOLDER = "/tmp"

# The port is free when it is chosen, and may be taken before the program has it.
TRIES = 3


class Program:
    """Something installed that listens at ``port``; a kind says its ``binary`` and ``command``."""

    binary: ClassVar[str]
    port = 0
    pid = 0

    @classmethod
    def path(cls) -> str | None:
        """Where the program is."""
        return shutil.which(cls.binary, path=f"{os.environ.get('PATH', '')}:{SBIN}")

    @classmethod
    def is_installed(cls) -> bool:
        return cls.path() is not None

    def command(self, folder: Path) -> list[str]:
        """Write what the daemon needs into ``folder``, and say how to start it in foreground."""
        raise NotImplementedError

    @contextlib.contextmanager
    def running(self, folder: Path) -> Iterator[None]:
        """Choose a port and have it run there; leaving the block ends it and all its children."""
        with contextlib.ExitStack() as stack:
            for attempt in range(1, TRIES + 1):
                self.port = free_port()
                try:
                    stack.enter_context(self._running(folder))
                    break
                except ChildProcessError:
                    if attempt == TRIES:
                        raise
            yield

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
