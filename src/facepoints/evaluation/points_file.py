"""Points of any program as a table (CSV), so that it is evaluated like a model. The format is in docs/data.md.

    row,nose_tip_x,nose_tip_y,nose_tip_error,...

`row` is the 0-based row of the labels; without that column the lines are the rows in order. `<name>_error`, for all
points or for none, is the expected RMSE in pixels of the two coordinates of the point.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facepoints.data.dataset import LabeledFaces
from facepoints.data.tables.csv_file import CsvFile, Fault, near, open_csv
from facepoints.errors import BadChoice, BadFile
from facepoints.evaluation.predictor import HeldOutRows, ModelFacts, Predictions, unknown_training
from facepoints.keypoints import KeypointSet

ROW = "row"
_FARTHEST = 10_000.0  # px: points may lie outside the face, but not as far as that
_REMEDY = "Correct the line or export the table again."


@dataclass(frozen=True)
class PointsFile:
    """m lines of points."""

    name: str
    keypoints: KeypointSet
    row: NDArray[np.int64]
    """(m,): row of the labels"""
    line: NDArray[np.int64]
    """(m,): line in the file"""
    points: NDArray[np.float64]
    """(m, k, 2) px, NaN where empty"""
    expected_error: NDArray[np.float64] | None
    """(m, k) px"""

    @property
    def facts(self) -> ModelFacts:
        return ModelFacts("table of points")

    @property
    def summary(self) -> None:
        return None

    def held_out_rows(self, data: LabeledFaces) -> HeldOutRows:
        return unknown_training(data)

    def predict(self, data: LabeledFaces, *, flip: bool = False) -> Predictions:
        """The lines of these faces; BadFile where a face has no line, or a labeled point no prediction."""
        if flip:
            raise BadChoice(f"{self.name}: a table of points has no mirrored faces. Leave out --flip")
        at = {row: i for i, row in enumerate(self.row.tolist())}
        absent = [row for row in data.row.tolist() if row not in at]
        if absent:
            which = ", ".join(map(str, absent[:3])) + (", ..." if len(absent) > 3 else "")
            raise BadFile(
                f"{self.name}: no points for {len(absent):,} of the {len(data):,} rows to score (row {which}). "
                "Predict every face, or select the rows to score with --rows-of RUN"
            )
        index = np.array([at[row] for row in data.row.tolist()], np.int64)
        order = [self.keypoints.index(name) for name in data.keypoints.names if name in self.keypoints.names]
        known = np.isfinite(self.points[index][:, order]).all(axis=2)
        absent_points = np.argwhere(data.only(self.keypoints.names).observed & ~known)
        if len(absent_points):
            face, point = absent_points[0].tolist()
            raise BadFile(
                f"{self.name} line {self.line[index[face]]:,}: no prediction for {self.keypoints.names[order[point]]}, "
                f"labeled in row {data.row[face]:,} ({len(absent_points):,} such). Every labeled point must be "
                "predicted, for instance by the mean shape: leaving out difficult points would improve the score"
            )
        expected = None if self.expected_error is None else self.expected_error[index]
        return Predictions(self.points[index], expected)

    def milliseconds(self, data: LabeledFaces) -> None:
        return None


def read_points_file(path: Path, data: LabeledFaces) -> PointsFile:
    """The table in a .csv file or a .zip with one; `data`: the faces of its rows. Raises BadFile."""
    with open_csv(path) as csv:
        keypoints, columns, errors = _columns(csv, data)
        rows: list[int] = []
        lines: list[int] = []
        values: list[list[float]] = []
        for line, text in csv.lines:
            try:
                fields = csv.fields(text)
                rows.append(_row(fields[csv.header.index(ROW)]) if ROW in csv.header else len(rows))
                values.append([_number(csv.header[i], fields[i]) for i in columns])
            except Fault as fault:
                raise csv.bad(line, str(fault), _REMEDY) from fault
            lines.append(line)
        table = np.array(values, np.float64).reshape(len(values), len(columns))
        _check_rows(csv, np.array(rows, np.int64), lines, data)
    k = len(keypoints)
    expected = table[:, 2 * k :] if errors else None
    if expected is not None and not (np.isfinite(expected) & (expected >= 0)).all():
        at = int(np.argwhere(~(np.isfinite(expected) & (expected >= 0)))[0, 0])
        what = "an expected error is empty or negative, expected pixels of at least 0"
        raise BadFile(f"{path.name} line {lines[at]:,}: {what}. {_REMEDY}")
    points = table[:, : 2 * k].reshape(-1, k, 2)
    return PointsFile(path.name, keypoints, np.array(rows, np.int64), np.array(lines, np.int64), points, expected)


def _columns(csv: CsvFile, data: LabeledFaces) -> tuple[KeypointSet, list[int], bool]:
    """The table's keypoints, the positions of x, y, x, y, ..., error, error, ..., and whether there are errors."""
    known = (*data.keypoints.columns, *(f"{name}_error" for name in data.keypoints.names), ROW)
    for column in csv.header:
        if column not in known:
            what = f"column '{column}' is not a keypoint of the data{near(column, known)}"
            raise csv.bad(1, what, "Rename or remove it.")
    names = [n for n in data.keypoints.names if any(f"{n}_{part}" in csv.header for part in ("x", "y", "error"))]
    if not names:
        raise csv.bad(1, "there are no coordinate columns such as nose_tip_x", "Is this a table of points?")
    keypoints = KeypointSet(tuple(names))
    wanted = list(keypoints.columns)
    errors = any(column.endswith("_error") for column in csv.header)
    if errors:
        wanted += [f"{name}_error" for name in names]
    csv.need(wanted)
    return keypoints, [csv.header.index(column) for column in wanted], errors


def _check_rows(csv: CsvFile, rows: NDArray[np.int64], lines: list[int], data: LabeledFaces) -> None:
    if not len(rows):
        raise BadFile(f"{csv.name} line 2: no points, only column names. Export the table again.")
    last = int(data.row.max(initial=-1))
    if rows.max() > last:
        at = int(np.flatnonzero(rows > last)[0])
        what = f"row {rows[at]:,} is not in the data, whose last row is {last:,}"
        raise csv.bad(lines[at], what, "Give the table of these faces, or add a column 'row'.")
    _, first = np.unique(rows, return_index=True)
    if len(first) < len(rows):
        at = int(np.setdiff1d(np.arange(len(rows)), first)[0])
        raise csv.bad(lines[at], f"row {rows[at]:,} occurs twice", _REMEDY)


def _row(field: bytes) -> int:
    text = field.decode("ascii", "replace").strip()
    if not text.isdecimal():
        raise Fault(f"row is '{text[:20]}', expected a whole number from 0")
    return int(text)


def _number(column: str, field: bytes) -> float:
    """A number of pixels; NaN for an empty field."""
    if not field.strip():
        return math.nan
    try:
        value = float(field) if b"_" not in field else math.nan  # Python would read 1_0 as ten
    except ValueError:
        value = math.nan
    if not abs(value) <= _FARTHEST:
        raise Fault(f"{column} is '{field[:20].decode('ascii', 'backslashreplace')}', expected a number in pixels")
    return value
