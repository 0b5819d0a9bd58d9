"""Predicted points and labeled faces -> scores in the terminal, in files and in two pictures. No torch.

scores.json      everything `facepoints.scoring` says, and what the caller adds
per_point.csv    one line a keypoint
per_face.csv     one line a face
worst.png        the faces with the largest RMSE: wrong labels as often as wrong predictions
random.png       faces drawn by lot: what to expect
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from facepoints.data.faces import LabeledFaces
from facepoints.drawing import contact_sheet, write_png
from facepoints.errors import BadChoice
from facepoints.scoring import (
    FAILURE_NME,
    HIT_DISTANCES,
    PartScores,
    PointScores,
    Scores,
    face_nme,
    face_rmse,
    point_distances,
    score,
    source_name,
)
from facepoints.writing import write_text

PICTURED = 16
"""Faces in worst.png and in random.png."""

_WIDE = 120  # columns of a terminal that has room for explanations and for every column


def write_report(
    out: Path,
    data: LabeledFaces,
    predicted: NDArray[np.floating[Any]],
    *,
    title: str,
    groups: NDArray[np.integer[Any]] | None = None,
    extra: Mapping[str, object] | None = None,
    seed: int = 0,
) -> Scores:
    """Score predicted (n, k, 2) px on the data and write the files named above into the folder `out`.

    `title` heads the pictures and scores.json; `groups` (n,) are as in `scoring.score`; `extra` is added to
    scores.json, with names of its own. Nothing is written unless everything could be scored.
    """
    scores = score(predicted, data.points, data.observed, data.source, data.keypoints, groups=groups, seed=seed)
    summary = {"title": title, **scores.as_dict()}
    if taken := sorted(set(summary) & set(extra or {})):
        raise BadChoice(f"scores.json already has {', '.join(taken)}: give what you add other names")
    rmse = face_rmse(predicted, data.points, data.observed)
    labeled = np.flatnonzero(data.observed.any(axis=1))
    worst = labeled[np.argsort(-rmse[labeled], kind="stable")][:PICTURED]
    lot = np.random.default_rng(seed).permutation(labeled)[:PICTURED]

    pictures = {
        "worst.png": _sheet(data, predicted, rmse, worst, f"{title}: the {len(worst)} worst faces"),
        "random.png": _sheet(data, predicted, rmse, lot, f"{title}: {len(lot)} random faces"),
    }
    texts = {
        "scores.json": json.dumps({**summary, **(extra or {})}, indent=2, allow_nan=False) + "\n",
        "per_point.csv": _csv(_point_lines(scores)),
        "per_face.csv": _csv(_face_lines(data, predicted, rmse)),
    }
    for name, text in texts.items():
        write_text(out / name, text)
    for name, picture in pictures.items():
        write_png(out / name, picture)
    return scores


def print_scores(scores: Scores, console: Console) -> None:
    """A sentence for newcomers, a table by source, one by keypoint: fits 80 columns, tells more in 120."""
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


def _sheet(
    data: LabeledFaces,
    predicted: NDArray[np.floating[Any]],
    rmse: NDArray[np.float64],
    chosen: NDArray[np.intp],
    title: str,
) -> NDArray[np.uint8]:
    captions = [f"row {row} · {px:.1f} px" for row, px in zip(data.row[chosen], rmse[chosen], strict=True)]
    some = data.take(chosen)
    return contact_sheet(some.faces, some.points, predicted[chosen], some.observed, captions, title=title, columns=4)


def _point_lines(scores: Scores) -> list[list[object]]:
    hits = [f"hit{px}" for px in HIT_DISTANCES]
    sources = [f"rmse_{name}" for name in scores.by_source]
    numbers = ["rmse", "rmse_x", "rmse_y", "bias_x", "bias_y", "mae"]
    lines: list[list[object]] = [["keypoint", "count", *numbers, *hits, *sources]]
    for name, point in scores.by_keypoint.items():
        if point is None:
            lines.append([name, 0, *[None] * (len(lines[0]) - 2)])
            continue
        values = [getattr(point, number) for number in numbers]
        lines.append([name, point.count, *values, *point.hit_rate.values(), *point.rmse_by_source.values()])
    return lines


def _face_lines(
    data: LabeledFaces, predicted: NDArray[np.floating[Any]], rmse: NDArray[np.float64]
) -> list[list[object]]:
    """One line a face; max_error is its worst point's distance. Cells are empty where nothing can be said."""
    furthest = point_distances(predicted, data.points, data.observed).max(axis=1)
    nme = face_nme(predicted, data.points, data.observed, data.keypoints)
    unknown = np.ma.getmaskarray(nme)
    lines: list[list[object]] = [["row", "source", "observed", "rmse", "max_error", "nme"]]
    for i, count in enumerate(data.observed.sum(axis=1).tolist()):
        px = (float(rmse[i]), float(furthest[i])) if count else (None, None)
        share = None if unknown[i] else float(nme[i])
        lines.append([int(data.row[i]), source_name(int(data.source[i])), count, *px, share])
    return lines


def _csv(lines: Iterable[Sequence[object]]) -> str:
    """Lines as CSV; None is an empty cell, and numbers have six digits: labels have no more than five."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(
        [f"{cell:.6g}" if isinstance(cell, float) else cell for cell in line] for line in lines
    )
    return text.getvalue()


def _part_table(scores: Scores, wide: bool) -> Table:
    parts = {"all": scores.overall}
    parts |= {f"source {name}": part for name, part in scores.by_source.items() if part is not None}
    table = _table("Scores by source")
    for name in parts:
        table.add_column(name, justify="right", no_wrap=True)
    if wide:
        table.add_column("", style="dim")
    for label, cell, meaning in _PART_ROWS:
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


_PART_ROWS: tuple[tuple[str, Callable[[PartScores], str], str], ...] = (
    ("faces", lambda p: f"{p.faces:,}", "with at least one label"),
    ("values", lambda p: f"{p.values:,}", "labeled coordinates, two a point"),
    ("RMSE", lambda p: _px(p.rmse), "px; the competition's score"),
    ("  95 % interval", _interval, "px; other faces of the same kind would land here"),
    ("RMSE of the median face", lambda p: _px(p.median_face_rmse), "px; hardly moved by a few wrong labels"),
    ("MAE", lambda p: _px(p.mae), "px; mean absolute error of a coordinate"),
    ("points within 1 px", lambda p: _percent(p.hit_rate[1]), "of their label"),
    ("points within 2 px", lambda p: _percent(p.hit_rate[2]), ""),
    ("points within 3 px", lambda p: _percent(p.hit_rate[3]), ""),
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
    ("≤2 px", lambda p: _percent(p.hit_rate[2])),
)
_WIDE_POINT_COLUMNS: tuple[tuple[str, Callable[[PointScores], str]], ...] = (
    ("x", lambda p: _px(p.rmse_x)),
    ("y", lambda p: _px(p.rmse_y)),
    ("bias x", lambda p: f"{p.bias_x:+.2f}"),
    ("bias y", lambda p: f"{p.bias_y:+.2f}"),
    ("MAE", lambda p: _px(p.mae)),
    ("≤1 px", lambda p: _percent(p.hit_rate[1])),
    ("≤2 px", lambda p: _percent(p.hit_rate[2])),
    ("≤3 px", lambda p: _percent(p.hit_rate[3])),
)
