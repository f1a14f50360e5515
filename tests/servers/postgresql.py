"""A PostgreSQL server for the tests, in a temporary folder and without a port (Linux).

::

    with PostgreSQL() as server, server.database() as url:
        create_engine(url)

It listens on a socket in its own folder, so that no other program can be in its way, and asks for a
password, as a real one does. Nothing that it holds outlives the block; ``fsync`` is off.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import psycopg
from psycopg.sql import SQL, Identifier
from sqlalchemy import URL

from tests.servers import keeper

USER, PASSWORD = "keeper", "pa@ss/w:rd%"

# Where Debian has the programs, a folder a version; they are on nobody's PATH.
VERSIONS = Path("/usr/lib/postgresql")

# PostgreSQL refuses to run as root; the first of these accounts that there is runs it.
ACCOUNTS = ("postgres", "nobody")

# The folder of tests may be closed to that account, and a socket's path has 107 bytes at most.
OPEN_FOLDER = "/tmp"

# How often the server is asked whether it is ready, and how long until it is called broken, in
# seconds.
LOOK_EVERY = 0.01
STARTED_WITHIN = 30.0

# Where its lock file says how far it has come (src/include/utils/pidfile.h), from 0.
STATUS_LINE = 7

# What the disk need not survive, and what a server for a few tests need not have.
OPTIONS = {
    "listen_addresses": "",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "autovacuum": "off",
    "shared_buffers": "16MB",
    "max_connections": "40",
}


class PostgreSQL:
    """A server of its own; leaving the block ends it and whoever is connected to it."""

    def __init__(self) -> None:
        self.folder = Path()
        self._names = (f"test_{number}" for number in itertools.count(1))
        self._undo = contextlib.ExitStack()

    @classmethod
    def program(cls, name: str) -> str | None:
        """Where one of its programs is: on PATH, or else the newest of Debian's."""
        folders = sorted(VERSIONS.glob("*/bin"), key=_version, reverse=True)
        return shutil.which(name, path=":".join([os.environ.get("PATH", ""), *map(str, folders)]))

    @classmethod
    def why_not(cls) -> str | None:
        """Why it cannot be run here, or None."""
        for name in ("initdb", "postgres"):
            if cls.program(name) is None:
                return f"PostgreSQL's {name} is not installed: NOT tested against it"
        if os.geteuid() == 0 and shutil.which("setpriv") is None:
            return "root cannot run PostgreSQL without setpriv: NOT tested against it"
        return None

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=OPEN_FOLDER)))
            (self.folder / "password").write_text(PASSWORD)
            if os.geteuid() == 0:
                for path in (self.folder, self.folder / "password"):
                    os.chown(path, _account().pw_uid, _account().pw_gid)
            self._make()
            stack.enter_context(self._running())
            self._undo = stack.pop_all()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._undo.close()

    def url(self, database: str = "postgres", *, password: str = PASSWORD) -> str:
        """Return the URL of a database, as SQLAlchemy has it."""
        parts = URL.create(
            "postgresql+psycopg",
            USER,
            password,
            database=database,
            query={"host": str(self.folder)},
        )
        return parts.render_as_string(hide_password=False)

    @contextlib.contextmanager
    def database(self) -> Iterator[str]:
        """Make an empty database and yield its URL; it goes with all connections to it."""
        name = next(self._names)
        self.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
        try:
            yield self.url(name)
        finally:
            self.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))

    def execute(self, statement: Any, *values: object) -> list[tuple[Any, ...]]:
        """Execute a statement outside of any transaction; return the rows, if it has some."""
        with psycopg.connect(
            host=str(self.folder),
            user=USER,
            password=PASSWORD,
            dbname="postgres",
            autocommit=True,
        ) as connection:
            cursor = connection.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []

    def _make(self) -> None:
        command = [
            *_as_account(),
            *(str(self.program("initdb")), "--pgdata", str(self.folder / "data")),
            *("--username", USER, "--pwfile", str(self.folder / "password")),
            *("--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C", "--no-sync"),
        ]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise ChildProcessError(f"initdb: {done.stdout}{done.stderr}")

    @contextlib.contextmanager
    def _running(self) -> Iterator[None]:
        settings = [f"--{name}={value}" for name, value in OPTIONS.items()]
        command = [str(self.program("postgres")), "-D", str(self.folder / "data")]
        log = self.folder / "output"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [
                    *(sys.executable, "-IS", keeper.__file__, *_as_account(), *command),
                    *("-k", str(self.folder), *settings),
                ],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                cwd=self.folder,
                # a ctrl-C is for the tests, which then end the server
                start_new_session=True,
            )
        with process:  # which closes its standard input, and waits
            self._wait_until_ready(process, log)
            try:
                yield
            finally:
                # A "fast" shutdown; what the keeper would send waits for all clients to go.
                os.kill(int(self._lock_file()[0]), signal.SIGINT)

    def _wait_until_ready(self, process: subprocess.Popen[bytes], log: Path) -> None:
        for _ in range(int(STARTED_WITHIN / LOOK_EVERY)):
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(LOOK_EVERY)
                raise ChildProcessError(f"postgres: {log.read_text(errors='replace')}")
            lines = self._lock_file()
            if len(lines) > STATUS_LINE and lines[STATUS_LINE].strip() == "ready":
                return
        raise TimeoutError(f"PostgreSQL is not ready after {STARTED_WITHIN} s")

    def _lock_file(self) -> list[str]:
        try:
            return (self.folder / "data" / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return []


def _version(folder: Path) -> tuple[int, ...]:
    return tuple(int(part) for part in folder.parent.name.split(".") if part.isdecimal())


def _account() -> pwd.struct_passwd:
    for name in ACCOUNTS:
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise LookupError(f"there is none of the accounts {ACCOUNTS}")


def _as_account() -> list[str]:
    """What to begin a command with so that it does not run as root."""
    if os.geteuid() != 0:
        return []
    account = _account()
    ids = [f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"]
    return ["setpriv", *ids, "--"]
