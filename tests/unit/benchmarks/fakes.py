"""Contenders of the tests' own."""

from benchmarks.peers import Contender


def contender(name: str) -> Contender:
    return Contender(name, f"tests.unit.benchmarks.contenders.{name}", lambda: "1")
