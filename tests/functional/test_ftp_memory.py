"""Large files over FTP pass through, and are never held."""

from __future__ import annotations

from pathlib import Path

import pytest

from pulp_download import Download
from tests.functional.fetch import remote_for
from tests.functional.test_faults_sizes import little_memory
from tests.servers.ftp import (
    Command,
    FtpFaultServer,
    Session,
    begin_data,
    end_data,
    reply,
    steps,
)

BLOCK = bytes(range(256)) * 256


def large(server: FtpFaultServer, size: int) -> None:
    """Serve so many bytes under every name, without having them in memory."""

    def blocks(session: Session, command: Command) -> None:
        for _ in range(size // len(BLOCK)):
            session.send_data(BLOCK)

    server.on("SIZE", reply(f"213 {size}"))
    server.on("RETR", steps(begin_data(), blocks, end_data(), reply("226 Done.")))


@pytest.mark.need("I4")
@pytest.mark.need("S6")
@pytest.mark.parametrize(
    "size", [2**26, pytest.param(2**30, marks=pytest.mark.slow)], ids=["64 MiB", "1 GiB"]
)
@pytest.mark.parametrize("scheme", ["ftp", "implicit"])
def test_a_large_file_costs_less_than_two_megabytes(
    request: pytest.FixtureRequest, absent: Path, size: int, scheme: str
) -> None:
    server = request.getfixturevalue(scheme)
    server.publish("/small", b"x")
    with remote_for() as remote:
        Download(server.url("/small"), absent, remote=remote).run()  # loads what is loaded once
        large(server, size)
        with little_memory(2_000_000):
            assert Download(server.url("/large"), absent, remote=remote).run().size == size
        assert absent.stat().st_size == size
        with little_memory(2_000_000):
            received = 0
            with Download(server.url("/large"), remote=remote).iter_content() as content:
                for piece in content:
                    received += len(piece)
        assert received == size
    assert len(server.logins) == 1


def test_a_large_file_of_a_plain_session_passes_through_too(ftp: FtpFaultServer) -> None:
    large(ftp, 2**25)
    with remote_for() as remote:
        session = remote.session
        with (
            session.get(ftp.url("/large"), stream=True) as answer,
            little_memory(2_000_000),
        ):
            assert sum(len(piece) for piece in answer.iter_content(2**16)) == 2**25
