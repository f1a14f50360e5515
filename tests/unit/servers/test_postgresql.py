"""The tests' PostgreSQL server, and that nothing of it stays."""

import os
import select
import shutil
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from tests.servers.postgresql import PASSWORD, USER, PostgreSQL

ROOT = Path(__file__).parents[3]

installed = pytest.mark.skipif(PostgreSQL.why_not() is not None, reason=str(PostgreSQL.why_not()))


def test_each_database_is_empty_and_goes(postgresql: PostgreSQL) -> None:
    with postgresql.database() as one, postgresql.database() as other:
        assert one != other
        names = [url.partition("?")[0].rpartition("/")[2] for url in (one, other)]
        found = postgresql.execute("SELECT datname FROM pg_database WHERE datname LIKE 'test_%'")
        assert {name for (name,) in found} >= set(names)
    found = postgresql.execute("SELECT datname FROM pg_database WHERE datname LIKE 'test_%'")
    assert not {name for (name,) in found} & set(names)


def test_the_password_is_asked_for(postgresql: PostgreSQL) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(host=str(postgresql.folder), user=USER, password="no", dbname="postgres")


def test_missing_programs_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tests.servers.postgresql.VERSIONS", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert PostgreSQL.why_not() == "PostgreSQL's initdb is not installed: NOT tested against it"


def test_the_newest_of_several_versions_is_taken(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tests.servers.postgresql.VERSIONS", tmp_path)
    monkeypatch.setenv("PATH", "/nowhere")
    for version in ("9.6", "15", "16"):
        (tmp_path / version / "bin").mkdir(parents=True)
        (tmp_path / version / "bin" / "initdb").touch(mode=0o755)
    assert PostgreSQL.program("initdb") == f"{tmp_path}/16/bin/initdb"


@installed
def test_nothing_is_left_of_a_server_that_had_clients() -> None:
    with PostgreSQL() as server:
        folder = server.folder
        (pid,) = {row[0] for row in server.execute("SELECT pg_backend_pid()")}
        client = psycopg.connect(host=str(folder), user=USER, password=PASSWORD, dbname="postgres")
        backend = client.info.backend_pid
    client.close()
    assert not folder.exists()
    assert not any(Path(f"/proc/{process}").exists() for process in (pid, backend))


@installed
def test_the_server_ends_with_a_test_process_that_is_killed() -> None:
    code = """
import os, signal
from tests.servers.postgresql import PostgreSQL
server = PostgreSQL().__enter__()
print(server.folder, server._lock_file()[0], flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        timeout=50,
    )
    folder, pid = done.stdout.split()
    try:
        process = os.pidfd_open(int(pid))
    except ProcessLookupError:
        pass  # it has ended already
    else:
        ended, _, _ = select.select([process], [], [], 30)
        os.close(process)
        assert ended
    shutil.rmtree(folder)
