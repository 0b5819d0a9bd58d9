"""A study in pictures: how it went, what each field did, and all trials at once; inline SVG in the page's colors."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from facepoints.reports.html import Html
from facepoints.tuning.results import BEST_SHARE, Found, Tried
from facepoints.tuning.space import Choice, Range

_LEFT, _TOP = 46.0, 16.0


@dataclass(frozen=True)
class Scale:
    """Values of a field, or errors, as places from 0 to 1."""

    low: float
    high: float
    log: bool = False
    names: tuple[Any, ...] = ()

    def place(self, value: Any) -> float:
        """Where the value lies; what lies beyond an end is drawn at the end."""
        if self.names:
            return (self.names.index(value) + 0.5) / len(self.names) if value in self.names else 0.0
        low, high, at = (math.log(v) if self.log else v for v in (self.low, self.high, max(value, self.low)))
        return min(1.0, (at - low) / ((high - low) or 1.0))

    def ticks(self, about: int = 4) -> list[tuple[float, str]]:
        """(place, label) of some round values."""
        if self.names:
            return [(self.place(name), str(name)) for name in self.names]
        if self.log and self.high / self.low >= 8:
            powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            steps = (1,) if self.high / self.low > 300 else (1, 3)
            values = [step * 10.0**power for power in powers for step in steps]
        else:
            rough = (self.high - self.low) / about or 1.0
            power = 10.0 ** math.floor(math.log10(rough))
            step = next(power * m for m in (1, 2, 5, 10) if power * m >= rough)
            values = [step * i for i in range(math.ceil(self.low / step), math.floor(self.high / step + 1e-9) + 1)]
        return [(self.place(v), f"{v:.4g}") for v in values if self.low * 0.999 <= v <= self.high * 1.001]


def scale_of(domain: Range | Choice) -> Scale:
    """The scale of a field that is varied so."""
    if isinstance(domain, Choice):
        numbers = all(isinstance(value, int | float) for value in domain.values)
        return Scale(0, 1, names=tuple(sorted(domain.values, key=float)) if numbers else domain.values)
    return Scale(domain.low, domain.high, domain.log)


def errors_scale(found: Found) -> Scale:
    """From the lowest RMSE up to where most trials are: one that diverged must not flatten the others."""
    values = np.array([trial.rmse for trial in found.finished if trial.rmse is not None] or [0.0, 1.0])
    low, middle = float(values.min()), float(np.median(values))
    high = min(float(values.max()), low + max(4 * (middle - low), 0.2 * low))
    margin = 0.06 * ((high - low) or 1.0)
    return Scale(max(0.0, low - margin), high + margin)


def history(found: Found) -> Html:
    """RMSE of each trial in the order of their numbers, and the best so far."""
    errors = errors_scale(found)
    finished = [trial for trial in found.finished if trial.rmse is not None]
    last = max((trial.number for trial in finished), default=1) or 1
    order = Scale(-0.5, last + 0.5)
    frame = _Frame(760, 270, order, errors, "trial", "RMSE, px")
    best = math.inf
    steps: list[tuple[float, float]] = []
    for trial in finished:
        if trial.state == "complete" and trial.rmse is not None and trial.rmse < best:
            if steps:
                steps.append(frame.at(trial.number, best))
            best = trial.rmse
            steps.append(frame.at(trial.number, best))
    if steps:
        steps.append(frame.at(last, best))
    marks = [_line(steps, "line two")] + [_dot(frame, t.number, t, found) for t in finished]
    return frame.drawn(marks, "RMSE of each trial, and the best so far")


def curves(found: Found) -> Html:
    """RMSE over the epochs of each trial; the best one and the recipe as it is stand out."""
    errors = errors_scale(found)
    values = [value for trial in found.finished for value in trial.curve.values()]
    errors = Scale(errors.low, max(errors.high, float(np.percentile(values, 75)) if values else 1.0))
    frame = _Frame(760, 270, Scale(1, max(found.epochs, 2)), errors, "epoch", "RMSE, px")
    special = {t.number: css for t, css in ((found.first, "three"), (found.best, "two")) if t is not None}
    trials = sorted(found.finished, key=lambda trial: trial.number in special)
    marks = []
    for trial in trials:
        css = f"line {special[trial.number]}" if trial.number in special else "line one thin"
        marks.append(_line([frame.at(e, v) for e, v in trial.curve.items()], css, _told(trial)))
        if len(trial.curve) == 1:
            marks.append(_dot(frame, next(iter(trial.curve)), trial, found))
    return frame.drawn(marks, "RMSE over the epochs of each trial")


def slice_of(found: Found, field: str) -> Html:
    """RMSE of each trial over its value of one field."""
    scale, errors = scale_of(found.space[field]), errors_scale(found)
    frame = _Frame(380, 230, scale, errors, field, "RMSE, px")
    marks = []
    for trial in (t for t in found.finished if t.rmse is not None and field in t.values):
        # choices get a little room each, or their dots would hide each other
        aside = (trial.number * 0.618) % 1 - 0.5 if scale.names else 0.0
        marks.append(_dot(frame, trial.values[field], trial, found, aside=aside * 24 if len(scale.names) < 8 else 0))
    return frame.drawn(marks, f"RMSE over {field}")


def parallel(found: Found) -> Html:
    """Each trial as a line through its values, best ones in color: fields side by side, the RMSE last."""
    trials = [t for t in found.finished if t.rmse is not None and set(found.space) <= set(t.values)]
    scales = [(field, scale_of(domain)) for field, domain in found.space.items()] + [("RMSE, px", errors_scale(found))]
    width, top, base = max(420.0, 104.0 * len(scales)), 34.0, 290.0
    across = np.linspace(50, width - 34, len(scales)).tolist()
    limit = np.quantile([t.rmse for t in trials], BEST_SHARE) if trials else 0.0

    def line(trial: Tried) -> str:
        values = [trial.values[field] for field in found.space] + [trial.rmse]
        places = [
            (x, base - (base - top) * scale.place(v)) for x, (_, scale), v in zip(across, scales, values, strict=True)
        ]
        good = trial.rmse is not None and trial.rmse <= limit
        best = found.best is not None and trial.number == found.best.number
        return _line(places, "line two" if best else "line one" if good else "line six thin", _told(trial))

    marks = [line(t) for t in sorted(trials, key=lambda t: -(t.rmse or 0.0))]
    for i, (x, (name, scale)) in enumerate(zip(across, scales, strict=True)):
        marks.append(f'<line class="axis" x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{base}"/>')
        # neighbors' names take turns in height: they are wider than the gap
        marks.append(_text(x, 6 if i % 2 else 22, name, "middle", css="name"))
        for place, label in scale.ticks():
            marks.append(_text(x - 5, base - (base - top) * place + 4, label, "end", over_lines=True))
    return _svg(marks, width, base + 14, "All trials, each a line through its values", least=min(width, 900))


class _Frame:
    """Axes with ticks, and places in them."""

    def __init__(self, width: float, height: float, x: Scale, y: Scale, x_label: str, y_label: str) -> None:
        self.width, self.height, self.x, self.y = width, height, x, y
        self.words = x_label, y_label
        self.right, self.base = width - 8, height - 46

    def at(self, x: Any, y: float) -> tuple[float, float]:
        inner = (self.right - _LEFT - 20) * self.x.place(x)
        return _LEFT + 10 + inner, self.base - (self.base - _TOP) * self.y.place(y)

    def drawn(self, marks: Iterable[str], alt: str) -> Html:
        parts = []
        for place, label in self.y.ticks():
            y = self.base - (self.base - _TOP) * place
            parts.append(f'<line class="axis" x1="{_LEFT}" x2="{self.right}" y1="{y:.1f}" y2="{y:.1f}"/>')
            parts.append(_text(_LEFT - 6, y + 4, label, "end"))
        for i, (place, label) in enumerate(self.x.ticks(8 if self.width > 500 else 4)):
            x = _LEFT + 10 + (self.right - _LEFT - 20) * place
            many = len(self.x.names) > 5  # long words side by side: every other one a line lower
            parts.append(_text(x, self.base + 16 + (13 if many and i % 2 else 0), label, "middle"))
        parts.append(_text(self.right, self.base + 42, self.words[0], "end", css="name"))
        parts.append(_text(0, 4, self.words[1], "start", css="name"))
        return _svg(
            [*parts, *marks], self.width, self.height, alt, least=min(self.width, 560) if self.width > 500 else 0
        )


def _dot(frame: _Frame, x: Any, trial: Tried, found: Found, aside: float = 0.0) -> str:
    across, down = frame.at(x, trial.rmse or 0.0)
    best = found.best is not None and trial.number == found.best.number
    first = found.first is not None and trial.number == found.first.number
    color = "two" if best else "three" if first else "one"
    # a ring: a pruned trial's best epoch is no final result
    style = "fill:none;stroke:var(--one);stroke-width:1.5" if trial.state == "pruned" else ""
    place = f'cx="{across + aside:.1f}" cy="{down:.1f}" r="{5 if best or first else 4}"'
    return f'<circle class="{color}" style="{style}" {place}>{_title(_told(trial))}</circle>'


def _told(trial: Tried) -> str:
    values = ", ".join(f"{field} {value}" for field, value in trial.values.items())
    result = "" if trial.rmse is None else f"{trial.rmse:.3f} px"
    return f"trial {trial.number}, {trial.state}: {result} ({values})"


def _line(places: Sequence[tuple[float, float]], css: str, told: str = "") -> str:
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    return f'<polyline class="{css}" points="{points}">{_title(told)}</polyline>'


def _title(told: str) -> str:
    return f"<title>{html.escape(told)}</title>" if told else ""


def _text(x: float, y: float, words: str, anchor: str, css: str = "", over_lines: bool = False) -> str:
    kind = f' class="{css}"' if css else ""
    halo = ' style="paint-order:stroke;stroke:var(--ground);stroke-width:4px"' if over_lines else ""
    return f'<text{kind}{halo} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{html.escape(words)}</text>'


def _svg(parts: Iterable[str], width: float, height: float, alt: str, least: float = 0.0) -> Html:
    style = f"max-width:{width:.0f}px" + (f";min-width:{least:.0f}px" if least else "")
    view = f'viewBox="0 -10 {width:.0f} {height + 10:.0f}" style="{style}"'
    drawn = f'<svg class="chart" role="img" aria-label="{html.escape(alt)}" {view}>{"".join(parts)}</svg>'
    return Html(f'<div class="wide" tabindex="0">{drawn}</div>' if least else drawn)
