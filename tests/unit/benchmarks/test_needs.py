"""What the benchmarks need is what the extra of their name installs."""

import subprocess
import sys
from importlib.metadata import PackageNotFoundError, packages_distributions, requires

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.functional.cli.command import ROOT

IMPORTED = """
import runpy, sys
before = set(sys.modules)
sys.argv = ["benchmarks", "--help"]
try:
    runpy.run_module("benchmarks", run_name="__main__")
except SystemExit:
    print(*sorted({name.partition(".")[0] for name in set(sys.modules) - before}))
"""


def requirements_of(name: str) -> list[str]:
    """Return what a distribution asks for; nothing for a peer that is not installed."""
    try:
        return requires(name) or []
    except PackageNotFoundError:
        return []


def installed_with(name: str, extra: str = "") -> set[tuple[str, str]]:
    """Return all that comes with a distribution, itself included, with each one's extras."""
    found: set[tuple[str, str]] = set()
    left = [(canonicalize_name(name), extra)]
    while left:
        found.add(one := left.pop())
        for text in requirements_of(one[0]):
            wanted = Requirement(text)
            if wanted.marker is None or wanted.marker.evaluate({"extra": one[1]}):
                for part in ("", *wanted.extras):
                    if (other := (canonicalize_name(wanted.name), part)) not in found:
                        left.append(other)
    return found


def test_whoever_asks_for_help_needs_nothing_else() -> None:
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED], cwd=ROOT, capture_output=True, text=True, check=True
    )
    *_, imported = done.stdout.splitlines()
    names = {name for name, _ in installed_with("pulp_download", "bench")}
    needed = {
        canonicalize_name(distribution)
        for package in imported.split()
        for distribution in packages_distributions().get(package, ())
    }
    assert needed - names == set()
    assert {"pyftpdlib", "sqlalchemy", "trustme"} <= needed
