"""nginx and Squid in front of a server here, by the very configurations that the pages show."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path
from typing import Self

import pytest

from tests.servers.program import HOST, OPEN_FOLDER, Program

SHOWN = Path(__file__).parents[2] / "docs/proxies"

_NGINX = """
{user}
worker_processes 1;
pid {folder}/pid;
error_log {folder}/error.log info;
daemon off;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    {shown}
}}
"""

_SQUID = """
pid_filename {folder}/pid
coredump_dir {folder}
cache_log {folder}/cache.log
access_log none
cache_store_log none
netdb_filename none
pinger_enable off
shutdown_lifetime 0 seconds
visible_hostname {host}
{user}
{shown}
"""


class Front(Program):
    """A proxy for the server at ``behind``; leaving the block ends it.

    ``edits`` are replacements in the configuration that the pages show, ``listens`` is how it
    listens, behind the port.
    """

    def __init__(self, behind: int, *, edits: dict[str, str] | None = None, listens: str = ";"):
        self.behind = behind
        self.edits = edits or {}
        self.listens = listens
        self._undo = contextlib.ExitStack()

    def url(self, path: str) -> str:
        scheme = "http" if self.listens == ";" else "https"
        return f"{scheme}://{HOST}:{self.port}{path}"

    def __enter__(self) -> Self:
        if not self.is_installed():
            pytest.skip(f"{self.binary} is not installed: NOT tested behind it")
        with contextlib.ExitStack() as stack:
            self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=OPEN_FOLDER)))
            self.folder.chmod(0o777)  # its workers may be somebody else
            stack.enter_context(self.running(self.folder))
            self._undo = stack.pop_all()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._undo.close()

    def shown(self, *replaced: tuple[str, str]) -> str:
        """Return what the pages show, for the ports here; what is to be replaced must be there."""
        text = (SHOWN / f"{self.binary}.conf").read_text()
        for old, new in (*replaced, *self.edits.items()):
            assert old in text, old
            text = text.replace(old, new.replace("{folder}", str(self.folder)))
        return text


class Nginx(Front):
    binary = "nginx"

    def command(self, folder: Path) -> list[str]:
        config = folder / "nginx.conf"
        shown = self.shown(
            ("127.0.0.1:8080", f"{HOST}:{self.behind}"),
            ("listen 80;", f"listen {HOST}:{self.port} {self.listens}"),
        )
        user = "user root;" if os.geteuid() == 0 else ""
        config.write_text(_NGINX.format(folder=folder, user=user, shown=shown))
        return ["-e", str(folder / "error.log"), "-c", str(config)]


class Squid(Front):
    binary = "squid"

    def command(self, folder: Path) -> list[str]:
        config = folder / "squid.conf"
        shown = self.shown(
            ("127.0.0.1 parent 8080", f"{HOST} parent {self.behind}"),
            ("http_port 80 ", f"http_port {HOST}:{self.port} "),
        )
        user = "cache_effective_user proxy" if os.geteuid() == 0 else ""
        config.write_text(_SQUID.format(folder=folder, user=user, host=HOST, shown=shown))
        # one process, in the foreground
        return ["-N", "-f", str(config)]
