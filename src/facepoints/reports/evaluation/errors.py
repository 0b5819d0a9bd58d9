"""The parts of the page that tell where a model errs, and whether it knows."""

from __future__ import annotations

import numpy as np

from facepoints.evaluation.calibration import TOLERANCE, Calibration
from facepoints.evaluation.error_breakdown import OUTLIER, PatternScore, PropertyScores
from facepoints.evaluation.result import Evaluation
from facepoints.reports.charts import Plot, Trace, plot
from facepoints.reports.html import Content, Html, Section, bold, figure, grid, heading, note, table, text

_MOSTLY = 0.5  # share of a pattern's points above which it is told by what is there


def hard_section(evaluation: Evaluation) -> Section:
    """RMSE along each scale, the one that costs most first, and by what is missing."""
    body = Html("")
    if evaluation.by_property:
        first = evaluation.by_property[0]
        body += note(
            bold(f"Most is to be gained by {first.title.split(',')[0].split(':')[0]}: "),
            f"faces that are {first.worst} cost most. {100 * first.excess:.0f} % of all squared error would go "
            "if every part of that scale were as good as its usual one.",
        )
        body += text(
            "Each dot is a part of equally many faces of a source, with its 95 % interval: where intervals do not "
            "overlap, the difference is hardly luck. Head turn: + to the picture’s right; roll: + clockwise. "
            + _left_out(evaluation.outliers),
            muted=True,
        )
        body += grid(
            (
                figure(plot(property_plot(one)), f"{100 * one.excess:.0f} % of the squared error")
                for one in evaluation.by_property
            ),
            least=300,
        )
    else:
        body += text("Too few faces were scored to tell hard ones from easy ones.")
    if len(evaluation.patterns) > 1:
        body += heading("By what is missing")
        body += text("Which points of a face somebody labeled tells who labeled it, and how hard it was.", muted=True)
        rows = [
            [_pattern(one, evaluation), f"{one.faces:,}", f"{one.rmse:.2f}", _interval(one)]
            for one in evaluation.patterns
        ]
        body += table(["labels", "faces", "RMSE, px", "95 % interval"], rows)
    return Section("Where it errs", body)


def calibration_section(evaluation: Evaluation) -> Section | None:
    """The reliability plot and its figures; absent for a model that does not tell its expected error."""
    found = evaluation.calibration
    if found is None:
        return None
    body = note(
        bold(f"{found.calibrated_deciles} of {len(found.deciles)} tenths are within {100 * TOLERANCE:.0f} %. "),
        _worst(found),
    )
    body += text(
        f"The tenth of the points with the largest expected errors holds {100 * found.top_decile_share:.0f} % of all "
        f"squared error; rank correlation of expected and measured error {found.rank_correlation:.2f}. "
        "Points within the band were judged well: measured and expected RMSE differ by at most "
        f"{100 * TOLERANCE:.0f} %. Above it the model was too sure, below it too doubtful.",
    )
    rows: list[list[Content]] = [
        [
            f"{i + 1}",
            f"{t.points:,}",
            f"{t.expected:.2f}",
            f"{t.measured:.2f}",
            f"{t.interval[0]:.2f} to {t.interval[1]:.2f}",
            f"{t.ratio:.2f}",
        ]
        for i, t in enumerate(found.deciles)
    ]
    header = ["tenth", "points", "expected, px", "measured, px", "95 % interval", "measured / expected"]
    return Section("Does it know how wrong it is?", body + plot(calibration_plot(found)) + table(header, rows))


def property_plot(found: PropertyScores) -> Plot:
    """RMSE over a property, one line for each source."""
    traces = []
    for name, bins in found.by_source.items():
        low, high = (np.array([one.interval[i] for one in bins]) for i in (0, 1))
        x, y = np.array([one.median for one in bins]), np.array([one.rmse for one in bins])
        traces.append(Trace(f"source {name}", x, y, low, high, dots=True))
    return Plot(found.title, tuple(traces), found.title, "RMSE, px")


def calibration_plot(found: Calibration) -> Plot:
    """Measured over expected RMSE, with the line on which they agree."""
    x, y = (np.array([getattr(decile, name) for decile in found.deciles]) for name in ("expected", "measured"))
    low, high = (np.array([decile.interval[i] for decile in found.deciles]) for i in (0, 1))
    trace = Trace("deciles of all points", x, y, low, high, dots=True)
    return Plot("calibration", (trace,), "expected error, px", "measured RMSE, px", band=TOLERANCE)


def _left_out(beyond: int) -> str:
    if not beyond:
        return ""
    verb = "face is" if beyond == 1 else "faces are"
    why = f"more than {OUTLIER:g} times as bad as the median face: a few wrong labels would hide all else"
    return f"{beyond:,} {verb} left out in this section, {why}."


def _worst(found: Calibration) -> str:
    ratio = found.worst_ratio
    way = f"{ratio:.2f} times as large as" if ratio >= 1 else f"only {ratio:.2f} of"
    return f"In the worst judged tenth the measured error is {way} the expected one."


def _pattern(one: PatternScore, evaluation: Evaluation) -> Content:
    names = evaluation.data.keypoints.names
    if not one.missing:
        return bold("all points")
    there = [n.replace("_", " ") for n in names if n not in one.missing]
    if len(one.missing) > _MOSTLY * len(names):
        return f"only {', '.join(there)}"
    return f"without {', '.join(n.replace('_', ' ') for n in one.missing)}"


def _interval(one: PatternScore) -> str:
    return "–" if one.interval is None else f"{one.interval[0]:.2f} to {one.interval[1]:.2f}"
