"""nginx as an upstream or in front of one, and how many connections it has accepted."""

from __future__ import annotations

import http.client
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SETTINGS = """
{user}
worker_processes 1;
pid {work}/nginx.pid;
error_log {work}/error.log crit;
daemon off;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 1000000;
    client_body_temp_path {work}; proxy_temp_path {work}; fastcgi_temp_path {work};
    uwsgi_temp_path {work}; scgi_temp_path {work};
    server {{
        listen 127.0.0.1:{port}{tls};
        {certificate}
        {what}
    }}
    {status}
}}
"""

# The connection that asks stays open for as long as all contenders together may take.
_STATUS = """
    server {{
        listen 127.0.0.1:{port};
        keepalive_timeout 24h;
        location / {{ stub_status; }}
    }}
"""


# What a server in front of another is told first: to keep connections, and to write no files.
_PASS = """
        location / {{
            proxy_pass {url};
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_max_temp_file_size 0;
        }}
"""


def files_of(root: Path) -> str:
    """Have a folder served."""
    return f"root {root};"


def passed_on_from(url: str) -> str:
    """Have the answers of an upstream passed on."""
    return _PASS.format(url=url)


def is_installed() -> bool:
    return shutil.which("nginx") is not None


def counts() -> bool:
    """Tell whether this nginx was built with the module that counts connections."""
    done = subprocess.run(["nginx", "-V"], capture_output=True, text=True, check=False)
    return "http_stub_status_module" in done.stderr


def command(
    work: Path,
    what: str,
    *,
    port: int,
    status_port: int | None = None,
    certificate: tuple[Path, Path] | None = None,
) -> list[str]:
    """Write the configuration; return the command that serves ``what`` by it."""
    config = work / "nginx.conf"
    config.write_text(
        _SETTINGS.format(
            work=work,
            what=what,
            port=port,
            tls=" ssl" if certificate else "",
            certificate="ssl_certificate {}; ssl_certificate_key {};".format(*certificate)
            if certificate
            else "",
            status=_STATUS.format(port=status_port) if status_port else "",
            # A temporary folder is for its owner only, and nginx's own user is another.
            user="user root;" if os.geteuid() == 0 else "",
        )
    )
    return ["nginx", "-e", str(work / "error.log"), "-c", str(config)]


class Accepted:
    """How many connections an nginx has accepted.

    The connection that asks is opened once and is in the first answer, so the difference of two
    answers is what others opened in between, exactly.
    """

    def __init__(self, port: int):
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        self._connection.connect()
        self._connection.auto_open = 0  # to connect again would be counted

    def total(self) -> int:
        """Return the number since nginx began.

        nginx accepts one connection each time it looks around, so the number stands when it is the
        same twice: then none was waiting.
        """
        before, now = -1, self._ask()
        while now != before:
            before, now = now, self._ask()
        return now

    def close(self) -> None:
        self._connection.close()

    def _ask(self) -> int:
        self._connection.request("GET", "/")
        lines = self._connection.getresponse().read().decode().splitlines()
        # "Active connections: 1", "server accepts handled requests", "12 12 40"
        return int(lines[2].split()[0])


@contextmanager
def counting(port: int | None) -> Iterator[Accepted | None]:
    """Yield the count of connections, or None where there is no port to ask at."""
    if port is None:
        yield None
        return
    accepted = Accepted(port)
    try:
        yield accepted
    finally:
        accepted.close()
