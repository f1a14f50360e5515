"""FTP servers that others wrote, each serving one folder on a free loopback port.

``PyFtpd`` runs in a thread of this process, ``Vsftpd`` and ``Proftpd`` are the daemons, with their
TLS policy as their makers ship it: data connections must resume the control connection's session.
All are used with ``with``, and alike::

    with Vsftpd(folder, protection=Protection.EXPLICIT, user=("ftp", "secret")) as server:
        server.url("/a.bin", userinfo="ftp:secret")

A test begins with ``needs(Vsftpd)``, which skips it, with the reason, where the daemon is missing.
The certificate is one of ``tests.servers.authority()``.
"""

from __future__ import annotations

import pytest

from tests.servers.ftp_daemons import Proftpd, Vsftpd
from tests.servers.ftp_kind import HOST, Protection, RealServer
from tests.servers.ftp_pyftpd import PyFtpd

__all__ = ["HOST", "Proftpd", "Protection", "PyFtpd", "RealServer", "Vsftpd", "needs"]


def needs(kind: type[RealServer], protection: Protection = Protection.NONE) -> None:
    """Skip the test, with a plain reason, where the server cannot be run."""
    if reason := kind.why_not(protection):
        pytest.skip(reason)
