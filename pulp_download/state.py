"""What was learnt about hosts, kept in a file from one run to the next.

Losing it costs some time and nothing else: a file that cannot be read or written is logged and left
alone. It holds names of hosts and numbers, no URL and no secret.
"""

from __future__ import annotations

import json
import logging
import os
import tempfile
import time
from contextlib import suppress
from typing import Any

from pulp_download.errors import InvalidURL
from pulp_download.hosts import Hosts
from pulp_download.urls import URL

log = logging.getLogger(__name__)

_VERSION = 1
# Seconds after which a host that was not asked is forgotten.
_FORGET_AFTER = 30 * 86_400.0
# Bytes; a file with thousands of hosts is a tenth of it.
_LARGEST = 10_000_000


def recall(path: str, hosts: Hosts) -> None:
    """Let hosts begin with what earlier runs learnt."""
    now = time.time()
    for name, facts in _read(path).items():
        with suppress(InvalidURL):
            hosts.recall(URL.parse(name).origin, facts, max(0.0, now - facts["at"]))


def remember(path: str, hosts: Hosts) -> None:
    """Write down what is known now, beside what other runs wrote about other hosts."""
    now = time.time()
    oldest = now - _FORGET_AFTER
    known = {name: facts for name, facts in _read(path).items() if facts["at"] > oldest}
    for origin, facts in hosts.remembered().items():
        known[str(origin)] = {**facts, "at": round(now)}
    try:
        _write(path, {"version": _VERSION, "hosts": known})
    except OSError as error:
        log.warning("cannot write what was learnt about hosts to %s: %s", path, error.strerror)


def _read(path: str) -> dict[str, dict[str, float]]:
    """Return the facts by origin; nothing where the file is none of ours."""
    try:
        with open(path, "rb") as file:
            state = json.loads(file.read(_LARGEST))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        log.warning("cannot read what was learnt about hosts from %s: %s", path, error)
        return {}
    if not isinstance(state, dict) or state.get("version") != _VERSION:
        return {}
    listed = state.get("hosts")
    if not isinstance(listed, dict):
        return {}
    return {name: facts for name, facts in listed.items() if _is_dated(facts)}


def _is_dated(facts: Any) -> bool:
    at = facts.get("at") if isinstance(facts, dict) else None
    return isinstance(at, (int, float)) and not isinstance(at, bool) and 0 <= at < 1e15


def _write(path: str, state: dict[str, Any]) -> None:
    folder = os.path.dirname(path) or "."
    descriptor, temporary = tempfile.mkstemp(prefix=".", suffix=".state", dir=folder)
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            json.dump(state, file, indent=1, sort_keys=True)
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise
