"""Small charts as inline SVG: they take the page's colors, light or dark, and stay sharp on paper."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facepoints.pages import Html, name

_SERIES = ("one", "two", "three")


def bars(values: Sequence[tuple[str, float]], *, unit: str = "", most: float | None = None, digits: int = 0) -> Html:
    """Horizontal bars, one for each (title, value), with the value beside it; `most` is a full bar."""
    top = most or max((value for _, value in values), default=1) or 1
    lines = "".join(
        f'<span class="name">{name(title).markup}</span><i><b style="width:{100 * value / top:.2f}%"></b></i>'
        f"<span>{value:,.{digits}f}{html.escape(unit)}</span>"
        for title, value in values
    )
    return Html(f'<div class="bars">{lines}</div>')


def histogram(series: Mapping[str, NDArray[np.floating[Any]]], *, alt: str, label: str = "", bins: int = 40) -> Html:
    """Outlines of the share of values in each bin, one for each series; the outermost 0.5 % either side are cut off."""
    series = {title: values[np.isfinite(values)] for title, values in series.items()}
    series = {title: values for title, values in series.items() if len(values)}
    if not series:
        return Html("")
    pooled = np.concatenate(list(series.values()))
    low, high = (float(end) for end in np.percentile(pooled, [0.5, 99.5]))
    if high <= low:
        low, high = low - 0.5, high + 0.5
    width, height, base = 380.0, 170.0, 132.0
    heights = {title: np.histogram(v, bins, (low, high))[0] / len(v) for title, v in series.items()}
    top = max(float(h.max()) for h in heights.values()) or 1.0
    across = np.linspace(6, width - 6, bins + 1)
    parts = []
    for css, counts in zip(_SERIES, heights.values(), strict=False):
        steps = [f"{across[0]:.1f},{base}"]
        for i, share in enumerate(counts.tolist()):
            y = base - (base - 24) * share / top
            steps += [f"{across[i]:.1f},{y:.1f}", f"{across[i + 1]:.1f},{y:.1f}"]
        parts.append(f'<polygon class="curve {css}" points="{" ".join([*steps, f"{across[-1]:.1f},{base}"])}"/>')
    parts.append(f'<line class="axis" x1="0" x2="{width}" y1="{base}" y2="{base}"/>')
    for tick in _ticks(low, high):
        x = 6 + (width - 12) * (tick - low) / (high - low)
        parts.append(f'<text x="{x:.1f}" y="{base + 16}" text-anchor="middle">{tick:g}</text>')
    parts.append(f'<text class="name" x="{width / 2}" y="{base + 34}" text-anchor="middle">{html.escape(label)}</text>')
    if len(series) > 1:
        x = 6.0
        for css, title in zip(_SERIES, series, strict=False):
            parts.append(f'<rect class="{css}" x="{x}" y="2" width="11" height="11" rx="2"/>')
            parts.append(f'<text x="{x + 16}" y="12">{html.escape(title)}</text>')
            x += 7 * len(title) + 40
    return _chart(parts, width, height, alt)


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers between low and high, about five."""
    rough = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * m for m in (1, 2, 5, 10) if power * m >= rough)
    return [round(i * step, 10) for i in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _chart(parts: Sequence[str], width: float, height: float, alt: str) -> Html:
    view = f'viewBox="0 0 {width:.0f} {height:.0f}" style="max-width:{width:.0f}px"'
    return Html(f'<svg class="chart" role="img" aria-label="{html.escape(alt)}" {view}>{"".join(parts)}</svg>')
