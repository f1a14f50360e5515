"""A bar chart of comparisons, as SVG, for the documentation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from xml.sax.saxutils import escape

from benchmarks.peers import CONTENDERS, US

# Pixels: the height of a bar and the space below it, the names to its left, its greatest length,
# room for the value to its right, and the space around everything.
_BAR, _GAP, _NAMES, _LENGTH, _VALUES, _MARGIN = 16, 6, 120, 420, 90, 16

# Characters of a fault that fit beside a name.
_FITTING = 75

# Dark text on a ground of its own, so that the page behind may be of any colour. Ours differs from
# the others in brightness too, for those who do not see the hue.
_GROUND, _TEXT, _FAULT, _OURS, _OTHERS = "#ffffff", "#1f2933", "#a61b1b", "#1d5fa8", "#b8c4ce"

_FIGURES = {"files/s": "files_per_second", "MB/s": "mb_per_second"}


def chart(comparisons: Sequence[Mapping[str, Any]]) -> str:
    """Return one group of bars per workload; the longer a bar, the faster."""
    parts: list[str] = []
    y = _MARGIN
    for figures in comparisons:
        parts.append(_text(_MARGIN, y + 12, _title(figures), 'font-weight="bold"'))
        y += 24
        for bar in _bars(figures, y):
            parts.append(bar)
            y += _BAR + _GAP
        y += _MARGIN
    width = 2 * _MARGIN + _NAMES + _LENGTH + _VALUES
    height = max(y, 2 * _MARGIN)
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"'
        f' viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">\n'
        f'<rect width="{width}" height="{height}" fill="{_GROUND}"/>\n{body}\n</svg>\n'
    )


def _title(figures: Mapping[str, Any]) -> str:
    ideal = figures["ideal_files_per_second"]
    return (
        f"{figures['workload']}, in {figures['unit']}: {figures['files']:,} files,"
        f" {figures['megabytes']:,.0f} MB, over {figures['connections']} connections"
        + (f"; ideal: {ideal:,.0f}" if ideal else "")
    )


def _bars(figures: Mapping[str, Any], y: int) -> Iterator[str]:
    """Yield a line for each contender, with a bar or with what is wrong with it."""
    value_of = _FIGURES[figures["unit"]]
    most = max((row.get(value_of, 0) for row in figures["rows"]), default=0)
    left = _MARGIN + _NAMES
    for number, row in enumerate(figures["rows"]):
        top = y + number * (_BAR + _GAP)
        ours = row["contender"] == CONTENDERS[US].name
        weight = 'font-weight="bold"' if ours else ""
        name = _text(left - 6, top + 12, row["contender"], f'text-anchor="end" {weight}')
        if row["fault"]:
            yield name + _text(left, top + 12, row["fault"][:_FITTING], colour=_FAULT)
            continue
        length = _LENGTH * row[value_of] / most
        colour = _OURS if ours else _OTHERS
        yield (
            f'{name}<rect x="{left}" y="{top}" width="{length:.1f}" height="{_BAR}"'
            f' fill="{colour}"/>'
            + _text(round(left + length + 6), top + 12, _number(row[value_of]), weight)
        )


def _number(value: float) -> str:
    """Return a value with as many digits as mean something."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _text(x: int, y: int, text: str, attributes: str = "", *, colour: str = _TEXT) -> str:
    attributes = f" {attributes.strip()}" if attributes.strip() else ""
    return f'<text x="{x}" y="{y}" fill="{colour}"{attributes}>{escape(text)}</text>'
