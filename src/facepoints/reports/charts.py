"""Charts, drawn by matplotlib: as inline SVG for pages, or together as one PNG.

The SVG has no background and takes its colors from the variables of templates/style.css, so that it follows the light
or dark setting of the page. The same input gives the same bytes.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from facepoints.files import atomic_write

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLORS = ("#0072b2", "#d55e00", "#008c66", "#a3428a", "#a87600", "#69757f")
"""Colors of the series: Okabe and Ito's blue, vermillion and green ("Color Universal Design", 2008), and three more."""

_INK, _SOFT, _LINE = "#1d2328", "#545d66", "#dcdedb"
_VARIABLES = dict(
    zip(
        (*COLORS, _INK, _SOFT, _LINE),
        ["one", "two", "three", "four", "five", "six", "ink", "soft", "line"],
        strict=True,
    )
)
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "facepoints",
    "font.family": "DejaVu Sans",  # comes with matplotlib; wider than system fonts, so that their text fits, too
    "font.size": 10.0,
    "axes.edgecolor": _LINE,
    "axes.labelcolor": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.formatter.useoffset": False,
    "grid.color": _LINE,
    "grid.linewidth": 0.8,
    "xtick.color": _LINE,
    "ytick.color": _LINE,
    "xtick.labelcolor": _SOFT,
    "ytick.labelcolor": _SOFT,
    "text.color": _INK,
    "legend.frameon": False,
    "legend.fontsize": 9.0,
    "legend.labelcolor": _SOFT,
}
_WIDTH, _HEIGHT = 380.0, 250.0
_COLUMNS = 3  # of charts in a PNG

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Trace:
    """One series of a plot: y (m,) over x (m,), with the ends of the interval of each value where there are some."""

    name: str
    x: Floats
    y: Floats
    low: Floats | None = None
    high: Floats | None = None
    dots: bool = False
    """draw markers, joined by a thin line; otherwise just a line"""


@dataclass(frozen=True)
class Plot:
    """Lines or markers over numbers, with y from 0: `plot` draws it as SVG, `save_png` as PNG."""

    title: str
    traces: tuple[Trace, ...]
    x_label: str
    y_label: str
    band: float | None = None
    """draw y = x, and a band of this share around it"""
    top: float | None = None
    """upper end of the y axis"""


def plot(what: Plot) -> Markup:
    """The plot as SVG; with a legend where there are two series or more."""
    return draw(what.title, lambda axes: _draw_plot(axes, what))


def bars(values: Sequence[tuple[str, float]], *, unit: str = "", most: float | None = None, digits: int = 0) -> Markup:
    """Horizontal bars, one for each (title, value), with the value behind it; `most` is the end of the axis."""
    titles, lengths = [title for title, _ in values], [value for _, value in values]

    def fill(axes: Axes) -> None:
        places = range(len(values))
        drawn = axes.barh(places, lengths, color=COLORS[0], height=0.7)
        labels = [_plain(f"{value:,.{digits}f}{unit}") for value in lengths]
        axes.bar_label(drawn, labels, padding=4, color=_SOFT, fontsize=9)
        axes.set_yticks(places, [_plain(title) for title in titles])
        axes.tick_params(length=0, labelcolor=_INK)
        axes.set_xlim(0, 1.2 * (most or max(lengths, default=0) or 1))
        axes.set_ylim(len(values) - 0.4, -0.6)
        axes.xaxis.set_visible(False)
        axes.spines["bottom"].set_visible(False)

    return draw(f"bars: {', '.join(titles)}", fill, width=440, height=18 * len(values) + 14)


def histogram(series: Mapping[str, Floats], *, alt: str, label: str = "", bins: int = 40) -> Markup:
    """Share of values in each bin, one outline for each series; the outermost 0.5 % on either side are cut off."""
    series = {title: values[np.isfinite(values)] for title, values in series.items()}
    series = {title: values for title, values in series.items() if len(values)}
    if not series:
        return Markup("")
    low, high = np.percentile(np.concatenate(list(series.values())), [0.5, 99.5]).tolist()
    edges = np.linspace(low, high, bins + 1) if high > low else np.linspace(low - 0.5, high + 0.5, bins + 1)

    def fill(axes: Axes) -> None:
        for i, (title, values) in enumerate(series.items()):
            shares = np.histogram(values, edges)[0] / len(values)
            axes.stairs(shares, edges, fill=True, color=COLORS[i % 6], alpha=0.2)
            axes.stairs(shares, edges, color=COLORS[i % 6], linewidth=1.6, label=_plain(title))
        axes.set_xlabel(_plain(label))
        axes.set_ylim(bottom=0)
        axes.yaxis.set_visible(False)
        axes.spines["left"].set_visible(False)
        if len(series) > 1:
            _legend(axes)

    return draw(alt, fill, height=180)


def scatter(
    x: Floats, y: Floats, *, alt: str, x_label: str, y_label: str, highlight: NDArray[np.bool_] | None = None
) -> Markup:
    """Dots at x (m,), y (m,); those where `highlight` (m,) is true are drawn larger, in another color."""

    def fill(axes: Axes) -> None:
        axes.scatter(x, y, s=14, color=COLORS[0], linewidths=0)
        if highlight is not None:
            axes.scatter(x[highlight], y[highlight], s=34, color=COLORS[1], linewidths=0)
        axes.grid()
        axes.set_xlabel(_plain(x_label))
        axes.set_ylabel(_plain(y_label))

    return draw(alt, fill)


def draw(alt: str, fill: Callable[[Axes], None], *, width: float = _WIDTH, height: float = _HEIGHT) -> Markup:
    """SVG of what `fill` draws on empty axes; width and height in CSS px."""
    import matplotlib as mpl
    from matplotlib.figure import Figure  # no pyplot: no window system, no global state

    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(width / 72, height / 72), layout="constrained")
        fill(figure.subplots())
        return svg(figure, alt)


def svg(figure: Figure, alt: str) -> Markup:
    """The figure as an SVG element for a page, with `alt` as its label for screen readers."""
    content = io.BytesIO()
    unstated = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.savefig(content, format="svg", transparent=True, metadata=unstated)
    text = content.getvalue().decode("utf-8")
    view = re.search(r'viewBox="([^"]*)"', text)
    body = text[text.index(">", text.index("<svg")) + 1 :]
    body = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", body, flags=re.DOTALL)  # would apply to the whole page
    body = re.sub(r"<!--.*?-->", "", body, flags=re.DOTALL)
    body = re.sub(r'<g id="[^"]*"', "<g", body)  # the second chart of a page would repeat the names
    body = re.sub(r" font-family: [^;\"]*;", "", body)
    body = re.sub(r"font: (\d[\d.]*px)[^;\"]*", r"font-size: \1", body)
    body = re.sub(r' transform="rotate\(-0 [^"]*"|<g(?: [^>]*)?/>', "", body)
    body = re.sub(
        r"#[0-9a-f]{6}(?=[;\"])", lambda m: f"var(--{_VARIABLES[m[0]]})" if m[0] in _VARIABLES else m[0], body
    )
    body = re.sub(r">\s+<", "><", body)
    body = re.sub(r"base64,[^\"]*", lambda m: re.sub(r"\s", "", m[0]), body)
    own = hashlib.sha256((alt + body).encode()).hexdigest()[:8]
    body = re.sub(r'(id="|"#|url\(#)([mp][0-9a-f]{10})(?=[")])', rf"\g<1>\g<2>{own}", body)
    size = view[1] if view else f"0 0 {_WIDTH} {_HEIGHT}"
    start = Markup('<svg class="chart" role="img" aria-label="{}" viewBox="{}" style="max-width:{}px">')
    return start.format(alt, size, size.split()[2]) + Markup(body)


def save_png(plots: Sequence[Plot], path: Path, title: str) -> None:
    """Write the plots side by side, in rows of three, on white."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    rows, columns = -(-len(plots) // _COLUMNS), min(len(plots), _COLUMNS)
    with mpl.rc_context(STYLE), atomic_write(path) as temporary:
        figure = Figure(figsize=(4.6 * columns, 3.3 * rows + 0.4), layout="constrained", dpi=110)
        figure.suptitle(_plain(title))
        every = list(figure.subplots(rows, columns, squeeze=False).flat)
        for axes, what in zip(every, plots, strict=False):
            _draw_plot(axes, what)
        for axes in every[len(plots) :]:
            axes.set_axis_off()
        figure.savefig(temporary, format="png")


def _draw_plot(axes: Axes, what: Plot) -> None:
    if what.band is not None:
        ends = np.array([0.0, max((float(trace.x.max()) for trace in what.traces if len(trace.x)), default=1.0)])
        axes.fill_between(ends, (1 - what.band) * ends, (1 + what.band) * ends, color=_SOFT, alpha=0.15, linewidth=0)
        axes.plot(ends, ends, color=_SOFT, linewidth=1)
    handles: list[Any] = []
    for i, trace in enumerate(what.traces):
        color, style = COLORS[i % len(COLORS)], "-" if i < len(COLORS) else "--"
        label = _plain(trace.name)
        if trace.low is not None and trace.high is not None:
            reach = np.maximum(0, np.stack([trace.y - trace.low, trace.high - trace.y]))
            line: dict[str, Any] = {"fmt": "o-", "linewidth": 0.7, "elinewidth": 1.6, "markersize": 4}
            handles += [axes.errorbar(trace.x, trace.y, reach, color=color, label=label, **line)]
        else:
            marker = "o" if trace.dots or len(trace.x) == 1 else ""
            handles += axes.plot(
                trace.x, trace.y, marker=marker, markersize=4, linestyle=style, color=color, label=label
            )
    axes.set_ylim(0, what.top or None)
    axes.set_xlabel(_plain(what.x_label))
    axes.set_ylabel(_plain(what.y_label))
    axes.grid()
    axes.tick_params(length=0)
    if len(what.traces) > 1:
        _legend(axes, handles=handles)


def _legend(axes: Axes, **options: Any) -> None:
    """Above the axes, where it hides nothing."""
    options |= {"loc": "lower left", "bbox_to_anchor": (0, 1), "ncols": 2, "borderpad": 0}
    axes.legend(handlelength=1.4, columnspacing=1.2, **options)


def _plain(words: str) -> str:
    """Without the meaning that matplotlib gives to $."""
    return words.replace("$", r"\$")
