"""Scores in the terminal: a summary, a table by source, one by keypoint. No torch."""

from __future__ import annotations

from collections.abc import Callable

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from facepoints.metrics import FAILURE_NME
from facepoints.scores import PartScores, PointScores, Scores

_WIDE = 120  # columns of a terminal that shows explanations and all columns


def print_scores(scores: Scores, console: Console) -> None:
    """A summary, a table by source, one by keypoint: fits 80 columns, more detail from 120 columns."""
    console.print(Text(headline(scores.overall), style="bold"))
    console.print()
    console.print(_part_table(scores, console.width >= _WIDE))
    console.print(_point_table(scores, console.width >= _WIDE))


def headline(part: PartScores) -> str:
    """The scores in words: "Half of all points are within 0.8 px of their label, 95 % within 2.2 px; ..."."""
    eyes = "" if part.eye_distance is None else f"; eyes are {part.eye_distance:.0f} px apart"
    return (
        f"Half of all points are within {part.median_distance:.1f} px of their label, "
        f"95 % within {part.distance_95:.1f} px{eyes}."
    )


def _part_table(scores: Scores, wide: bool) -> Table:
    parts = {"all": scores.overall}
    parts |= {f"source {name}": part for name, part in scores.by_source.items() if part is not None}
    table = _table("Scores by source")
    for name in parts:
        table.add_column(name, justify="right", no_wrap=True)
    if wide:
        table.add_column("", style="dim")
    for label, cell, meaning in PART_ROWS:
        cells = [cell(part) for part in parts.values()]
        table.add_row(label, *cells, *([meaning] if wide else []), style="bold" if label == "RMSE" else None)
    return table


def _point_table(scores: Scores, wide: bool) -> Table:
    columns = [
        *_POINT_COLUMNS,
        *((name, _rmse_of(name)) for name in scores.by_source),
        *(_WIDE_POINT_COLUMNS if wide else _NARROW_POINT_COLUMNS),
    ]
    table = _table("Scores by keypoint, px" if wide else "RMSE by keypoint, px")
    for header, _ in columns:
        table.add_column(header, justify="right", no_wrap=True)
    for name, point in scores.by_keypoint.items():
        table.add_row(name, *("–" if point is None else cell(point) for _, cell in columns))
    return table


def _table(title: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("", no_wrap=True)
    return table


def _rmse_of(source: str) -> Callable[[PointScores], str]:
    return lambda point: _px(point.rmse_by_source[source])


def _px(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _percent(value: float | None, digits: int = 0) -> str:
    return "–" if value is None else f"{100 * value:.{digits}f} %"


def _interval(part: PartScores) -> str:
    return "–" if part.rmse_interval is None else "–".join(f"{end:.2f}" for end in part.rmse_interval)


PART_ROWS: tuple[tuple[str, Callable[[PartScores], str], str], ...] = (
    ("faces", lambda p: f"{p.faces:,}", "with at least one label"),
    ("values", lambda p: f"{p.values:,}", "labeled coordinates, two for each point"),
    ("RMSE", lambda p: _px(p.rmse), "px; the competition's score"),
    ("  95 % interval", _interval, "px; confidence interval, by bootstrap over faces"),
    ("median RMSE per face", lambda p: _px(p.median_face_rmse), "px; robust to a few wrong labels"),
    ("MAE", lambda p: _px(p.mae), "px; mean absolute error of a coordinate"),
    ("points within 1 px", lambda p: _percent(p.pck[1]), "of their label"),
    ("points within 2 px", lambda p: _percent(p.pck[2]), ""),
    ("points within 3 px", lambda p: _percent(p.pck[3]), ""),
    ("NME", lambda p: _percent(p.nme, 2), "mean distance / distance of the eye centers"),
    ("failed faces", lambda p: _percent(p.failure_rate, 1), f"NME above {_percent(FAILURE_NME)}"),
    ("AUC", lambda p: _px(p.auc), f"share of faces below an NME, averaged up to {_percent(FAILURE_NME)}"),
)

_POINT_COLUMNS: tuple[tuple[str, Callable[[PointScores], str]], ...] = (
    ("labels", lambda p: f"{p.count:,}"),
    ("RMSE", lambda p: _px(p.rmse)),
)
_NARROW_POINT_COLUMNS: tuple[tuple[str, Callable[[PointScores], str]], ...] = (
    ("x", lambda p: _px(p.rmse_x)),
    ("y", lambda p: _px(p.rmse_y)),
    ("≤2 px", lambda p: _percent(p.pck[2])),
)
_WIDE_POINT_COLUMNS: tuple[tuple[str, Callable[[PointScores], str]], ...] = (
    ("x", lambda p: _px(p.rmse_x)),
    ("y", lambda p: _px(p.rmse_y)),
    ("bias x", lambda p: f"{p.bias_x:+.2f}"),
    ("bias y", lambda p: f"{p.bias_y:+.2f}"),
    ("MAE", lambda p: _px(p.mae)),
    ("≤1 px", lambda p: _percent(p.pck[1])),
    ("≤2 px", lambda p: _percent(p.pck[2])),
    ("≤3 px", lambda p: _percent(p.pck[3])),
)
