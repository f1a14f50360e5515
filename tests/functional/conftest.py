"""Servers and targets for stories over real loopback connections."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.functional.fetch import OLD
from tests.servers import FaultServer, authority
from tests.servers.ftp import FtpFaultServer


@pytest.fixture
def server() -> Iterator[FaultServer]:
    """A server without TLS."""
    with FaultServer() as plain:
        yield plain


@pytest.fixture
def secure() -> Iterator[FaultServer]:
    """A server with TLS and a certificate that is trusted."""
    with FaultServer(tls=authority().server_context()) as encrypted:
        yield encrypted


@pytest.fixture(params=["plain", "tls"])
def either(request: pytest.FixtureRequest) -> FaultServer:
    """Each test twice, without TLS and with it."""
    name = "server" if request.param == "plain" else "secure"
    chosen = request.getfixturevalue(name)
    assert isinstance(chosen, FaultServer)
    return chosen


@pytest.fixture
def ftp() -> Iterator[FtpFaultServer]:
    """An FTP server without TLS."""
    with FtpFaultServer() as plain:
        yield plain


@pytest.fixture
def ftps() -> Iterator[FtpFaultServer]:
    """An FTP server that grants AUTH TLS with a certificate that is trusted."""
    with FtpFaultServer(tls=authority().server_context()) as encrypted:
        yield encrypted


@pytest.fixture
def implicit() -> Iterator[FtpFaultServer]:
    """An FTP server that speaks TLS from the first byte on."""
    with FtpFaultServer(tls=authority().server_context(), implicit=True) as encrypted:
        yield encrypted


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Where to download to; an earlier file is there."""
    folder = tmp_path / "downloads"
    folder.mkdir()
    path = folder / "file"
    path.write_bytes(OLD)
    return path


@pytest.fixture
def absent(target: Path) -> Path:
    """Where to download to; nothing is there yet."""
    target.unlink()
    return target
