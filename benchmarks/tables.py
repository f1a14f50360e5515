"""The figures as lines for a terminal."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any


def machine(head: Mapping[str, Any]) -> Iterator[str]:
    """Yield where and with what it was measured."""
    yield f"{head['cpu']}, {head['cores']} cores, {head['system']}"
    yield f"Python {head['python']}, {head['openssl']}, {head['nginx'] or 'no nginx'}"
    there = {name: version for name, version in head["contenders"].items() if version}
    yield ", ".join(f"{name} {_number(version)}" for name, version in there.items())
    if absent := [name for name in head["contenders"] if name not in there]:
        yield f"not installed: {', '.join(absent)}"
    yield f"load average at the start: {', '.join(f'{load:.2f}' for load in head['load'])}"


def _number(version: str) -> str:
    """Return the version's number out of all that a tool tells of itself."""
    found = re.search(r"\d+(\.\w+)+", version)
    return found[0] if found else version


def comparison(figures: Mapping[str, Any]) -> Iterator[str]:
    """Yield one workload's rows, the fastest first."""
    ideal = figures["ideal_files_per_second"]
    yield (
        f"{figures['workload']}: {figures['files']:,} files, {figures['megabytes']:,.1f} MB,"
        f" {figures['connections']} connections, {figures['upstream']}"
        + (f", ideal {ideal:,.0f} files/s" if ideal else "")
    )
    yield (
        f"  {'contender':15} {'files/s':>9} {'MB/s':>9} {'seconds':>15} {'we are':>8}"
        f" {'opened':>7} {'server CPU':>11}"
    )
    for row in figures["rows"]:
        yield f"  {row['contender']:15} {row['fault'] or _measured(row)}"
    if figures["mirrors"]:
        yield from _shares(figures)


def _measured(row: Mapping[str, Any]) -> str:
    times = f"{row['we_are']:.2f} x" if "we_are" in row else ""
    opened = row["connections_opened"]
    return (
        f"{row['files_per_second']:9,.1f} {row['mb_per_second']:9,.1f}"
        f" {_spread(row['seconds']):>15} {times:>8} {max(opened) if opened else '':>7}"
        f" {row['server_cpu_share']:>11.0%}"
    )


def _shares(figures: Mapping[str, Any]) -> Iterator[str]:
    """Yield what each mirror served of the files' bytes, beside what it could have."""
    rates = figures["mirrors"]
    heads = [f"{rate:g} MB/s" if rate else "dead" for rate in rates]
    yield f"  {'served':15} {_columns(heads)} {'in all':>9} {'x ideal time':>13}"
    yield f"  {'ideal':15} {_percents([rate / sum(rates) for rate in rates])} {1:13.2f}"
    for row in figures["rows"]:
        if not row["fault"]:
            yield (
                f"  {row['contender']:15} {_percents(row['mirror_shares'])}"
                f" {row['times_the_ideal']:13.2f}"
            )


def _percents(shares: Sequence[float]) -> str:
    return _columns([f"{share:.1%}" for share in [*shares, sum(shares)]])


def _columns(texts: Sequence[str]) -> str:
    return " ".join(f"{text:>9}" for text in texts)


def _spread(seconds: Sequence[float]) -> str:
    if len(seconds) == 1:
        return f"{seconds[0]:.2f}"
    return f"{min(seconds):.2f} to {max(seconds):.2f}"


def alone(name: str, figures: Mapping[str, Any]) -> Iterator[str]:
    """Yield one measurement of this project alone."""
    yield f"{name}:"
    for what, value in figures.items():
        shown = f"{value:,}" if isinstance(value, int) else value
        yield f"  {what:58} {shown}"


def targets(judged: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the targets: what was wanted, what was found, and the verdict."""
    yield f"{'target':46} {'wanted':>10} {'found':>12}  verdict"
    for row in judged:
        wanted = f"{row['wanted']} {row['unit']}".rstrip()
        found = "" if row["found"] is None else f"{row['found']:g} {row['unit']}".rstrip()
        note = f" ({row['note']})" if row["note"] else ""
        yield f"{row['target']:46} {wanted:>10} {found:>12}  {row['verdict']}{note}"
