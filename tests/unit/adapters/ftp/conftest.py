"""A scripted FTP server for one test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers.ftp import FtpFaultServer


@pytest.fixture
def ftp_server() -> Iterator[FtpFaultServer]:
    with FtpFaultServer() as server:
        yield server
