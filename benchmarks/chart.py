"""A bar chart of a comparison, as SVG, for the documentation."""

from __future__ import annotations

from typing import Any
from xml.sax.saxutils import escape

_BAR, _GAP, _LEFT, _WIDTH = 16, 6, 120, 420


def chart(comparisons: list[dict[str, Any]]) -> str:
    """Return one group of bars per workload, each bar a contender's files per second."""
    parts: list[str] = []
    y = 10
    for figures in comparisons:
        rows = [row for row in figures["rows"] if not row["fault"]]
        most = max(row["files_per_second"] for row in rows)
        title = f"{figures['workload']}: files per second, {figures['connections']} connections"
        parts.append(f'<text x="0" y="{y + 12}" font-weight="bold">{escape(title)}</text>')
        y += 24
        for row in rows:
            length = _WIDTH * row["files_per_second"] / most
            colour = "#2a6fb0" if row["contender"] == "pulp_download" else "#b8c4ce"
            value = f"{row['files_per_second']:,.4g}"
            parts.append(
                f'<text x="{_LEFT - 6}" y="{y + 12}" text-anchor="end">'
                f"{escape(row['contender'])}</text>"
                f'<rect x="{_LEFT}" y="{y}" width="{length:.1f}" height="{_BAR}" fill="{colour}"/>'
                f'<text x="{_LEFT + length + 6:.1f}" y="{y + 12}">{value}</text>'
            )
            y += _BAR + _GAP
        y += 16
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_LEFT + _WIDTH + 80}" height="{y}"'
        f' font-family="sans-serif" font-size="12">\n{body}\n</svg>\n'
    )
