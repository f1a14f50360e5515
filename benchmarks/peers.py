"""Who takes part: each contender's name, its module, and the version that is installed."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from importlib import import_module, metadata


@dataclass(frozen=True)
class Contender:
    """A downloader: its name in reports, a module with ``run(job)``, and how to ask its version."""

    name: str
    module: str
    version: Callable[[], str | None]  # None where it is not installed
    only_ftp: bool = False


def available(keys: Iterable[str]) -> dict[str, Contender]:
    """Return those of the named contenders that can run here."""
    return {key: CONTENDERS[key] for key in keys if CONTENDERS[key].version() is not None}


def versions() -> dict[str, str | None]:
    """Return what each contender says of its version, by its name in reports."""
    return {contender.name: contender.version() for contender in CONTENDERS.values()}


def distribution(name: str) -> str | None:
    """Return the version of a Python distribution."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def tool(name: str) -> str | None:
    """Return the first line that a command prints about itself."""
    return _first_line([name, "--version"]) if shutil.which(name) else None


def _pycurl() -> str | None:
    """Return pycurl's version with that of the library beneath, which does the work."""
    try:
        libcurl = import_module("pycurl").version_info()[1]
    except ImportError:
        return None
    return f"{distribution('pycurl')} with libcurl {libcurl}"


def _librepo() -> str | None:
    """Return librepo's version; its binding lives in the distribution's Python."""
    python = import_module("benchmarks.contenders.librepo_packages").PYTHON
    return _first_line([python, "-c", "import librepo; print(librepo.VERSION)"])


def _first_line(command: list[str]) -> str | None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return None
    lines = done.stdout.splitlines()
    return lines[0].strip() if lines and done.returncode == 0 else None


US = "ours"

_HERE = "benchmarks.contenders"

# By the name that --contenders takes.
CONTENDERS = {
    US: Contender("pulp_download", f"{_HERE}.ours", partial(distribution, "pulp_download")),
    "requests": Contender("requests loop", f"{_HERE}.requests_loop",
                          partial(distribution, "requests")),
    "urllib3": Contender("urllib3", f"{_HERE}.urllib3_pool", partial(distribution, "urllib3")),
    "httpx": Contender("httpx", f"{_HERE}.httpx_client", partial(distribution, "httpx")),
    "aiohttp": Contender("aiohttp", f"{_HERE}.aiohttp_client", partial(distribution, "aiohttp")),
    "pooch": Contender("pooch", f"{_HERE}.pooch_threads", partial(distribution, "pooch")),
    "pycurl": Contender("pycurl", f"{_HERE}.pycurl_threads", _pycurl),
    "aria2c": Contender("aria2c", f"{_HERE}.aria2c", partial(tool, "aria2c")),
    "curl": Contender("curl -Z", f"{_HERE}.curl_parallel", partial(tool, "curl")),
    "wget2": Contender("wget2", f"{_HERE}.wget2_input", partial(tool, "wget2")),
    "requests-ftp": Contender("requests-ftp", f"{_HERE}.requests_ftp_threads",
                              partial(distribution, "requests-ftp"), only_ftp=True),
    "wget": Contender("wget", f"{_HERE}.wget_processes", partial(tool, "wget"), only_ftp=True),
    "librepo": Contender("librepo", f"{_HERE}.librepo_packages", _librepo),
}  # fmt: skip
