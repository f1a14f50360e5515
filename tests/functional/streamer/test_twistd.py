"""The application for twistd that examples/ shows."""

from __future__ import annotations

import contextlib
import re
import signal
import sqlite3
import sys
from pathlib import Path

import pytest

from tests.functional.cli.command import ROOT, Command, finished, said
from tests.functional.cli.shelf import sha256
from tests.functional.streamer.served import Streamer
from tests.servers import FaultServer, reply


@pytest.mark.need("S1", "S3", "S8")
def test_twistd_runs_a_streamer_of_ones_own(
    command: Command, server: FaultServer, tmp_path: Path
) -> None:
    body = b"a file" * 1000
    database = tmp_path / "content.sqlite"
    with contextlib.closing(sqlite3.connect(database)) as content:
        content.execute("CREATE TABLE content (path, url, size, sha256)")
        for name in ("good", "bad"):
            row = (name, server.url(f"/{name}?key=1"), len(body), sha256(body))
            content.execute("INSERT INTO content VALUES (?, ?, ?, ?)", row)
        content.commit()
    server.on("/good", reply(200, body))
    server.on("/bad", reply(200, body[:-1] + b"!"))
    program = (sys.executable, "-c", "from twisted.scripts.twistd import run; run()")
    env = {"STREAMER_DATABASE": str(database), "STREAMER_LISTEN": "tcp:0:interface=127.0.0.1"}
    run = ("-n", "--pidfile=", "-y", ROOT / "examples/streamer.tac")
    with command.started(*run, env=env, program=program) as process:
        told = said(process, process.stdout, b"starting on").decode()
        port = re.search(r"starting on ([0-9]+)", told)
        assert port is not None
        streamer = Streamer(process, f"http://127.0.0.1:{port[1]}/", Path())
        assert streamer.get("/good")[::2] == (200, body)
        assert streamer.get("/bad").status == 502
        assert streamer.get("/unlisted").status == 404
        process.send_signal(signal.SIGTERM)
        assert finished(process).status == -signal.SIGTERM, "as twistd ends"
