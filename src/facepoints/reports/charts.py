"""Small charts as inline SVG: they take the page's colors, light or dark, and stay sharp on paper."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facepoints.reports.html import Html, name

_SERIES = ("one", "two", "three", "four", "five", "six")
_WIDTH, _HEIGHT = 380.0, 236.0
_LEFT, _RIGHT, _BASE = 46.0, 372.0, 190.0  # the frame of a plot; what a legend takes is above it

Floats = NDArray[np.floating[Any]]
_Axis = Callable[[float], float]


@dataclass(frozen=True)
class Trace:
    """One series of a plot: y (m,) over x (m,), with the ends of each value's interval where there are some."""

    name: str
    x: Floats
    y: Floats
    low: Floats | None = None
    high: Floats | None = None
    dots: bool = False
    """dots, with intervals, joined by a thin line; otherwise just a line"""


@dataclass(frozen=True)
class Plot:
    """What is plotted, for `plot` on a page and for other ways to draw it."""

    title: str
    traces: tuple[Trace, ...]
    x_label: str
    y_label: str
    band: float | None = None
    """draw y = x, and a band of this share around it"""
    top: float | None = None
    """upper end of the y axis; it starts at 0"""

    def limits(self) -> tuple[float, float, float]:
        """Lowest x, highest x and highest y that have to be seen."""
        x = np.concatenate([trace.x for trace in self.traces])
        low, high = (float(x.min()), float(x.max())) if len(x) else (0.0, 1.0)
        y = [float(np.max(v)) for t in self.traces for v in (t.y, t.high) if v is not None and len(v)]
        if self.band is not None:
            low = 0.0
            y.append(high)
        if high <= low:
            low, high = low - 0.5, high + 0.5
        return low, high, self.top or 1.06 * max([*y, 1e-9])


def plot(what: Plot) -> Html:
    """Lines or dots with intervals over numbers, y from 0; a legend where there are two series or more."""
    lowest, highest, top = what.limits()
    legend, head = _legend([trace.name for trace in what.traces]) if len(what.traces) > 1 else ([], 0.0)
    margin = 10.0 if any(trace.dots for trace in what.traces) else 0.0  # whole dots at the ends

    def across(x: float) -> float:
        return _LEFT + margin + (_RIGHT - _LEFT - 2 * margin) * (x - lowest) / (highest - lowest)

    def down(y: float) -> float:
        return head + _BASE - (_BASE - 12) * y / top

    parts = list(legend)
    for tick in _ticks(0, top):
        y = down(tick)
        parts.append(f'<line class="axis" x1="{_LEFT}" x2="{_RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>')
    for tick in _ticks(lowest, highest):
        parts.append(f'<text x="{across(tick):.1f}" y="{down(0) + 16:.1f}" text-anchor="middle">{tick:g}</text>')
    if what.band is not None:
        parts += _band(lowest, highest, what.band, top, across, down)
    for i, trace in enumerate(what.traces):
        parts += _trace(trace, i, across, down)
    words = html.escape(what.x_label), html.escape(what.y_label)
    parts.append(f'<text class="name" x="{_RIGHT}" y="{down(0) + 34:.1f}" text-anchor="end">{words[0]}</text>')
    parts.append(f'<text class="name" x="0" y="{head + 2:.1f}">{words[1]}</text>')
    return _chart(parts, _WIDTH, _HEIGHT + head, what.title, above=12)


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


def _legend(names: Sequence[str]) -> tuple[list[str], float]:
    """Colored words in as many lines as they take, and the height of these lines."""
    parts, x, y = [], 0.0, 2.0
    for i, title in enumerate(names):
        wide = 7.2 * len(title) + 40
        if x > 0 and x + wide > _WIDTH:
            x, y = 0.0, y + 17
        parts.append(f'<line class="line {_color(i)}" x1="{x}" x2="{x + 18}" y1="{y - 4}" y2="{y - 4}"/>')
        parts.append(f'<text x="{x + 23}" y="{y}">{html.escape(title)}</text>')
        x += wide
    return parts, y + 20


def _color(number: int) -> str:
    """The classes of the series with this number: six colors, then the same dashed."""
    return _SERIES[number % len(_SERIES)] + (" dashed" if number >= len(_SERIES) else "")


def _trace(trace: Trace, number: int, across: _Axis, down: _Axis) -> list[str]:
    color = _color(number)
    places = [(across(x), down(y)) for x, y in zip(trace.x.tolist(), trace.y.tolist(), strict=True)]
    thin = " thin" if trace.dots else ""
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    parts = [f'<polyline class="line {color}{thin}" points="{line}"/>'] if len(places) > 1 else []
    if trace.low is not None and trace.high is not None:
        for (x, _), low, high in zip(places, trace.low.tolist(), trace.high.tolist(), strict=True):
            ends = f'y1="{down(low):.1f}" y2="{down(high):.1f}"'
            parts.append(f'<line class="line {color}" x1="{x:.1f}" x2="{x:.1f}" {ends}/>')
    if trace.dots or len(places) == 1:
        parts += [
            f'<circle class="{_SERIES[number % len(_SERIES)]}" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>' for x, y in places
        ]
    return parts


def _band(low: float, high: float, share: float, top: float, across: _Axis, down: _Axis) -> list[str]:
    """The line y = x and what lies within a share of it, cut off at the frame's top."""
    upper = [(x, min((1 + share) * x, top)) for x in (low, min(high, top / (1 + share)), high)]
    lower = [(x, (1 - share) * x) for x in (high, low)]
    area = " ".join(f"{across(x):.1f},{down(y):.1f}" for x, y in [*upper, *lower])
    ends = f'x1="{across(low):.1f}" y1="{down(low):.1f}" x2="{across(high):.1f}" y2="{down(min(high, top)):.1f}"'
    return [f'<polygon class="band" points="{area}"/>', f'<line class="axis" {ends}/>']


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers between low and high, about five."""
    rough = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * m for m in (1, 2, 5, 10) if power * m >= rough)
    return [round(i * step, 10) for i in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _chart(parts: Sequence[str], width: float, height: float, alt: str, above: float = 0.0) -> Html:
    view = f'viewBox="0 {-above:.0f} {width:.0f} {height + above:.0f}" style="max-width:{width:.0f}px"'
    return Html(f'<svg class="chart" role="img" aria-label="{html.escape(alt)}" {view}>{"".join(parts)}</svg>')
